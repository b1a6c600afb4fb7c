"""A unified diff as a page shows it: by files, with numbers, bounded; and which diff of a ticket is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from portal.core.markdown import visible
from tickets.models import Measurement, Ticket, Turn

FILES_SHOWN: Final = 300
LINES_SHOWN: Final = 20_000
LINE_CHARS: Final = 2_000
# Files are open until so many lines of the page are; a reader opens the others.
LINES_OPEN: Final = 2_000

_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPES: Final = {b"n": b"\n", b"t": b"\t"}


@dataclass(slots=True)
class Line:
    """``tone``: add, del, hunk, or nothing. Numbers are empty where a side does not have it."""

    tone: str
    old: str
    new: str
    text: str


@dataclass(slots=True)
class File:
    """``what``: added, deleted, renamed, copied, changed. ``left_out``: lines beyond what a page shows."""

    n: int
    path: str = ""
    before: str = ""
    what: str = "changed"
    binary: bool = False
    mode: str = ""
    lines: list[Line] = field(default_factory=list)
    insertions: int = 0
    deletions: int = 0
    left_out: int = 0
    open: bool = True

    @property
    def html(self) -> SafeString:
        """Its lines, each value escaped where it is put in."""
        values = ((line.tone, line.old, line.new, line.text) for line in self.lines)
        return format_html_join("", '<span class="{}"><i>{}</i><i>{}</i><span>{}</span></span>', values)


@dataclass(frozen=True, slots=True)
class Diff:
    """``more``: files beyond those shown."""

    files: list[File]
    more: int


def newest(ticket: Ticket) -> Measurement | None:
    """What was measured last, without the diff's text."""
    rows = Measurement.objects.filter(turn__ticket=ticket).select_related("turn").defer("diff")
    return rows.order_by("-turn__seq").first()


def shown(ticket: Ticket, seq: int | None) -> Measurement | None:
    """What was measured at the end of turn ``seq``, or last."""
    rows = Measurement.objects.filter(turn__ticket=ticket).select_related("turn__agent_version__agent")
    return (rows.filter(turn__seq=seq) if seq else rows).order_by("-turn__seq").first()


def measured_turns(ticket: Ticket, most: int) -> list[int]:
    """The numbers of the newest turns that have a diff, newest first."""
    rows = Turn.objects.filter(ticket=ticket, measurement__isnull=False).order_by("-seq")
    return list(rows.values_list("seq", flat=True)[:most])


def read(text: str) -> Diff:
    """The files of a unified diff as git prints it. Never raises: what it does not know is shown as it is."""
    reading = _Reading()
    # Split at newlines alone: other line ends are part of what a line says.
    for line in visible(text).split("\n"):
        reading.take(line.removesuffix("\r"))
    files = list(reading.done())
    return Diff(files[:FILES_SHOWN], max(0, len(files) - FILES_SHOWN))


class _Reading:
    """One file after the other. Inside a hunk its own counts say where it ends, whatever its lines look like."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.shown = 0
        self.old = self.new = 0
        self.old_left = self.new_left = 0

    def take(self, line: str) -> None:
        if line.startswith("diff --git ") and not (self.old_left or self.new_left):
            self.files.append(File(len(self.files) + 1, path=_both(line.removeprefix("diff --git "))))
        elif not self.files:
            return
        elif self.old_left or self.new_left:
            self._content(line)
        elif found := _HUNK.match(line):
            old, old_count, new, new_count = found.groups()
            self.old, self.new = int(old), int(new)
            self.old_left, self.new_left = int(old_count or 1), int(new_count or 1)
            self._show(Line("hunk", "", "", line))
        elif line.startswith("\\"):
            self._show(Line("", "", "", line))
        else:
            _header(self.files[-1], line)

    def _content(self, line: str) -> None:
        file, mark = self.files[-1], line[:1]
        if mark == "+":
            file.insertions += 1
            self._show(Line("add", "", str(self.new), line))
        elif mark == "-":
            file.deletions += 1
            self._show(Line("del", str(self.old), "", line))
        elif mark == "\\":
            self._show(Line("", "", "", line))
        else:
            self._show(Line("", str(self.old), str(self.new), line))
        if mark not in ("+", "\\"):
            self.old, self.old_left = self.old + 1, max(0, self.old_left - 1)
        if mark not in ("-", "\\"):
            self.new, self.new_left = self.new + 1, max(0, self.new_left - 1)

    def _show(self, line: Line) -> None:
        file = self.files[-1]
        if self.shown >= LINES_SHOWN:
            file.left_out += 1
            return
        self.shown += 1
        if len(line.text) > LINE_CHARS:
            line.text = f"{line.text[:LINE_CHARS]} … {len(line.text) - LINE_CHARS:,} characters are cut here"
        line.text = line.text.replace("\r", "␍")
        file.lines.append(line)

    def done(self) -> Iterator[File]:
        lines = 0
        for file in self.files:
            lines += len(file.lines)
            file.open = lines <= LINES_OPEN
            yield file


def _header(file: File, line: str) -> None:
    """What stands between a file's name and its first hunk."""
    word, _, rest = line.partition(" ")
    if line.startswith("new file mode "):
        file.what = "added"
    elif line.startswith("deleted file mode "):
        file.what = "deleted"
    elif line.startswith("rename from "):
        file.what, file.before = "renamed", _path(line.removeprefix("rename from "))
    elif line.startswith("copy from "):
        file.what, file.before = "copied", _path(line.removeprefix("copy from "))
    elif line.startswith(("rename to ", "copy to ")):
        file.path = _path(line.partition(" to ")[2])
    elif line.startswith("new mode "):
        file.mode = rest.removeprefix("mode ")
    elif line.startswith("Binary files ") or line == "GIT binary patch":
        file.binary = True
    elif word in ("---", "+++") and not rest.startswith("/dev/null"):
        # A tab ends a name with spaces in it.
        file.path = _path(rest.rstrip("\t"))[2:]


def _both(names: str) -> str:
    """The path out of ``a/path b/path``: of a file that was not renamed, both are one."""
    if names.startswith('"'):
        return _path(names[: names.find('" ') + 1] or names)[2:]
    return names[2 : len(names) // 2]


def _path(name: str) -> str:
    """A path as git writes it: quoted, with octal bytes, where it has unusual characters."""
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name
    return visible(_ESCAPED.sub(_unescaped, name[1:-1].encode()).decode("utf-8", "replace"))


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) & 255]) if code.isdigit() else _ESCAPES.get(code, code)

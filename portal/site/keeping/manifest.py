"""What a backup says of itself.

``manifest.json`` tells what was counted in the snapshot; ``SHA256SUMS`` has a
line for every other file, the manifest too, in the form of ``sha256sum``. Both
are written last, so a folder without them is no backup.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from portal.site.keeping.refusals import Refused

NAME: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
FORM: Final = 1
CHUNK: Final = 1_048_576
_SUM: Final = re.compile(r"([0-9a-f]{64})  (?!/)(\S.*)")

Look = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``tables`` are the rows of each table in the snapshot; ``missing`` the files that they name and nobody had."""

    form: int
    made_at: str
    version: str
    engine: str
    server: str
    database: str
    tables: dict[str, int]
    files: int
    size_bytes: int
    branches: tuple[str, ...]
    missing: tuple[str, ...]
    missing_more: int
    with_keys: bool

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.made_at)

    @property
    def lacking(self) -> int:
        return len(self.missing) + self.missing_more

    def written(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"


def moment_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def read(folder: Path) -> Manifest:
    """The manifest of the backup in ``folder``. Raises ``Refused`` where there is none that can be read."""
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise Refused(f"{folder} is no backup: it has no {NAME}.") from None
    except OSError as error:
        raise Refused(f"{folder} cannot be read ({error.strerror}).") from None
    try:
        found = json.loads(text)
        if found["form"] != FORM:
            raise Refused(f"{folder} has the form {found['form']!r}; this code reads form {FORM}.")
        known = {name: found[name] for name in Manifest.__slots__}
        tables = {str(name): int(rows) for name, rows in known["tables"].items()}
        listed = {name: tuple(str(one) for one in known[name]) for name in ("branches", "missing")}
        made = Manifest(**known | listed | {"tables": tables})
        if made.moment.tzinfo is None:
            raise ValueError("a moment without a zone")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{folder} is damaged: its {NAME} cannot be read.") from None
    return made


def digest_of(path: Path, look: Look) -> str:
    """The SHA-256 of a file as it lies there."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
            look()
    return found.hexdigest()


def sums_text(digests: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def read_sums(folder: Path) -> dict[str, str]:
    """The stated SHA-256 of each file. Raises ``Refused``."""
    found: dict[str, str] = {}
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Refused(f"{folder} is no whole backup: its {SUMS} cannot be read.") from None
    for line in lines:
        stated = _SUM.fullmatch(line)
        if stated is None or ".." in stated[2].split("/"):
            raise Refused(f"{folder} is damaged: {SUMS} has a line that is none of sha256sum.")
        found[stated[2]] = stated[1]
    if NAME not in found:
        raise Refused(f"{folder} is damaged: {SUMS} does not name {NAME}.")
    return found


def verify(folder: Path, look: Look = lambda: None) -> Manifest:
    """Read every byte of a backup and compare. Raises ``Refused`` with the first file that differs."""
    stated = read_sums(folder)
    present = set(files_in(folder)) - {SUMS}
    for name, digest in sorted(stated.items()):
        if name not in present:
            raise Refused(f"{folder} is damaged: {name} is missing.")
        if digest_of(folder / name, look) != digest:
            raise Refused(f"{folder} is damaged: {name} is not what was written (its SHA-256 differs).")
    if unknown := sorted(present - set(stated)):
        raise Refused(f"{folder} has a file that the backup did not write: {unknown[0]}.")
    return read(folder)


def files_in(folder: Path) -> Iterator[str]:
    """Every file below ``folder``, by its path from there; a link is one, wherever it leads."""
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        for name in (*names, *links):
            yield os.path.relpath(os.path.join(where, name), folder)

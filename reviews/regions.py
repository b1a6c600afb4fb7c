"""Regions of code that findings name, read from the portal's own clone on this machine.

They are read through the objects alone (``tickets.pristine``): nothing is
fetched, and no working tree is opened. Where there is no clone, or it cannot
be read, nothing is known of the code, which is another answer than that it
has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from portal.core import limits
from portal.core.storable import is_storable
from reviews.fingerprints import path_of
from tickets import clones, git
from tickets.models import Merge, MergeState, Project
from tickets.pristine import Pristine, pristine
from workers.failures import JobFailed

log = structlog.get_logger(__name__)
# Letters, digits and underscores: a region with fewer, such as a lone brace, is like too many others.
LEAST_CHARS: Final = 12
# A longer region is no place, and too much is compared with it where it is looked for.
MOST_LINES: Final = 400
PATH_CHARS: Final = 1_000
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{7,64}")
_RANGE: Final = re.compile(r"(?<![\w.])~?L?(\d{1,9})(?:\s*(?:[-–]|\bto\b)\s*~?L?(\d{1,9}))?", re.IGNORECASE)
# The column after a line, as tools write it; and what is no line, such as the name of a function.
_COLUMN: Final = re.compile(r"(?<=\d):\d+")
_WORD: Final = re.compile(r"\w")
_FILE_MODES: Final = (b"100644", b"100755")
# What is usual, where the project names no branch and the clone has more than one.
_USUAL: Final = ("main", "master")


@dataclass(frozen=True, slots=True)
class Region:
    """Lines of a file at a commit, counted from 1; ``digest`` is of what they say, not of how they are laid out."""

    path: str
    start: int
    end: int
    digest: str
    commit: str


class Place(NamedTuple):
    """A place as it is written: a path, and the lines in it."""

    path: str
    lines: tuple[tuple[int, int], ...]


class Counted(NamedTuple):
    """The lines of a file that count, without the space around them, and the number of each."""

    texts: list[str]
    numbers: list[int]


class _Blob(NamedTuple):
    name: bytes
    size: int


def place_of(text: str) -> Place:
    """The path and the lines of a place such as ``a/b.py:12-20`` or ``b.py (lines 3-9)``."""
    path = path_of(text).partition("#")[0]
    rest = text.strip().removeprefix("./")[len(path) :]
    found: list[tuple[int, int]] = []
    for match in _RANGE.finditer(_COLUMN.sub("", rest)):
        start = int(match[1])
        end = int(match[2] or start)
        if start and end >= start:
            found.append((start, end))
    return Place(path.replace("\\", "/"), tuple(found))


def commit_at(project: Project, named: str = "") -> str:
    """The full name of the commit that a document names, where the clone has it; else the head of the target branch.

    The head is as the clone knows it: it is as old as the last fetch. Empty
    where there is no clone, or none of its branches is known to be the target.
    """
    path = clones.path_of(project)
    if not path.is_dir():
        return ""
    try:
        return _named(path, named) or _head(project, path)
    except JobFailed as problem:
        log.warning("regions_unread", project=project.key, problem=str(problem))
        return ""


def read(project: Project, commit: str, places: Iterable[str]) -> dict[str, list[Region]]:
    """The regions of each place at ``commit``, by the place as it is written.

    A place without lines has none, nor has one whose path is in no file of the
    tree, or could be in several, nor a region that says too little to be told
    from others.
    """
    wanted = {text: place_of(text) for text in list(dict.fromkeys(places))[: limits.value("REGION_PLACES_ROWS")]}
    with_lines = [place.path for place in wanted.values() if place.lines]
    files = counted(project, commit, with_lines) or {}
    found: dict[str, list[Region]] = {}
    for text, place in wanted.items():
        path, lines = files.get(place.path, ("", None))
        if lines is None:
            continue
        regions = [
            Region(path, start, end, digest, commit)
            for start, end in place.lines
            if (digest := digest_of(within(lines, start, end)))
        ]
        if regions:
            found[text] = list(dict.fromkeys(regions))
    return found


def counted(project: Project, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, Counted]] | None:
    """The file that each path names at ``commit``, with its lines; None where the clone cannot tell.

    What the tree does not have is left out. Of very many or very large files
    only as much as the limits allow is read.
    """
    folder = clones.path_of(project)
    wanted = [path for path in dict.fromkeys(paths) if path and len(path) <= PATH_CHARS and is_storable(path)]
    if not commit or not folder.is_dir():
        return None
    if not wanted:
        return {}
    try:
        with pristine(folder) as objects:
            tree = _tree(objects, commit)
            names = _resolved(tree, wanted)
            texts = _texts(objects, _affordable({path: tree[path] for path in names.values()}))
    except JobFailed as problem:
        log.warning("regions_unread", project=project.key, commit=commit, problem=str(problem))
        return None
    return {path: (name, texts[name]) for path, name in names.items() if name in texts}


def within(lines: Counted, start: int, end: int) -> list[str]:
    """The lines that count between two numbers, both included."""
    return lines.texts[bisect_left(lines.numbers, start) : bisect_right(lines.numbers, end)]


def digest_of(texts: Sequence[str]) -> str:
    """The digest of lines that count; empty for what is too long or says too little to be compared."""
    said = "\n".join(texts)
    if len(texts) > MOST_LINES or len(_WORD.findall(said)) < LEAST_CHARS:
        return ""
    return _digest(said)


def moved(lines: Counted, digest: str, count: int) -> tuple[int, int] | None:
    """Where ``count`` lines with this digest are in a file now, the first of such places; None where they are not."""
    if not 0 < count <= MOST_LINES:
        return None
    said, begins = "\n".join(lines.texts).encode("utf-8", "replace"), [0]
    for text in lines.texts:
        begins.append(begins[-1] + len(text.encode("utf-8", "replace")) + 1)
    for first in range(len(lines.texts) - count + 1):
        window = said[begins[first] : begins[first + count] - 1]
        if hashlib.sha256(window).hexdigest() == digest:
            return lines.numbers[first], lines.numbers[first + count - 1]
    return None


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


# The clone ----------------------------------------------------------------------


def _named(folder: Path, named: str) -> str:
    if not _COMMIT.fullmatch(named):
        return ""
    with pristine(folder) as objects:
        asked = f"{named.lower()}^{{commit}}"
        output = objects.run("rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    return output.text.strip() if output.code == 0 else ""


def _head(project: Project, folder: Path) -> str:
    names = "--format=%(objectname) %(refname:strip=3)"
    said = git.git(folder, "for-each-ref", names, "refs/remotes/origin").splitlines()
    commits = {branch: commit for commit, _, branch in (line.partition(" ") for line in said)}
    if project.target_branch or len(commits) == 1:
        return commits.get(project.target_branch, "") if project.target_branch else next(iter(commits.values()))
    merges = Merge.objects.filter(ticket__project=project.pk, state=MergeState.MERGED).exclude(target_branch="")
    last = merges.order_by("-pk").values_list("target_branch", flat=True).first()
    return next((commits[branch] for branch in (last, *_USUAL) if branch in commits), "")


def _tree(objects: Pristine, commit: str) -> dict[str, _Blob]:
    """The files of a commit that are text to a person: no links, no other repositories."""
    found: dict[str, _Blob] = {}
    for entry in objects.listed("ls-tree", "-r", "-l", "-z", "--full-tree", commit):
        about, _, path = entry.partition(b"\t")
        mode, _, name, size = about.split()
        if mode in _FILE_MODES:
            found[os.fsdecode(path)] = _Blob(name, int(size))
    return found


def _resolved(tree: Iterable[str], paths: Iterable[str]) -> dict[str, str]:
    """The file of the tree that each path names: that of the name, else the only one that ends with it."""
    names = set(tree)
    found = {path: path for path in paths if path in names}
    left = [path for path in paths if path not in names]
    by_base: dict[str, list[str]] = {}
    bases = {path.rpartition("/")[2] for path in left}
    for name in names:
        base = name.rpartition("/")[2]
        if base in bases:
            by_base.setdefault(base, []).append(name)
    for path in left:
        ending = [name for name in by_base.get(path.rpartition("/")[2], ()) if name.endswith(f"/{path}")]
        if len(ending) == 1 and is_storable(ending[0]):
            found[path] = ending[0]
    return found


def _affordable(blobs: Mapping[str, _Blob]) -> dict[str, _Blob]:
    """Those that are read: not more, and not larger ones, than the limits allow."""
    most, left = limits.value("REGION_FILE_MAX_BYTES"), limits.value("REGION_READ_MAX_BYTES")
    found: dict[str, _Blob] = {}
    for path, blob in list(blobs.items())[: limits.value("REGION_PLACES_ROWS")]:
        if blob.size <= min(most, left):
            found[path] = blob
            left -= blob.size
    return found


def _texts(objects: Pristine, blobs: Mapping[str, _Blob]) -> dict[str, Counted]:
    """The lines of these files that count, all read by one git; a file that is no text has none."""
    names = list(dict.fromkeys(blob.name for blob in blobs.values()))
    if not names:
        return {}
    output = git.checked("cat-file", objects.run("cat-file", "--batch", stdin=b"\n".join(names) + b"\n"))
    contents = dict(_batched(output.out))
    return {
        path: _counted(contents[blob.name])
        for path, blob in blobs.items()
        if blob.name in contents and b"\0" not in contents[blob.name]
    }


def _batched(out: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What ``cat-file --batch`` wrote: a head (name, kind, size), that many bytes, a newline; or ``NAME missing``."""
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        head = out[at:end].split()
        at = end + 1
        if len(head) == 3:
            size = int(head[2])
            yield head[0], out[at : at + size]
            at += size + 1


def _counted(content: bytes) -> Counted:
    texts, numbers = [], []
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
        if text := line.strip():
            texts.append(text)
            numbers.append(number)
    return Counted(texts, numbers)

"""What a branch changes, as the portal itself sees it.

Commits and files are read past everything that the worktree's owner could
have arranged (see ``pristine``): a file that its attributes call binary shows
its lines, an index that was told to ignore an edit hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.core import limits
from portal.core.redaction import redact
from portal.core.storable import storable
from tickets import git, leaks
from tickets.leaks import Leaks
from tickets.pristine import Pristine, pristine

COMMITS: Final = 50
FILES: Final = 500
NAMED: Final = 50
SUBJECT_CHARS: Final = 200
PATTERN_CHARS: Final = 1000
# A secret that the cut would halve is still known as one.
_BEYOND_CHARS: Final = 8192


@dataclass(frozen=True, slots=True)
class Change:
    """A branch beside its target. Lists are bounded, counts are whole; names are printable."""

    # of its own since ``base``, newest first: (commit, subject)
    commits: list[tuple[str, str]]
    commit_count: int
    # where it left the target; empty where they have no history in common
    fork: str
    files_changed: int
    insertions: int
    deletions: int
    # (path, lines added, lines taken away); a binary file has 0 of both
    files: list[tuple[str, int, int]]
    diff: str
    # characters of the diff that are not kept
    diff_cut: int
    outside: list[str]
    outside_count: int
    uncommitted: list[str]
    uncommitted_count: int
    # what looks like a secret in the added lines
    leaks: Leaks
    history_kept: bool
    moved: bool


def of(folder: Path, *, base: str, head: str, target: str, allowed_paths: Sequence[str]) -> Change:
    """What ``head`` changes in the worktree ``folder``: since ``base`` in commits, against ``target`` in files.

    The three are commits, or names of them there. No pattern allows every
    path. Raises ``GitFailed`` where one of them is not there.
    """
    base, head, target = (_commit(folder, name) for name in (base, head, target))
    with pristine(folder) as objects:
        fork = objects.fork(target, head)
        before = fork or _nothing(objects)
        own = (head, f"^{base}", f"^{target}", "--")
        files = _files(objects, before, head)
        diff, diff_cut = _diff(objects, before, head)
        outside = _outside(objects, before, head, allowed_paths)
        uncommitted = _uncommitted(objects, folder, head)
        return Change(
            commits=_commits(objects, own),
            commit_count=int(objects.git("rev-list", "--count", *own)),
            fork=fork,
            files_changed=len(files),
            insertions=sum(plus for _, plus, _ in files),
            deletions=sum(minus for _, _, minus in files),
            files=files[:FILES],
            diff=diff,
            diff_cut=diff_cut,
            outside=outside[:NAMED],
            outside_count=len(outside),
            uncommitted=uncommitted[:NAMED],
            uncommitted_count=len(uncommitted),
            leaks=leaks.between(objects, before, head),
            history_kept=objects.is_ancestor(base, head),
            moved=head != base,
        )


def pattern_problem(pattern: str) -> str:
    """A sentence for a person where ``pattern`` can be no pattern of allowed paths; else empty."""
    if not pattern.strip():
        return "A pattern is empty."
    if len(pattern) > PATTERN_CHARS:
        return f"A pattern has at most {PATTERN_CHARS} characters (this one has {len(pattern):,})."
    shown = git.printable(pattern)
    if shown != pattern:
        return f"{shown} contains a character that no pattern may have."
    if pattern.startswith(("/", "~")):
        return f"{pattern} is absolute; a pattern is relative to the top of the repository."
    if ".." in pattern.split("/"):
        return f"{pattern} leads out of the repository (..)."
    if pattern.startswith(":"):
        return f"{pattern} begins with a colon, which means something else to git."
    return ""


def _commit(folder: Path, name: str) -> str:
    return git.git(folder, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")


def _nothing(objects: Pristine) -> str:
    """The tree without a file."""
    return objects.git("hash-object", "-t", "tree", "--stdin")


def _commits(objects: Pristine, own: tuple[str, ...]) -> list[tuple[str, str]]:
    listed = objects.listed("log", "-z", "--topo-order", f"--max-count={COMMITS}", "--format=%H %s", *own)
    found = []
    for line in listed:
        commit, _, subject = line.decode("utf-8", "replace").partition(" ")
        found.append((commit, git.printable(redact(subject))[:SUBJECT_CHARS]))
    return found


def _files(objects: Pristine, before: str, head: str) -> list[tuple[str, int, int]]:
    """Each file once; one that was renamed is called by its new name."""
    rest = iter(
        git.checked("diff-tree", objects.run("diff-tree", "-r", "-M", "-z", "--numstat", before, head)).out.split(b"\0")
    )
    found = []
    for entry in rest:
        if not entry:
            continue
        plus, minus, name = entry.split(b"\t", 2)
        if not name:
            # A rename: the old name and the new one follow by themselves.
            next(rest)
            name = next(rest)
        found.append((git.printable(name), _lines(plus), _lines(minus)))
    return found


def _lines(number: bytes) -> int:
    return int(number) if number.isdigit() else 0


def _diff(objects: Pristine, before: str, head: str) -> tuple[str, int]:
    """The diff as it may be stored and shown, and how many characters it has past that."""
    most = limits.value("DIFF_MAX_CHARS")
    output = objects.run("diff-tree", "-r", "-M", "-p", before, head, keep=4 * (most + _BEYOND_CHARS))
    if output.code != 0:
        git.checked("diff-tree", output)
    text = output.text
    whole = len(text) + output.cut
    return storable(redact(text[: most + _BEYOND_CHARS]))[:most], max(0, whole - most)


def _outside(objects: Pristine, before: str, head: str, allowed: Sequence[str]) -> list[str]:
    """The changed paths that no pattern covers, both names of a renamed file among them."""
    if not allowed:
        return []
    listing = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", before, head, "--")
    # "src/" alone would do for git; with a wildcard before its slash, a pattern covers a folder only so.
    patterns = (f":(glob){pattern}**" if pattern.endswith("/") else f":(glob){pattern}" for pattern in allowed)
    covered = set(objects.listed(*listing, *patterns))
    return [git.printable(name) for name in objects.listed(*listing) if name not in covered]


def _uncommitted(objects: Pristine, folder: Path, head: str) -> list[str]:
    """What the folder holds beside ``head``; ignored files do not count."""
    status = objects.at(head, folder).listed(
        "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"
    )
    return [git.printable(entry[3:]) for entry in status]

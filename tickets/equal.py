"""Whether a branch's changes are in its target already: as itself, or as an equal patch.

A patch is equal where it changes the same lines of the same files in the same
surroundings, byte for byte; on which lines they stand does not matter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Final

from tickets import git
from tickets.pristine import Pristine

# Of the target since the branch left it, the newest.
SEARCHED: Final = 1000
SEARCH_SECONDS: Final = 60
# Past that many names, all commits are read.
PATHS: Final = 200
# One way of writing a patch for both sides. A binary file counts by its whole content.
_PATCH: Final = ("-p", "--full-index", "--no-renames", "--no-color", "--unified=3", "--diff-algorithm=myers")


def found(objects: Pristine, *, commit: str, target: str, fork: str) -> str:
    """The commit of the target that holds what ``commit`` changes; empty where none does.

    For work that was merged that is the merge; for work that was squashed or
    picked, the commit with the equal patch, the newest of several. Where
    nothing was changed, the target.
    """
    if objects.is_ancestor(commit, target):
        return _brought(objects, commit, target)
    paths = objects.listed("diff-tree", "-r", "-z", "--no-renames", "--name-only", fork, commit)
    if not paths:
        return target
    try:
        return _equal(objects, commit, target, fork, [os.fsdecode(path) for path in paths])
    except git.GitFailed:
        # Too much to search. Merging changes that are there already changes nothing.
        return ""


def _brought(objects: Pristine, commit: str, target: str) -> str:
    """The oldest commit of the target's own line that holds ``commit``: itself, or the merge that brought it."""
    line = objects.git("rev-list", "--first-parent", target, f"^{commit}").split()
    if not line:
        return target
    # Newest first: those that hold it, then those that do not. Halved until they meet.
    holds, lacks = 0, len(line)
    while lacks - holds > 1:
        middle = (holds + lacks) // 2
        if objects.is_ancestor(commit, line[middle]):
            holds = middle
        else:
            lacks = middle
    return commit if objects.git("rev-parse", f"{line[holds]}^1") == commit else line[holds]


def _equal(objects: Pristine, commit: str, target: str, fork: str, paths: Sequence[str]) -> str:
    near = [f":(literal){path}" for path in paths] if len(paths) <= PATHS else []
    there = _patches(objects, "--full-diff", target, f"^{fork}", "--", *near)
    with objects.piping("diff-tree", "-r", *_PATCH, fork, commit) as diff:
        whole = _ids(objects, diff)
    for patch in whole:
        if patch in there:
            return there[patch]
    # A merge in the branch may hold work of its own, which is in no patch of a single commit.
    if objects.git("rev-list", "--merges", "--max-count=1", commit, f"^{target}"):
        return ""
    own = _patches(objects, commit, f"^{target}", "--")
    if not own or len(own) == SEARCHED or not own.keys() <= there.keys():
        return ""
    return next(there[patch] for patch in there if patch in own)


def _patches(objects: Pristine, *which: str) -> dict[str, str]:
    """The commit of each patch, newest first; of two equal ones the newer."""
    options = ("--topo-order", "--no-merges", f"--max-count={SEARCHED}", "--format=commit %H", *_PATCH)
    with objects.piping("log", *options, *which) as log:
        return _ids(objects, log)


def _ids(objects: Pristine, patches: IO[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    # Verbatim: another indentation is another change.
    for line in objects.git("patch-id", "--verbatim", seconds=SEARCH_SECONDS, stdin=patches).splitlines():
        patch, _, commit = line.partition(" ")
        found.setdefault(patch, commit)
    return found

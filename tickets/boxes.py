"""The repository that a turn in a box works in: its own, over the objects of the portal's clone.

In the clone, whoever can write a commit can write everything: other branches,
settings, and objects that others will read. So a box shows none of it but its
objects, read-only. Beside them lies a repository of this turn alone, which the
worktree's ``.git`` leads to inside the box. What its HEAD is at in the end is
fetched into the clone as the ticket's branch: git names each object by its
content anew, and nothing else of the repository is read.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from django.conf import settings

from tickets import clones, git
from tickets.models import Purpose, Ticket, Turn, Workspace
from tickets.pristine import lay_out
from workers.agents.containment import Mounts
from workers.claims import Cancelled
from workers.failures import JobFailed
from workers.models import AgentVersion, Containment

# Beside the homes of the ticket's agents, none of which can have this name; it goes with them.
_NAME: Final = ".box"
_REF: Final = re.compile(r"refs/[A-Za-z0-9._-][A-Za-z0-9._/-]*", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_BYTES: Final = 64 * 1024 * 1024
_DEEPEST: Final = 3
_SETTINGS: Final = "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"


def ready(ticket: Ticket, workspace: Workspace, version: AgentVersion) -> Mounts | None:
    """What the box of a turn shows of its repository; None for a profile without a box.

    Commits that a lost turn left in an earlier one are taken in first. Raises ``JobFailed``.
    """
    bring_out(ticket, workspace)
    return _make(ticket, workspace) if version.containment == Containment.BUBBLEWRAP else None


@contextmanager
def emptied(turn: Turn, workspace: Workspace) -> Iterator[None]:
    """The run of a turn: what it committed is the ticket's after it, also where a person stopped it.

    A reviewer's commits are nobody's. After a lost claim all is left to whoever has it by then.
    """
    take = bring_out if turn.purpose == Purpose.WORK else _discard
    try:
        yield
    except Cancelled:
        with suppress(JobFailed):
            take(turn.ticket, workspace)
        raise
    take(turn.ticket, workspace)


def bring_out(ticket: Ticket, workspace: Workspace) -> None:
    """Make the ticket's branch what HEAD of the turn's repository is at, and remove that. Does nothing without one.

    No process of the turn is left. Files that are not committed stay as they are, nothing of them staged. Raises
    ``JobFailed`` where there is nothing that git can take.
    """
    folder = _folder(ticket)
    if not folder.is_dir():
        return
    try:
        _take(ticket, workspace, folder / "git")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _discard(ticket: Ticket, workspace: Workspace) -> None:
    shutil.rmtree(_folder(ticket), ignore_errors=True)


def _folder(ticket: Ticket) -> Path:
    folder: Path = settings.DATA_DIR / "homes" / ticket.key / _NAME
    return folder


def _make(ticket: Ticket, workspace: Workspace) -> Mounts:
    worktree, clone, folder = Path(workspace.path), clones.path_of(ticket.project), _folder(ticket)
    own, pointer = folder / "git", folder / "gitfile"
    base = git.head(worktree)
    _discard(ticket, workspace)
    own.mkdir(mode=0o700, parents=True)
    lay_out(own, git.git(worktree, "rev-parse", "--show-object-format"), bare=False)
    with (own / "config").open("a", encoding="ascii") as file:
        file.write(_SETTINGS)
    refs = git.git(clone, "for-each-ref", "--format=%(objectname) %(refname)", "refs/remotes/origin", "refs/tags")
    branch = f"refs/heads/{workspace.branch}"
    (own / "packed-refs").write_text(f"{refs}\n{base} {branch}\n".lstrip(), encoding="utf-8")
    (own / "HEAD").write_text(f"ref: {branch}\n", encoding="utf-8")
    (own / "objects" / "info").mkdir()
    (own / "objects" / "info" / "alternates").write_text(f"{clone / 'objects'}\n", encoding="utf-8")
    there = {"GIT_DIR": str(own), "GIT_WORK_TREE": str(worktree)}
    git.checked("read-tree", git.run(worktree, "read-tree", base, environment=there))
    pointer.write_text(f"gitdir: {own}\n", encoding="utf-8")
    objects = own / "objects"
    return Mounts(
        # The objects once more: a place that is mounted cannot be exchanged for one that has other alternates.
        writable=(own, objects),
        readable=(clone / "objects",),
        shown=((objects / "info", objects / "info"), (pointer, worktree / ".git")),
    )


def _take(ticket: Ticket, workspace: Workspace, own: Path) -> None:
    worktree, branch = Path(workspace.path), f"refs/heads/{workspace.branch}"
    tip = _resolved(own, "HEAD")
    if not tip:
        raise JobFailed("The agent left a repository without a commit at its HEAD. Its files are kept, not committed.")
    if tip == git.head(worktree):
        return
    _refuse_links(own / "objects")
    with clones.locked(ticket.project), tempfile.TemporaryDirectory(prefix="shiproom-git-") as name:
        source = Path(name)
        lay_out(source, git.git(worktree, "rev-parse", "--show-object-format"))
        (source / "packed-refs").write_text(f"{tip} refs/heads/tip\n", encoding="ascii")
        (source / "objects" / "info").mkdir()
        (source / "objects" / "info" / "alternates").write_text(f"{own / 'objects'}\n", encoding="utf-8")
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--update-head-ok")
        upload = "--upload-pack=git -c 'safe.directory=*' upload-pack"
        clone = clones.path_of(ticket.project)
        try:
            git.git(clone, "fetch", *options, upload, "--", str(source), f"+refs/heads/tip:{branch}")
        except git.GitFailed as failed:
            raise JobFailed(f"What the agent committed cannot be taken in, its files are kept: {failed}") from failed
    git.git(worktree, "symbolic-ref", "HEAD", branch)
    git.git(worktree, "reset", "--quiet")


def _resolved(own: Path, name: str, depth: int = 0) -> str:
    """The commit of that name in a repository that was somebody else's; empty where it has none."""
    text = _read(own, name) or _packed(own, name)
    if text.startswith("ref: ") and depth < _DEEPEST:
        target = text[5:].strip()
        return _resolved(own, target, depth + 1) if _REF.fullmatch(target) and ".." not in target else ""
    found = text.strip()
    return found if _COMMIT.fullmatch(found) else ""


def _packed(own: Path, name: str) -> str:
    lines = (line.split(" ") for line in _read(own, "packed-refs").splitlines())
    return next((parts[0] for parts in lines if parts[1:] == [name]), "")


def _read(own: Path, name: str) -> str:
    """A plain file below ``own``, by no link on the way; empty where there is none."""
    path = own
    for part in name.split("/"):
        path /= part
        if path.is_symlink():
            return ""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")


def _refuse_links(objects: Path) -> None:
    """A link among the objects would make git read another repository's as the agent's own."""
    for folder, names, files in os.walk(objects):
        if any(os.path.islink(os.path.join(folder, name)) for name in (*names, *files)):
            raise JobFailed("The agent left a link among its commits, so none is taken in. Its files are kept.")

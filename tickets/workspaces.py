"""A ticket's worktree: made once, kept across its turns, on the host that made it."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from tickets import clones, git
from tickets.clones import Fetched
from tickets.models import Merge, MergeState, Ticket, Workspace
from tickets.pristine import pristine
from workers import presence
from workers.claims import Claim
from workers.failures import JobFailed

# What git has in a worktree's folder while something of it is unfinished, and the command that ends it.
_UNFINISHED: Final = (
    ("rebase-apply/applying", "am"),
    ("rebase-apply", "rebase"),
    ("rebase-merge", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
)


def prepare(claim: Claim, ticket: Ticket) -> Workspace:
    """The ticket's workspace with the target's branch as it is now, made where there is none.

    The claim holds the ticket's one slot, so nobody else makes it meanwhile,
    and no process works in it: what a killed agent left unfinished there is
    ended. Files that are not committed stay. Raises ``BadInput``,
    ``GitFailed``, or ``JobFailed`` on another machine than the workspace's.
    """
    found = Workspace.objects.filter(ticket=ticket).first()
    if found and found.host != presence.host():
        raise JobFailed(f"The workspace of {ticket.key} is on {found.host}; this worker is on {presence.host()}.")
    fetched = clones.fetched(ticket.project)
    path, branch = path_of(ticket), f"shiproom/{ticket.key.lower()}"
    kept = _own_folder(path, fetched.path)
    if found is None and kept and _has_own(fetched, branch):
        # No turn of this ticket was here: another ticket of this name, before the database was another one.
        _set_aside(path, keep=True)
        kept = None
    own = kept or _make(ticket, fetched, path, branch, new=found is None)
    _end_unfinished(path, own, fetched.path / "refs" / "heads" / f"{branch}.lock")
    if not (own / "index").exists():
        # Written last, when all files are there.
        git.git(path, "reset", "--hard", "--quiet", seconds=_seconds())
    if found and kept and _is_merged(ticket, path):
        # The ticket was reopened: its branch begins anew, on top of what became of its work.
        restore(path, fetched.commit)
        kept = None
    base = found.base_commit if found and kept else _begin_of(path, fetched)
    if found and (found.path, found.branch, found.base_commit) == (str(path), branch, base):
        return found
    with claim.fenced():
        made, _ = Workspace.objects.update_or_create(
            ticket=ticket,
            defaults={"host": presence.host(), "path": str(path), "branch": branch, "base_commit": base},
        )
    return made


def restore(folder: Path, commit: str) -> None:
    """The worktree as ``commit`` has it, nothing beside it: what somebody did to it who was only to read is gone."""
    git.git(folder, "reset", "--hard", "--quiet", commit, seconds=_seconds())
    git.git(folder, "clean", "--quiet", "-ffd", seconds=_seconds())


def path_of(ticket: Ticket) -> Path:
    path: Path = settings.DATA_DIR / "workspaces" / ticket.key
    return path


def _is_merged(ticket: Ticket, path: Path) -> bool:
    """Whether all that the branch holds was accepted and merged, and nothing lies beside it."""
    merged = Merge.objects.filter(ticket=ticket, state=MergeState.MERGED).order_by("-pk").first()
    return merged is not None and merged.commit == git.head(path) and not git.git(path, "status", "--porcelain")


def _own_folder(path: Path, clone: Path) -> Path | None:
    """Git's own folder of the worktree, if ``path`` is one of the clone; an agent may have made it something else."""
    if not (path / ".git").is_file():
        return None
    output = git.run(
        path, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--show-toplevel", "HEAD"
    )
    said = output.text.splitlines()
    if output.code != 0 or len(said) != 4:
        return None
    own, common, top = (Path(line) for line in said[:3])
    if common.resolve() != clone.resolve() or top.resolve() != path.resolve() or own == common:
        return None
    return own


def _make(ticket: Ticket, fetched: Fetched, path: Path, branch: str, *, new: bool) -> Path:
    """A worktree on the ticket's branch, still without files. Commits that an earlier one had are kept."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with clones.locked(ticket.project):
        _set_aside(path, keep=not new)
        _forget(fetched.path, path)
        goes_on = not new and _has_own(fetched, branch)
        begin, anew = (branch, ()) if goes_on else (fetched.commit, ("-B", branch))
        # By force: another worktree that an agent made may have the branch.
        options = ("--quiet", "--force", "--no-checkout", *anew)
        git.git(fetched.path, "worktree", "add", *options, "--", str(path), begin, seconds=_seconds())
    reach(Failpoint.IN_WORKSPACE)
    own = _own_folder(path, fetched.path)
    if own is None:
        raise git.GitFailed(f"The worktree of {ticket.key} was made, and is not what it should be.")
    return own


def _set_aside(path: Path, *, keep: bool) -> None:
    """Make room. What an agent had is kept under another name; half of a worktree, in which none ever was, goes."""
    if not path.exists() and not path.is_symlink():
        return
    if keep:
        path.rename(path.with_name(f"{path.name}.set-aside-{secrets.token_hex(4)}"))
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _forget(clone: Path, path: Path) -> None:
    """What the clone still knows of a worktree that lay here."""
    for pointer in (clone / "worktrees").glob("*/gitdir"):
        if pointer.read_text(encoding="utf-8", errors="replace").strip() == str(path / ".git"):
            shutil.rmtree(pointer.parent)


def _has_own(fetched: Fetched, branch: str) -> bool:
    """Whether the branch is there with commits of this history that the target has not."""
    tip = git.run(fetched.path, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}").text.strip()
    if not tip:
        return False
    with pristine(fetched.path) as objects:
        return bool(objects.fork(tip, fetched.commit)) and not objects.is_ancestor(tip, fetched.commit)


def _begin_of(path: Path, fetched: Fetched) -> str:
    """The target's commit at which the branch began; a killed worker may have begun it."""
    with pristine(path) as objects:
        return objects.fork(git.head(path), fetched.commit) or fetched.commit


def _end_unfinished(path: Path, own: Path, branch_lock: Path) -> None:
    """Take away the locks of a killed git, and end its merge or rebase, so that the next turn can begin."""
    for lock in (*own.glob("*.lock"), branch_lock):
        lock.unlink(missing_ok=True)
    for name, command in _UNFINISHED:
        if not (own / name).exists():
            continue
        try:
            git.git(path, command, "--abort", seconds=_seconds())
        except git.GitFailed:
            # It would overwrite edits of files, or is damaged: the files stay as they are, for the next turn to see.
            git.run(path, command, "--quit")
            git.git(path, "reset", "--quiet", seconds=_seconds())


def _seconds() -> int:
    """A large tree takes its time on the disk, as it does on the way here."""
    return limits.value("CLONE_SECONDS")

"""Accepted work on its way into the target branch: merged or rebased, checked, pushed.

It may be killed at any point and run again. What was pushed is found in the
target and not pushed twice; what was not pushed never was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.core import limits
from portal.core.failpoints import Failpoint, reach
from portal.core.redaction import redact
from portal.core.storable import storable
from tickets import clones, equal, git, ground, remotes
from tickets.clones import Fetched
from tickets.models import MergeStrategy, Project
from tickets.pristine import Pristine, pristine
from workers.failures import BadInput, JobFailed

CONFLICTS: Final = 50
_REASONS: Final = 5

Check = Callable[[Path, str], object]
Push = Callable[[Fetched, Pristine, str], None]


@dataclass(frozen=True, slots=True)
class Landed:
    """``merged_commit`` of the target holds the work; ``target_commit`` is where the target stood before."""

    merged_commit: str
    target_commit: str
    # it was there already, as itself or as an equal patch
    recognised: bool


class Conflicts(Exception):
    """The work does not go together with the target's commit ``target``; ``paths`` are printable and bounded."""

    def __init__(self, paths: list[str], target: str) -> None:
        super().__init__(f"Conflicts with {target[:12]} in {len(paths)} files.")
        self.paths, self.target = paths, target


class Moved(JobFailed):
    """The target moved while the work was checked: it is tried again on top of that."""


class PushRefused(JobFailed):
    """The repository takes no push now; the message carries its reasons."""


def land(project: Project, *, commit: str, strategy: str, message: str, check: Check) -> Landed:
    """Bring ``commit`` into the project's target branch, unless its changes are there already.

    ``check`` is called with a worktree of the result and the result's commit;
    what it raises ends the landing, and nothing is pushed. Raises
    ``Conflicts``, ``Moved``, ``PushRefused``, ``BadInput`` or ``GitFailed``.
    """

    def push(fetched: Fetched, objects: Pristine, result: str) -> None:
        if not objects.is_ancestor(fetched.commit, result):
            raise JobFailed(f"The result {result[:12]} does not go on from the target, and was not pushed.")
        _push(project, objects, fetched.branch, before=fetched.commit, after=result)

    landed = _pushed(project, commit, strategy, message, check, push)
    if not landed.recognised:
        # Whoever looks for the merged commit in the clone finds it. It is pushed, whatever becomes of this.
        with suppress(JobFailed):
            clones.fetched(project)
    return landed


def offer(
    project: Project, *, commit: str, branch: str, earlier: Sequence[str], strategy: str, message: str, check: Check
) -> Landed | None:
    """Push ``commit`` as ``branch`` for somebody to merge there; ``Landed`` where the target holds its changes already.

    It is checked as ``land`` does, joined with the target as it is now. What ``branch`` was before is overwritten
    only where it was one of ``earlier``, or leads to the commit. Raises as ``land``.
    """

    def push(fetched: Fetched, objects: Pristine, result: str) -> None:
        there = _there(fetched, branch)
        if there and there not in earlier and not objects.is_ancestor(there, commit):
            raise BadInput(
                f"The repository of {project.key} has a branch {branch} with other work than the ticket's. Move it"
                " away there, then accept again."
            )
        _push(project, objects, branch, before=there, after=commit)

    landed = _pushed(project, commit, strategy, message, check, push)
    return landed if landed.recognised else None


def _pushed(project: Project, commit: str, strategy: str, message: str, check: Check, push: Push) -> Landed:
    """Join ``commit`` with the target as it is now, check the result, then ``push``; or recognise what is there."""
    ground.clear()
    fetched = clones.fetched(project)
    if landed := _recognised(project, fetched, commit):
        return landed
    with ground.ground(fetched.path) as worktree:
        result = _joined(worktree, fetched.commit, commit, strategy, storable(message))
        if result == fetched.commit:
            return Landed(result, fetched.commit, recognised=True)
        check(worktree, result)
        # Past all that a check may have set in the worktree's repository.
        with pristine(worktree) as objects:
            push(fetched, objects, result)
        reach(Failpoint.AFTER_PUSH)
    return Landed(result, fetched.commit, recognised=False)


def landed_by_others(project: Project, *, commit: str) -> Landed | None:
    """Whether the target has got the changes of ``commit`` meanwhile. Raises ``BadInput`` or ``GitFailed``."""
    return _recognised(project, clones.fetched(project), commit)


def _recognised(project: Project, fetched: Fetched, commit: str) -> Landed | None:
    with pristine(fetched.path) as objects:
        fork = _fork(project, objects, fetched, commit)
        held = equal.found(objects, commit=commit, target=fetched.commit, fork=fork)
    return Landed(held, fetched.commit, recognised=True) if held else None


def _there(fetched: Fetched, branch: str) -> str:
    """Where the branch stood in the repository when it was fetched; empty where there is none."""
    return git.run(fetched.path, "show-ref", "--verify", "--hash", "--", f"refs/remotes/origin/{branch}").text.strip()


def _fork(project: Project, objects: Pristine, fetched: Fetched, commit: str) -> str:
    if objects.run("cat-file", "-e", f"{commit}^{{commit}}").code != 0:
        raise BadInput(f"The commit {commit[:12]} is not in the clone of {project.key} on this machine.")
    fork = objects.fork(fetched.commit, commit)
    if not fork:
        raise BadInput(f"The commit {commit[:12]} has no history in common with the branch {fetched.branch}.")
    return fork


# Joining ----------------------------------------------------------------------


def _joined(worktree: Path, target: str, commit: str, strategy: str, message: str) -> str:
    """The commit that holds both, checked out; the target itself where that adds nothing. Raises ``Conflicts``."""
    seconds = limits.value("CLONE_SECONDS")
    git.git(worktree, "checkout", "--quiet", "--detach", target, seconds=seconds)
    if strategy == MergeStrategy.REBASE:
        result = _rebased(worktree, target, commit, message)
    else:
        result = _merged(worktree, target, commit, message)
    if _tree(worktree, result) == _tree(worktree, target):
        return target
    git.git(worktree, "checkout", "--quiet", "--detach", "--force", result, seconds=seconds)
    return result


def _merged(worktree: Path, target: str, commit: str, message: str) -> str:
    options = ("--quiet", "--no-ff", "--no-edit", "--no-verify", "--no-stat", "--cleanup=whitespace")
    output = git.run(worktree, "merge", *options, "-m", message, commit, seconds=limits.value("CLONE_SECONDS"))
    if output.code != 0:
        raise _conflicts(worktree, target) or git.GitFailed(f"git merge failed: {git.reason(output.err)}")
    return git.head(worktree)


def _rebased(worktree: Path, target: str, commit: str, message: str) -> str:
    """The branch's own commits on top of the target, by their authors.

    A branch with merges in it has resolved conflicts there, which rebasing
    loses: where it then would hold something else than a merge, it becomes one
    commit of what the merge would hold.
    """
    merges = git.git(worktree, "rev-list", "--merges", "--max-count=1", commit, f"^{target}")
    conflicts: Conflicts | None = None
    result = target
    try:
        result = _replayed(worktree, target, commit)
    except Conflicts as found:
        conflicts = found
    if not merges:
        if conflicts:
            raise conflicts
        return result
    git.git(worktree, "checkout", "--quiet", "--detach", "--force", target, seconds=limits.value("CLONE_SECONDS"))
    tree = _tree(worktree, _merged(worktree, target, commit, message))
    if conflicts is None and _tree(worktree, result) == tree:
        return result
    author = git.git(worktree, "log", "-1", "--no-walk", "--format=%an%n%ae%n%aI", commit).split("\n")
    environment = dict(zip(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"), author, strict=False))
    options = ("-p", target, "-m", message)
    return git.checked(
        "commit-tree", git.run(worktree, "commit-tree", *options, tree, environment=environment)
    ).text.strip()


def _replayed(worktree: Path, target: str, commit: str) -> str:
    git.git(worktree, "checkout", "--quiet", "--detach", commit, seconds=limits.value("CLONE_SECONDS"))
    options = ["--quiet", "--no-verify", "--no-stat", "--no-autostash", "--no-autosquash", "--no-rebase-merges"]
    # Git would leave out what is there with other white space: that is another change.
    options += ["--reapply-cherry-picks", "--empty=drop", "--no-keep-empty"]
    output = git.run(worktree, "rebase", *options, target, seconds=limits.value("CLONE_SECONDS"))
    if output.code == 0:
        return git.head(worktree)
    found = _conflicts(worktree, target)
    git.run(worktree, "rebase", "--abort")
    raise found or git.GitFailed(f"git rebase failed: {git.reason(output.err)}")


def _conflicts(worktree: Path, target: str) -> Conflicts | None:
    listed = git.checked("diff", git.run(worktree, "diff", "-z", "--name-only", "--diff-filter=U")).out
    paths = sorted(set(git.names(listed)))
    return Conflicts([git.printable(path) for path in paths[:CONFLICTS]], target) if paths else None


def _tree(worktree: Path, commit: str) -> str:
    return git.git(worktree, "rev-parse", "--verify", f"{commit}^{{tree}}")


# Pushing ----------------------------------------------------------------------


def _push(project: Project, objects: Pristine, branch: str, *, before: str, after: str) -> None:
    """The branch goes from ``before`` to ``after``, or not at all: never from anywhere else."""
    reach(Failpoint.BEFORE_PUSH)
    found = remotes.source(project)
    ref = f"refs/heads/{branch}"
    # Not by force: the lease also refuses a branch that was taken back or deleted, which no longer is that one.
    options = ("--porcelain", "--no-verify", f"--force-with-lease={ref}:{before}", *found.receive)
    arguments = ("push", *options, "--", found.url, f"{after}:{ref}")
    seconds = limits.value("CLONE_SECONDS")
    output = remotes.talking(project, found, lambda access: objects.run(*arguments, seconds=seconds, access=access))
    if output.code == 0:
        return
    told = [line.split("\t")[-1] for line in output.text.splitlines() if line.startswith("!")]
    if any(_is_moved(line) for line in told):
        raise Moved(f"The branch {branch} of {project.key} moved while the work was checked.")
    if told:
        raise PushRefused(f"The repository of {project.key} refused the push: {_reasons(told, output.err)}")
    raise git.GitFailed(f"The push to the repository of {project.key} failed: {git.reason(output.err)}")


def _is_moved(line: str) -> bool:
    """Refused here because it moved since it was fetched, or there because it moved in that very moment."""
    return line.startswith("[rejected]") or "failed to update ref" in line or "cannot lock ref" in line


def _reasons(told: list[str], err: str) -> str:
    said = [line.removeprefix("remote:").strip() for line in err.splitlines() if line.startswith("remote:")]
    return "; ".join(git.printable(redact(line))[:300] for line in [*told, *filter(None, said[-_REASONS:])])

"""DONE is a claim: what the portal itself sees of the work, stored beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from portal.core import secrets
from tickets import changes, checks, clones
from tickets.changes import Change
from tickets.models import CheckRun, Measurement, Project, Turn, Workspace
from tickets.transitions import TURN
from workers.claims import Claim

REASON_CHARS = 300


def measure(claim: Claim, turn: Turn, workspace: Workspace, project: Project) -> bool:
    """Look at the worktree, run the checks, store both under the fence; whether the claim of ``turn`` holds.

    Raises what git and ``children.run`` raise: then nothing was measured, and
    the turn has failed.
    """
    target = clones.fetched(project).commit
    folder = Path(workspace.path)
    # Looked at before the checks run: what they leave behind is not the agent's.
    with secrets.all_known():
        change = changes.of(
            folder, base=turn.base_commit, head=turn.head_commit, target=target, allowed_paths=project.allowed_paths
        )
    runs = checks.run(claim, project, turn.ticket, folder, wrote=turn.agent_version) if change.moved else []
    reasons = _reasons(turn, change, runs)
    with claim.fenced():
        Measurement.objects.bulk_create([_measurement(turn, change, target, reasons)])
        TURN.announce(turn)
    return not reasons


def _reasons(turn: Turn, change: Change, runs: Sequence[CheckRun]) -> list[str]:
    """A sentence for each thing that does not hold; none where all do."""
    found: list[str] = []
    if not change.moved:
        found.append(f"No new commit: the branch still is at {turn.base_commit[:8]}.")
    elif not change.history_kept:
        found.append(f"The branch was rewritten: {turn.base_commit[:8]}, where the turn began, is not in it any more.")
    elif not change.files_changed:
        found.append("The new commits change nothing against the target branch.")
    if change.outside_count:
        found.append(f"Outside the allowed paths: {_listed(change.outside, change.outside_count)}.")
    if change.leaks.count:
        found.append(f"Looks like a secret: {_listed(change.leaks.places, change.leaks.count)}.")
    if not change.leaks.whole:
        found.append("The branch adds more than is looked through for secrets.")
    if change.uncommitted_count:
        found.append(f"Not committed: {_listed(change.uncommitted, change.uncommitted_count)}.")
    return [reason[:REASON_CHARS] for reason in [*found, *(checks.told(run) for run in runs if checks.is_red(run))]]


def _listed(paths: Sequence[str], count: int, most: int = 3) -> str:
    more = f" and {count - most} more" if count > most else ""
    return f"{', '.join(paths[:most])}{more}"


def _measurement(turn: Turn, change: Change, target: str, reasons: list[str]) -> Measurement:
    return Measurement(
        turn=turn,
        proven=not reasons,
        reasons=reasons,
        commits=[{"commit": commit, "subject": subject} for commit, subject in change.commits],
        commit_count=change.commit_count,
        target_commit=target,
        fork_commit=change.fork,
        files_changed=change.files_changed,
        insertions=change.insertions,
        deletions=change.deletions,
        diff=change.diff,
        diff_cut=change.diff_cut,
        outside=list(change.outside),
        outside_count=change.outside_count,
        uncommitted=list(change.uncommitted),
        uncommitted_count=change.uncommitted_count,
    )

"""Accepting merges: the accepted commit goes into the target branch, or comes back with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.core import clock, limits
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import current
from tickets import checks, clones, conversation, followers, landing, telling
from tickets.landing import Conflicts, Landed
from tickets.models import CheckRun, Landing, Merge, MergeState, Ticket, TicketState, Turn, Workspace
from tickets.transitions import MERGE, TICKET
from tickets.turn_jobs import MERGE_KIND
from workers import queue, room
from workers.claims import Claim
from workers.failures import BadInput, Parked
from workers.kinds import Ending
from workers.models import Job

OUTPUT_TOLD_CHARS = 4000


@dataclass(frozen=True)
class SentBack:
    """The work does not go in as it is: what its agent is told."""

    detail: str


class ChecksFailed(Exception):
    """The merged result is red."""

    def __init__(self, red: list[CheckRun]) -> None:
        super().__init__(f"{len(red)} checks failed on the merged result")
        self.red = red


def has_work(ticket: Ticket, commit: str) -> bool:
    """Whether ``commit`` is anything but where the ticket's branch began."""
    begun = Workspace.objects.filter(ticket=ticket).values_list("base_commit", flat=True).first()
    return bool(commit) and commit != begun


def request(ticket: Ticket, turn: Turn, *, by: User) -> Job:
    """Queue the merge of what ``turn`` left, in the transaction that accepts it."""
    merge = Merge.objects.create(
        ticket=ticket,
        turn=turn,
        commit=turn.head_commit,
        strategy=ticket.project.merge_strategy,
        target_branch=ticket.project.target_branch,
        accepted_by=by,
        state=MergeState.QUEUED,
    )
    after = {"commit": merge.commit, "by": str(by)}
    current().record("merge.asked", MERGE.subject(merge), after=after, scope=ticket.project.scope)
    return queue.enqueue(
        MERGE_KIND,
        subject=ticket.subject,
        payload={"merge": merge.pk},
        unique_key=ticket.subject,
        # One after the other into a project: each is checked on top of the one before.
        lane=f"merge:{ticket.project_id}",
        exclusive=True,
        audience=ticket.project.scope,
        # The branch lies in the clone of the machine that has the worktree.
        host=Workspace.objects.filter(ticket=ticket).values_list("host", flat=True).first() or "",
    )


def run(claim: Claim) -> Landed | SentBack:
    """The handler of kind "merge". Run again after a kill, it finds what it has pushed and pushes nothing twice."""
    merge = _merge(claim.payload)
    if merge is None or merge.state != MergeState.QUEUED:
        raise BadInput("The merge of this job is not there any more, or has ended.")
    room.check()
    ticket = merge.ticket
    branch = clones.fetched(ticket.project).branch
    with claim.fenced():
        Merge.objects.filter(pk=merge.pk).update(attempt_id=claim.attempt_id, target_branch=branch)
        MERGE.announce(merge)
    merge.target_branch = branch

    def check(folder: Path, commit: str) -> None:
        red = [run for run in checks.run(claim, ticket.project, ticket, folder) if checks.is_red(run)]
        if red:
            raise ChecksFailed(red)

    try:
        if ticket.project.landing == Landing.BRANCH:
            return _offered(claim, merge, check)
        message = _message(merge)
        return landing.land(ticket.project, commit=merge.commit, strategy=merge.strategy, message=message, check=check)
    except Conflicts as conflict:
        return SentBack(_of_conflict(merge, conflict))
    except ChecksFailed as failed:
        return SentBack(_of_checks(merge, failed))


def _message(merge: Merge) -> str:
    return f"{merge.ticket.key}: {merge.ticket.title}\n\nAccepted by {merge.accepted_by or 'somebody'}."


def _offered(claim: Claim, merge: Merge, check: landing.Check) -> Landed:
    """The work, once somebody has merged its branch in the repository; until then it waits. Raises ``Parked``."""
    project, branch = merge.ticket.project, f"shiproom/{merge.ticket.key.lower()}"
    if merge.pushed_branch:
        landed = landing.landed_by_others(project, commit=merge.commit)
    else:
        earlier = Merge.objects.filter(ticket=merge.ticket, pushed_branch=branch).values_list("commit", flat=True)
        landed = landing.offer(
            project,
            commit=merge.commit,
            branch=branch,
            earlier=list(earlier),
            strategy=merge.strategy,
            message=_message(merge),
            check=check,
        )
    if landed:
        return landed
    with claim.fenced():
        Merge.objects.filter(pk=merge.pk).update(pushed_branch=branch)
        MERGE.announce(merge)
    age = (clock.now() - merge.asked_at).total_seconds()
    pause = max(limits.value("LANDING_LOOK_FIRST_SECONDS"), min(limits.value("LANDING_LOOK_CAP_SECONDS"), age / 10))
    raise Parked(
        f"Branch {branch} waits in the repository to be merged into {merge.target_branch}.", delay_seconds=pause
    )


def _of_conflict(merge: Merge, conflict: Conflicts) -> str:
    paths = "\n".join(f"- `{path}`" for path in conflict.paths)
    verb = "rebased onto" if merge.strategy == "rebase" else "merged into"
    return (
        f"Your work ({merge.commit[:8]}) could not be {verb} `{merge.target_branch}`, which is at"
        f" {conflict.target[:8]} now.\n\nConflicts in:\n\n{paths}\n\nIt is in this worktree as"
        f" `origin/{merge.target_branch}`: merge that into your branch, resolve the conflicts, and commit."
    )


def _of_checks(merge: Merge, failed: ChecksFailed) -> str:
    parts = [f"Merged with `{merge.target_branch}` as it is now, your work fails the project's checks:"]
    for run in failed.red:
        end = run.output[-OUTPUT_TOLD_CHARS:].strip()
        # More fences than any in the text, so that the output stays what it is: a quotation.
        parts.append(f"{checks.told(run)}\n\n``````text\n{end.replace('``````', '`````')}\n``````")
    parts.append(f"It is in this worktree as `origin/{merge.target_branch}`: merge that, mend the work, and commit.")
    return "\n\n".join(parts)


def settle(ending: Ending) -> None:
    """Move merge and ticket with the attempt that ended. One that will be tried again stays queued."""
    merge = _merge(ending.payload)
    if merge is None or merge.state != MergeState.QUEUED:
        return
    if isinstance(ending.result, Landed):
        _land(merge, ending.result)
    elif isinstance(ending.result, SentBack):
        _send_back(merge, ending.result.detail)
    elif ending.final:
        said = (ending.error.strip().splitlines() or ["It ended without a word."])[-1][:500]
        MERGE.move(merge, "fail", reason=said, detail=said, ended_at=Wall())
        telling.came_back(merge, said)
        _move(merge.ticket, "keep_in_review", reason=f"The merge could not be done: {said}")


def _land(merge: Merge, landed: Landed) -> None:
    said = "It was in the target branch already." if landed.recognised else ""
    MERGE.move(
        merge,
        "land",
        reason=said,
        target_commit=landed.target_commit,
        merged_commit=landed.merged_commit,
        recognised=landed.recognised,
        ended_at=Wall(),
    )
    ticket = merge.ticket
    if _move(ticket, "land", reason=said, merged_commit=landed.merged_commit):
        followers.merged.tell(merge)
        followers.accepted.tell(ticket)


def _send_back(merge: Merge, detail: str) -> None:
    first = detail.partition("\n")[0]
    MERGE.move(merge, "send_back", reason=first[:500], detail=detail, ended_at=Wall())
    telling.came_back(merge, first)
    if _move(merge.ticket, "send_back", reason=first[:500], accepted_commit=""):
        conversation.told(merge.ticket, detail)


def _move(ticket: Ticket, verb: str, **changes: Any) -> bool:
    """A ticket that moved on meanwhile is left as it is."""
    if ticket.state != TicketState.MERGING:
        return False
    TICKET.move(ticket, verb, **changes)
    return True


def _merge(payload: dict[str, Any]) -> Merge | None:
    rows = Merge.objects.select_related("ticket__project", "turn__agent_version__agent", "accepted_by")
    return rows.filter(pk=payload["merge"]).first()


def requeued(subject: str, payload: dict[str, Any]) -> None:
    """A merge that ended has sent its ticket back to where it is accepted: there it begins again."""
    raise Refused(f"{subject.partition(':')[2]} waits to be accepted again; that begins a new merge.")

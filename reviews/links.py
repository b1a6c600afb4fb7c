"""The first links of a finding's chain as the facts give them: turns that said they are done, and merges.

Whoever tells of one that just happened and whoever derives them all again
take their words from here, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Max

from portal.core.models import Activity
from reviews.models import Edge, Evidence, Finding, FindingState, Strength
from reviews.standing import COMMIT_SHOWN
from tickets.models import Author, CheckRun, Merge, MergeState, Purpose, Ticket, Turn, TurnState
from tickets.transitions import MERGE, TURN

DETAIL_CHARS: Final = 300
NEAR: Final = (Edge.TURN, Edge.COMMIT)


@dataclass(frozen=True, slots=True)
class Link:
    """An edge as it is to be stored. ``at`` is when it came about; None: now, or nobody noted it."""

    edge: Edge
    ref: str
    strength: Strength
    detail: str
    by: str
    place: str = ""
    at: datetime | None = None

    @property
    def words(self) -> dict[str, str]:
        """The columns that it gives to a row, but for its moment."""
        return {
            "place": self.place,
            "strength": str(self.strength),
            "detail": _cut(self.detail),
            "by": self.by,
        }


def of_turn(turn: Turn) -> Link | None:
    """A turn that says it is done is a claim, and measured where that was proven; any other says nothing of a fix."""
    if turn.state != TurnState.DONE or turn.purpose != Purpose.WORK:
        return None
    found = getattr(turn, "measurement", None)
    if found is not None and found.proven:
        strength, by = Strength.MEASURED, str(Author.PORTAL.label)
        detail = f"{_number(found.commit_count, 'new commit')}, {turn.head_commit[:COMMIT_SHOWN]} the newest."
    else:
        strength, by = Strength.CLAIMED, turn.agent_version.agent.name
        detail = " ".join(map(str, found.reasons)) if found is not None else "It was not measured."
    return Link(Edge.TURN, f"{turn.ticket.key}/{turn.seq}", strength, detail, by, at=turn.ended_at)


def of_merge(merge: Merge) -> Link:
    """The commit that holds the accepted work."""
    return _of_merge(merge, _accepted_by([merge])[merge.pk], _outcomes([merge])[merge.pk])


def _of_merge(merge: Merge, person: str, outcomes: list[str]) -> Link:
    return Link(
        Edge.COMMIT,
        merge.merged_commit,
        Strength.CONFIRMED if person else Strength.MEASURED,
        f"{_branch(merge)}. {_checks(outcomes)}",
        person or str(Author.PORTAL.label),
        at=merge.ended_at,
    )


# All of them, of many findings ----------------------------------------------------


def of_findings(findings: Iterable[Finding]) -> dict[int, list[Link]]:
    """What each finding has by the turns and merges of its ticket, in a constant number of queries.

    What ended before the ticket was reopened counts for nothing, nor does
    anything for a finding whose import was taken back.
    """
    owners = {
        finding.pk: finding.ticket_id
        for finding in findings
        if finding.ticket_id and finding.state != FindingState.WITHDRAWN
    }
    links = _of_tickets({ticket for ticket in owners.values() if ticket})
    return {finding: links.get(ticket or 0, []) for finding, ticket in owners.items()}


def _of_tickets(tickets: set[int]) -> dict[int, list[Link]]:
    turns = Turn.objects.filter(ticket__in=tickets, state=TurnState.DONE, purpose=Purpose.WORK)
    turns = turns.select_related("ticket", "agent_version__agent", "measurement").defer("measurement__diff")
    landed = Merge.objects.filter(ticket__in=tickets, state=MergeState.MERGED).select_related("ticket", "accepted_by")
    reopened = _newest_of("ticket.reopen", Ticket.objects.filter(pk__in=tickets))
    known_turns, known_merges = list(turns.order_by("pk")), list(landed.order_by("pk"))
    ended = _ended(known_turns, known_merges, reopened)
    found: dict[int, list[Link]] = {}
    for turn in known_turns:
        link = of_turn(turn)
        if link and ended.get(TURN.subject(turn), 0) >= reopened.get(turn.ticket.subject, 0):
            found.setdefault(turn.ticket_id, []).append(link)
    counted = [
        merge for merge in known_merges if ended.get(MERGE.subject(merge), 0) >= reopened.get(merge.ticket.subject, 0)
    ]
    people, outcomes = _accepted_by(counted), _outcomes(counted)
    for merge in counted:
        links = found.setdefault(merge.ticket_id, [])
        # The same commit, accepted twice: the later acceptance says it.
        links[:] = [link for link in links if link.ref != merge.merged_commit]
        links.append(_of_merge(merge, people[merge.pk], outcomes[merge.pk]))
    return found


def _newest_of(verb: str, tickets: Iterable[Ticket]) -> dict[str, int]:
    """The place in history of the newest such record of each ticket that has one.

    Places, not times: they are given under the lock of the ticket's row, and no two of them are equal.
    """
    subjects = [ticket.subject for ticket in tickets]
    rows = Activity.objects.filter(subject__in=subjects, verb=verb).values_list("subject")
    return dict(rows.annotate(newest=Max("pk")))


def _ended(turns: list[Turn], merges: list[Merge], reopened: dict[str, int]) -> dict[str, int]:
    """The place in history of the end of each turn and merge whose ticket was ever reopened."""
    subjects = [TURN.subject(turn) for turn in turns if turn.ticket.subject in reopened]
    subjects += [MERGE.subject(merge) for merge in merges if merge.ticket.subject in reopened]
    rows = Activity.objects.filter(subject__in=subjects, verb__in=["turn.finish", "merge.land"])
    return dict(rows.values_list("subject").annotate(newest=Max("pk")))


def _accepted_by(merges: list[Merge]) -> dict[int, str]:
    """Who accepted, by the name that they had then; "" where no person did."""
    subjects = [MERGE.subject(merge) for merge in merges]
    rows = Activity.objects.filter(subject__in=subjects, verb="merge.asked").values_list("subject", "after")
    said = {subject: str(after.get("by") or "") for subject, after in rows}
    return {merge.pk: said.get(MERGE.subject(merge)) or str(merge.accepted_by or "") for merge in merges}


def _outcomes(merges: list[Merge]) -> dict[int, list[str]]:
    """How the checks on each result ended."""
    attempts = [merge.attempt_id for merge in merges if merge.attempt_id]
    by_attempt: dict[int, list[str]] = {}
    for attempt, outcome in CheckRun.objects.filter(attempt__in=attempts).values_list("attempt", "outcome"):
        by_attempt.setdefault(attempt, []).append(outcome)
    return {merge.pk: by_attempt.get(merge.attempt_id or 0, []) for merge in merges}


# The words ------------------------------------------------------------------------


def is_as(row: Evidence, link: Link) -> bool:
    """Whether the stored edge says what the link says."""
    return not differing(row, link)


# A row's moment is that of its transaction, which may have waited for a lock.
_SAME_SECONDS: Final = 60


def differing(row: Evidence, link: Link) -> list[str]:
    """The names of the columns in which the stored edge is another than the link."""
    names = [name for name, value in link.words.items() if str(getattr(row, name)) != value]
    if link.at is not None and abs((row.at - link.at).total_seconds()) > _SAME_SECONDS:
        names.append("at")
    return names


def _cut(text: str) -> str:
    return text if len(text) <= DETAIL_CHARS else f"{text[: DETAIL_CHARS - 1]}…"


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _branch(merge: Merge) -> str:
    branch = merge.target_branch or "the target branch"
    if merge.recognised:
        return f"It was in {branch} already"
    return f"{'Rebased onto' if merge.strategy == 'rebase' else 'Merged into'} {branch}"


def _checks(outcomes: list[str]) -> str:
    if not outcomes:
        return "No checks were run on the result."
    passed = outcomes.count(CheckRun.Outcome.PASSED)
    return f"{passed} of {_number(len(outcomes), 'check')} passed on the result."

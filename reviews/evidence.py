"""Evidence of findings: how near to production each fix is, how well that is known, and who says so.

An edge is written in the transaction of what it tells of, and again without
change where that is told again. A finding's standing is read from its newest
edge and its state, never stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import OuterRef, Q, QuerySet, Subquery

from portal.core.unit import Pointer, unit_of_work
from reviews.models import Edge, Evidence, Finding, FindingState, Strength
from reviews.transitions import FINDING
from tickets.models import Author, CheckRun, Merge, MergeState, Purpose, Ticket, Turn, TurnState

OPEN: Final = "open"
CLAIMED: Final = "fix claimed"
PRESENT: Final = "fix present"
DETAIL_CHARS: Final = 300
COMMIT_SHOWN: Final = 9


# What happened ----------------------------------------------------------------


def turn_ended(turn: Turn) -> None:
    """A turn said that it is done: its ticket's findings have a fix, claimed, or measured where that was proven."""
    if turn.state != TurnState.DONE or turn.purpose != Purpose.WORK:
        return
    found = getattr(turn, "measurement", None)
    if found is not None and found.proven:
        strength, by = Strength.MEASURED, str(Author.PORTAL.label)
        detail = f"{_number(found.commit_count, 'new commit')}, {turn.head_commit[:COMMIT_SHOWN]} the newest."
    else:
        strength, by = Strength.CLAIMED, turn.agent_version.agent.name
        detail = " ".join(map(str, found.reasons)) if found is not None else "It was not measured."
    _write(turn.ticket, Edge.TURN, f"{turn.ticket.key}/{turn.seq}", strength=strength, detail=detail, by=by)


def merged(merge: Merge) -> None:
    """Accepted work is in the target branch: the commit that holds it is evidence of each finding's fix."""
    person = merge.accepted_by
    _write(
        merge.ticket,
        Edge.COMMIT,
        merge.merged_commit,
        strength=Strength.CONFIRMED if person else Strength.MEASURED,
        detail=f"{_branch(merge)}. {_checks(merge)}",
        by=str(person or Author.PORTAL.label),
    )


def ticket_reopened(ticket: Ticket) -> None:
    """What its turns did and what it brought into the target is no fix after all; history keeps that it was one."""
    merges = Merge.objects.filter(ticket=ticket, state=MergeState.MERGED).values("merged_commit")
    own = Q(edge=Edge.COMMIT, ref__in=merges) | Q(edge=Edge.TURN, ref__startswith=f"{ticket.key}/")
    rows = Evidence.objects.filter(own, finding__ticket=ticket)
    with unit_of_work() as work:
        for row in rows.select_related("finding__series").order_by("pk"):
            reason = f"{ticket.key} was reopened."
            work.record("finding.evidence_withdrawn", row.finding.subject, before=_told(row), reason=reason)
            row.delete()
            FINDING.announce(row.finding)


def _write(ticket: Ticket, edge: Edge, ref: str, **fields: Any) -> None:
    """The edge of each finding of the ticket, as it is now; one that says so already is left as it is."""
    fields["detail"] = _cut(fields["detail"])
    with unit_of_work() as work:
        rows = Finding.objects.filter(ticket=ticket).exclude(state=FindingState.WITHDRAWN)
        findings = list(rows.select_related("series").order_by("pk"))
        known = {row.finding_id: row for row in Evidence.objects.filter(finding__in=findings, edge=edge, ref=ref)}
        told: dict[str, Finding] = {}
        for finding in findings:
            before = known.get(finding.pk)
            if before is not None and all(getattr(before, name) == value for name, value in fields.items()):
                continue
            if before is None:
                Evidence.objects.create(finding=finding, edge=edge, ref=ref, **fields)
            else:
                Evidence.objects.filter(pk=before.pk).update(**fields)
            after = {"edge": edge.value, "ref": ref, **{name: str(value) for name, value in fields.items()}}
            was = _told(before) if before else {}
            work.record("finding.evidence", finding.subject, before=was, after=after)
            told.update(dict.fromkeys(FINDING.streams(finding), finding))
        # The ticket's page shows it, too.
        if told:
            told[ticket.subject] = findings[0]
        for stream, finding in told.items():
            work.announce(stream, Pointer(FINDING.kind, finding.subject, finding.version))


def _told(row: Evidence) -> dict[str, Any]:
    return {name: str(getattr(row, name)) for name in ("edge", "ref", "strength", "detail", "by")}


def _cut(text: str) -> str:
    return text if len(text) <= DETAIL_CHARS else f"{text[: DETAIL_CHARS - 1]}…"


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _branch(merge: Merge) -> str:
    branch = merge.target_branch or "the target branch"
    if merge.recognised:
        return f"It was in {branch} already"
    return f"{'Rebased onto' if merge.strategy == 'rebase' else 'Merged into'} {branch}"


def _checks(merge: Merge) -> str:
    outcomes = list(CheckRun.objects.filter(attempt=merge.attempt_id).values_list("outcome", flat=True))
    if not outcomes:
        return "No checks were run on the result."
    passed = outcomes.count(CheckRun.Outcome.PASSED)
    return f"{passed} of {_number(len(outcomes), 'check')} passed on the result."


# Where a finding stands -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """``word`` is one of the three, or "" for what nobody means to fix; ``through`` is what says so."""

    word: str
    through: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.word.capitalize()}{self.through}"


def with_newest(rows: QuerySet[Any], finding: str = "pk") -> QuerySet[Any]:
    """Rows with what the newest edge of their finding says, in the list's own statement."""
    newest = Evidence.objects.filter(finding=OuterRef(finding)).order_by("-at", "-pk")
    edge, ref = (Subquery(newest.values(name)[:1]) for name in ("edge", "ref"))
    annotated: QuerySet[Any] = rows.annotate(newest_edge=edge, newest_ref=ref)
    return annotated


def standing_of(finding: Finding) -> Standing:
    """Asks the database once, unless the row comes from ``with_newest``.

    A finding that is open although a commit fixed it was opened again since:
    that commit is no fix of it. One that is called fixed without a commit is claimed to be.
    """
    edge, ref = _newest(finding)
    if finding.state not in {FindingState.OPEN, FindingState.FIXED}:
        return Standing("")
    if edge == Edge.TURN:
        return Standing(CLAIMED, f" by turn {ref.rpartition('/')[2]}")
    if finding.state == FindingState.OPEN:
        return Standing(OPEN)
    return Standing(PRESENT, f" in {ref[:COMMIT_SHOWN]}") if edge == Edge.COMMIT else Standing(CLAIMED)


def standing(finding: Finding) -> str:
    """One of "open", "fix claimed" and "fix present"; "" for what was rejected or waived."""
    return standing_of(finding).word


def mark(findings: Iterable[Finding]) -> None:
    """Set ``standing`` of each, for a template."""
    for finding in findings:
        finding.standing = standing_of(finding)  # type: ignore[attr-defined]


def _newest(finding: Finding) -> tuple[str, str]:
    if hasattr(finding, "newest_edge"):
        return finding.newest_edge or "", finding.newest_ref or ""  # type: ignore[attr-defined]
    row = Evidence.objects.filter(finding=finding).order_by("-at", "-pk").values_list("edge", "ref").first()
    return row or ("", "")

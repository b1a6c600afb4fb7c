"""Evidence of findings: how near to production each fix is, how well that is known, and who says so.

An edge is written in the transaction of what it tells of, and again without
change where that is told again. All of them follow from what happened, and can
be derived again from it: ``reviews.links`` derives the near ones, the layer
above those that say where a fix stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from portal.core import bulk
from portal.core.unit import Pointer, current, unit_of_work
from reviews import links
from reviews.links import NEAR, Link
from reviews.models import Edge, Evidence, Finding, FindingState
from reviews.standing import (
    CLAIMED,
    COMMIT_SHOWN,
    LIVE,
    OPEN,
    PRESENT,
    VERIFIED,
    Standing,
    mark,
    standing,
    standing_of,
    with_newest,
)
from reviews.transitions import FINDING
from tickets.followers import Followers
from tickets.models import Merge, Project, Ticket, Turn

__all__ = [
    "CLAIMED",
    "COMMIT_SHOWN",
    "LIVE",
    "OPEN",
    "PRESENT",
    "VERIFIED",
    "Difference",
    "Standing",
    "differences",
    "fixed_by",
    "locked",
    "mark",
    "mend",
    "merged",
    "relate",
    "standing",
    "standing_of",
    "ticket_reopened",
    "turn_ended",
    "with_newest",
    "withdraw",
    "write",
]

# Findings whose accepted commits are others now: the layer above says again where they stand.
fixes_changed: Followers[list[Finding]] = Followers()

# What happened ----------------------------------------------------------------


def turn_ended(turn: Turn) -> None:
    """A turn said that it is done: its ticket's findings have a fix, claimed, or measured where that was proven."""
    link = links.of_turn(turn)
    if link is not None:
        _write(turn.ticket, link)


def merged(merge: Merge) -> None:
    """Accepted work is in the target branch: the commit that holds it is evidence of each finding's fix."""
    findings = _write(merge.ticket, links.of_merge(merge))
    fixes_changed.tell(findings)


def ticket_reopened(ticket: Ticket) -> None:
    """What its turns did and what it brought into the target is no fix after all, wherever that stands.

    History keeps that it was one.
    """
    with unit_of_work():
        findings = locked(Finding.objects.filter(ticket=ticket).values_list("pk", flat=True))
        merges = Merge.objects.filter(ticket=ticket).exclude(merged_commit="").values("merged_commit")
        rows = Evidence.objects.filter(finding__in=findings)
        own = rows.filter(edge=Edge.TURN, ref__startswith=f"{ticket.key}/")
        own |= rows.filter(edge=Edge.COMMIT, ref__in=merges) | rows.exclude(edge__in=NEAR)
        withdraw(own, reason=f"{ticket.key} was reopened.")


def relate(findings: Collection[Finding], *, reason: str) -> None:
    """These findings have another ticket than before, or none: what that did is their evidence now.

    Call it in the unit of work that changes the ticket.
    """
    for chunk in bulk.chunks(sorted(finding.pk for finding in findings)):
        held = locked(chunk)
        derived = links.of_findings(held)
        if mend(differences({finding: derived.get(finding.pk, []) for finding in held}, NEAR), reason=reason):
            fixes_changed.tell(held)


def locked(wanted: Iterable[int]) -> list[Finding]:
    """These findings, locked in id order until the transaction ends: two who derive at once go one after the other."""
    rows = Finding.objects.filter(pk__in=list(wanted)).select_for_update(of=("self",), no_key=True)
    return list(rows.select_related("series").order_by("pk"))


def fixed_by(commits: Iterable[str], project: Project) -> list[Finding]:
    """The findings of the project whose accepted fix is one of these commits."""
    rows = Evidence.objects.filter(edge=Edge.COMMIT, ref__in=list(commits), finding__series__project=project)
    found = Finding.objects.filter(pk__in=rows.values("finding")).exclude(state=FindingState.WITHDRAWN)
    return list(found.select_related("series").order_by("pk"))


def _write(ticket: Ticket, link: Link) -> list[Finding]:
    """The edge of each finding of the ticket, as it is now; returns those findings."""
    with unit_of_work():
        rows = Finding.objects.filter(ticket=ticket).exclude(state=FindingState.WITHDRAWN)
        findings = locked(rows.values_list("pk", flat=True))
        # The ticket's page shows it, too.
        if write(findings, link):
            current().announce(ticket.subject, Pointer(FINDING.kind, findings[0].subject, findings[0].version))
    return findings


# What is stored, and what is to be ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """An edge that is stored otherwise than it follows from what happened: missing, other, or too much."""

    finding: Finding
    stored: Evidence | None
    wanted: Link | None

    def __str__(self) -> str:
        edge: Any = self.stored or self.wanted
        named = f"Finding {self.finding.pk} ({self.finding}): {edge.edge} {edge.ref}"
        if self.stored is None:
            return f"{named} is missing."
        if self.wanted is None:
            return f"{named} is stored, and nothing that happened gives it."
        return f"{named} has another {', '.join(links.differing(self.stored, self.wanted))}."


def differences(wanted: Mapping[Finding, Sequence[Link]], edges: Collection[Edge]) -> list[Difference]:
    """Where the stored edges of these findings, of these kinds, are others than the wanted ones."""
    rows = Evidence.objects.filter(finding__in=list(wanted), edge__in=edges)
    stored = {(row.finding_id, row.edge, row.ref): row for row in rows.order_by("pk")}
    found: list[Difference] = []
    for finding, given in wanted.items():
        for link in given:
            row = stored.pop((finding.pk, str(link.edge), link.ref), None)
            if row is None or not links.is_as(row, link):
                found.append(Difference(finding, row, link))
    by_id = {finding.pk: finding for finding in wanted}
    return [Difference(by_id[row.finding_id], row, None) for row in stored.values()] + found


def mend(found: Sequence[Difference], *, reason: str) -> bool:
    """Make the stored edges as they are wanted; ``reason`` says why some are taken back. Whether there were any."""
    gone = [each.stored.pk for each in found if each.stored is not None and each.wanted is None]
    if gone:
        withdraw(Evidence.objects.filter(pk__in=gone), reason=reason)
    told: dict[str, Finding] = {}
    with unit_of_work() as work:
        for finding, row, link in ((each.finding, each.stored, each.wanted) for each in found):
            if link is None:
                continue
            _store(finding, row, link)
            after = {"edge": str(link.edge), "ref": link.ref, **link.words}
            scope = f"project:{finding.series.project_id}"
            work.record("finding.evidence", finding.subject, before=_told(row), after=after, scope=scope)
            told.update(dict.fromkeys(FINDING.streams(finding), finding))
        for stream, finding in told.items():
            work.announce(stream, Pointer(FINDING.kind, finding.subject, finding.version))
    return bool(found)


def write(findings: Sequence[Finding], link: Link) -> bool:
    """The edge of each of the findings; one that says so already is left as it is. Returns whether any was written."""
    rows = Evidence.objects.filter(finding__in=findings, edge=link.edge, ref=link.ref)
    known = {row.finding_id: row for row in rows}
    found = [Difference(finding, known.get(finding.pk), link) for finding in findings]
    return mend([each for each in found if each.stored is None or not links.is_as(each.stored, link)], reason="")


def withdraw(rows: QuerySet[Evidence], *, reason: str) -> None:
    """Take edges back; history keeps that they were there."""
    with unit_of_work() as work:
        for row in rows.select_related("finding__series").order_by("pk"):
            subject = row.finding.subject
            work.record("finding.evidence_withdrawn", subject, before=_told(row), reason=reason)
            row.delete()
            FINDING.announce(row.finding)


def _store(finding: Finding, row: Evidence | None, link: Link) -> None:
    fields: dict[str, Any] = dict(link.words)
    if link.at is not None:
        fields["at"] = link.at
    if row is None:
        Evidence.objects.create(finding=finding, edge=link.edge, ref=link.ref, **fields)
    else:
        Evidence.objects.filter(pk=row.pk).update(**fields)


_TOLD: Final = ("edge", "ref", "place", "strength", "detail", "by")


def _told(row: Evidence | None) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in _TOLD} if row is not None else {}

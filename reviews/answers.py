"""Findings as people answer them, and the tickets made of them."""

from __future__ import annotations

from collections.abc import Iterable

from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from reviews.models import Finding, FindingState, Occurrence
from reviews.transitions import ANSWERS, FINDING
from tickets.models import Ticket
from tickets.work import create_ticket


def make_tickets(findings: Iterable[Finding], *, together: str = "") -> list[Ticket]:
    """A ticket for each finding that has none, or one titled ``together`` for all of them. Idempotent.

    Findings that have a ticket are left as they are; returns the tickets made.
    """
    if together:
        return _together(findings, together)
    made: list[Ticket] = []
    with unit_of_work():
        for finding in sorted(findings, key=lambda row: row.pk):
            # The row lock orders two clicks: the second finds the ticket of the first.
            fresh = Finding.objects.select_for_update(of=("self",)).select_related("series__project").get(pk=finding.pk)
            if fresh.ticket_id is None:
                ticket = create_ticket(
                    fresh.series.project,
                    title=fresh.title[:200],
                    body=_body(fresh),
                    reason=f"From {fresh} of {fresh.series}.",
                )
                Finding.objects.filter(pk=fresh.pk).update(ticket=ticket)
                FINDING.announce(fresh)
                made.append(ticket)
    return made


def _together(findings: Iterable[Finding], title: str) -> list[Ticket]:
    with unit_of_work():
        rows = Finding.objects.filter(pk__in=[finding.pk for finding in findings], ticket=None).order_by("pk")
        bare = list(rows.select_for_update(of=("self",)).select_related("series__project"))
        if not bare:
            return []
        body = "\n\n".join(f"## {finding}: {finding.title}\n\n{_body(finding)}" for finding in bare)
        ticket = create_ticket(bare[0].series.project, title=title[:200], body=body)
        Finding.objects.filter(pk__in=[finding.pk for finding in bare]).update(ticket=ticket)
        for finding in bare:
            FINDING.announce(finding)
    return [ticket]


def _body(finding: Finding) -> str:
    said = Occurrence.objects.filter(finding=finding).select_related("review").order_by("-review__number").first()
    if said is None:
        return ""
    return f"{said.body}\n\nFrom {said.review}, lines {said.line_start} to {said.line_end}."


def answer(finding: Finding, verb: str, *, reason: str, expected_version: int | None = None) -> Finding:
    """Fix, reject or waive a finding, with the reason in words. Raises ``Refused``."""
    if verb not in ANSWERS:
        raise Refused(f"A finding is answered by one of: {', '.join(ANSWERS)}.")
    if not reason.strip():
        raise Refused("Say why: the reason is what the next reader has.")
    return FINDING.move(finding, verb, reason=reason, expected_version=expected_version, answer=reason.strip())


def open_again(finding: Finding, *, reason: str, expected_version: int | None = None) -> Finding:
    return FINDING.move(finding, "open_again", reason=reason, expected_version=expected_version, answer="")


def ticket_accepted(ticket: Ticket) -> None:
    """The work of a ticket was accepted: its open findings are fixed by it."""
    rows = Finding.objects.filter(ticket=ticket, state=FindingState.OPEN).select_related("series").order_by("pk")
    for finding in rows:
        FINDING.move(finding, "fix", reason=f"{ticket.key} was accepted.", answer=f"Fixed by {ticket.key}.")


def ticket_reopened(ticket: Ticket) -> None:
    rows = Finding.objects.filter(ticket=ticket, state=FindingState.FIXED).select_related("series").order_by("pk")
    for finding in rows:
        FINDING.move(finding, "open_again", reason=f"{ticket.key} was reopened.", answer="")

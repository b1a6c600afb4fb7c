"""Findings as people answer them, and the tickets made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.lifecycle import Refused, Stale
from reviews import answers
from reviews.models import Finding
from tests.reviews import build
from tests.tickets import build as build_ticket
from tickets import work
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World


def test_tickets_are_made_once(world: World) -> None:
    build.applied(world.mc)
    findings = list(Finding.objects.order_by("pk"))
    made = answers.make_tickets(findings)
    assert [ticket.key for ticket in made] == ["MC-1", "MC-2", "MC-3"]
    assert [ticket.title for ticket in made] == [finding.title for finding in findings]
    assert answers.make_tickets(findings) == []
    assert Ticket.objects.count() == 3
    assert "lines 7 to 7" in made[0].body


def test_accepting_a_ticket_fixes_its_findings_and_reopening_opens_them(world: World) -> None:
    finding, waived = build.finding(world.mc), build.finding(world.mc, "waived")
    ticket = build_ticket.ticket(world.mc, "in_review")
    Finding.objects.update(ticket=ticket)
    work.accept(ticket, reason="")
    finding.refresh_from_db()
    assert (finding.state, finding.answer) == ("fixed", f"Fixed by {ticket.key}.")
    work.reopen(ticket, reason="Not so.")
    finding.refresh_from_db()
    waived.refresh_from_db()
    assert (finding.state, finding.answer, waived.state) == ("open", "", "waived")


def test_an_answer_takes_a_reason_and_a_verb(world: World) -> None:
    finding = build.finding(world.mc)
    with pytest.raises(Refused, match="Say why"):
        answers.answer(finding, "waive", reason="  ")
    with pytest.raises(Refused, match="one of"):
        answers.answer(finding, "open_again", reason="x")
    with pytest.raises(Stale):
        answers.answer(finding, "waive", reason="x", expected_version=7)
    finding.refresh_from_db()
    assert (finding.state, finding.version) == ("open", 1)

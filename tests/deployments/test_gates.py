"""May this ship? A frozen answer, and every reason with what lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments import gates
from reviews import answers
from tests import factories
from tests.reviews import build
from tests.tickets import build as build_ticket

if TYPE_CHECKING:
    from tests.factories import World


def test_an_open_critical_finding_holds_and_its_answer_lifts(world: World) -> None:
    finding = build.finding(world.mc)
    held = gates.judge(world.mc)
    held.save()
    assert (held.go, held.blocking) == (False, [finding.pk])
    assert held.reasons[0]["lift"] == "make it a ticket, or answer it"
    answers.answer(finding, "waive", reason="Until spring.")
    assert gates.judge(world.mc).go
    held.refresh_from_db()
    assert (held.go, held.blocking) == (False, [finding.pk])


def test_others_do_not_hold(world: World) -> None:
    build.finding(world.mc, severity="high")
    build.finding(world.mc, "fixed")
    build.finding(factories.project("LAN", "Lantern"))
    verdict = gates.judge(world.mc)
    assert (verdict.go, verdict.blocking, verdict.reasons) == (True, [], [])


def test_a_reason_names_the_ticket_that_lifts_it(world: World) -> None:
    finding = build.finding(world.mc)
    finding.ticket = build_ticket.ticket(world.mc)
    finding.save()
    (reason,) = gates.judge(world.mc).reasons
    assert reason["ticket"] == finding.ticket.key and finding.ticket.key in str(reason["lift"])


def test_the_digest_changes_with_what_was_seen(world: World) -> None:
    build.finding(world.mc)
    first, second = gates.judge(world.mc).digest, gates.judge(world.mc).digest
    build.finding(world.mc)
    assert first == second != gates.judge(world.mc).digest

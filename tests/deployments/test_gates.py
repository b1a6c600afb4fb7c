"""May this commit ship? A frozen answer, and every reason with what lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments import gates, places
from deployments.models import Verdict
from reviews import answers
from reviews.models import Evidence
from tests import factories
from tests.deployments import build as door
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


def test_a_policy_says_which_severities_hold_and_makes_older_verdicts_stale(world: World) -> None:
    build.finding(world.mc, severity="high")
    before = gates.judge(world.mc)
    before.save()
    assert (before.go, before.policy) == (True, 0)
    places.set_policy(world.mc, severities=["critical", "high"], valid_hours=1, expected_number=0)
    now = gates.judge(world.mc)
    assert (now.go, now.policy) == (False, 1)
    assert gates.is_stale(before, now)
    places.set_policy(world.mc, severities=[], valid_hours=1, expected_number=1)
    assert gates.judge(world.mc).go, "a policy may let everything pass"


def test_a_verdict_is_stale_on_any_change_of_what_it_saw_and_after_its_time(world: World) -> None:
    finding = build.finding(world.mc)
    verdict = gates.judge(world.mc)
    verdict.save()
    assert not gates.is_stale(verdict, gates.judge(world.mc))
    answers.answer(finding, "waive", reason="Until spring.")
    assert gates.is_stale(verdict, gates.judge(world.mc))
    fresh = gates.judge(world.mc)
    fresh.save()
    Verdict.objects.filter(pk=fresh.pk).update(valid_until="2026-01-01T00:00:00Z")
    assert gates.is_stale(fresh, gates.judge(world.mc))


def test_a_finding_fixed_in_another_commit_holds_this_one(world: World) -> None:
    finding = build.finding(world.mc, "fixed")
    ticket = build_ticket.ticket(world.mc)
    merge = build_ticket.merge(ticket, build_ticket.turn(ticket), "merged", merged_commit="f" * 40)
    Evidence.objects.create(finding=finding, edge="commit", ref="f" * 40, strength="measured", by="the portal")
    service = door.service(world.mc)
    without, holding = door.release(service), door.release(service, "d" * 40, merges=[merge.pk])
    verdict = gates.judge(world.mc, without)
    assert (verdict.go, verdict.blocking, verdict.commit) == (False, [finding.pk], without.commit)
    assert "fixed in fffffffff" in verdict.reasons[0]["text"]
    assert verdict.reasons[0]["lift"] == "deploy a commit that holds the fix"
    assert gates.judge(world.mc, holding).go
    assert gates.is_stale(verdict, gates.judge(world.mc, holding))


def test_a_finding_that_is_called_fixed_without_a_commit_holds_nothing(world: World) -> None:
    build.finding(world.mc, "fixed")
    assert gates.judge(world.mc, door.release(door.service(world.mc))).go

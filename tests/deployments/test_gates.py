"""May this commit ship? A frozen answer, and every reason with what lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments import gates, places, verdicts
from deployments.models import Verdict
from reviews import decisions, scopes
from reviews.models import Evidence
from tests import factories
from tests.deployments import build as door
from tests.reviews import build
from tests.tickets import build as build_ticket

if TYPE_CHECKING:
    from tests.factories import World


def test_an_open_critical_finding_holds_and_its_answer_lifts(world: World) -> None:
    finding = build.finding(world.mc)
    held = verdicts.judge(world.mc)
    held.save()
    assert (held.go, held.blocking) == (False, [finding.pk])
    assert held.reasons[0]["lift"] == "make it a ticket, or answer it"
    build.waive(finding)
    assert verdicts.judge(world.mc).go
    held.refresh_from_db()
    assert (held.go, held.blocking) == (False, [finding.pk])


def test_others_do_not_hold(world: World) -> None:
    build.finding(world.mc, severity="high")
    build.finding(world.mc, "fixed")
    build.finding(factories.project("LAN", "Lantern"))
    verdict = verdicts.judge(world.mc)
    assert (verdict.go, verdict.blocking, verdict.reasons) == (True, [], [])


def test_a_reason_names_the_ticket_that_lifts_it(world: World) -> None:
    finding = build.finding(world.mc)
    finding.ticket = build_ticket.ticket(world.mc)
    finding.save()
    (reason,) = verdicts.judge(world.mc).reasons
    assert reason["ticket"] == finding.ticket.key and finding.ticket.key in str(reason["lift"])


def test_a_policy_says_which_severities_hold_and_makes_older_verdicts_stale(world: World) -> None:
    build.finding(world.mc, severity="high")
    before = verdicts.judge(world.mc)
    before.save()
    assert (before.go, before.policy) == (True, 0)
    places.set_policy(world.mc, severities=["critical", "high"], valid_hours=1, expected_number=0)
    now = verdicts.judge(world.mc)
    assert (now.go, now.policy) == (False, 1)
    assert verdicts.is_stale(before, now)
    places.set_policy(world.mc, severities=[], valid_hours=1, expected_number=1)
    assert verdicts.judge(world.mc).go, "a policy may let everything pass"


def test_a_verdict_is_stale_on_any_change_of_what_it_saw_and_after_its_time(world: World) -> None:
    finding = build.finding(world.mc)
    verdict = verdicts.judge(world.mc)
    verdict.save()
    assert not verdicts.is_stale(verdict, verdicts.judge(world.mc))
    build.waive(finding)
    assert verdicts.is_stale(verdict, verdicts.judge(world.mc))
    fresh = verdicts.judge(world.mc)
    fresh.save()
    Verdict.objects.filter(pk=fresh.pk).update(valid_until="2026-01-01T00:00:00Z")
    assert verdicts.is_stale(fresh, verdicts.judge(world.mc))


def test_a_finding_fixed_in_another_commit_holds_this_one(world: World) -> None:
    finding = build.finding(world.mc, "fixed")
    ticket = build_ticket.ticket(world.mc)
    merge = build_ticket.merge(ticket, build_ticket.turn(ticket), "merged", merged_commit="f" * 40)
    Evidence.objects.create(finding=finding, edge="commit", ref="f" * 40, strength="measured", by="the portal")
    service = door.service(world.mc)
    without, holding = door.release(service), door.release(service, "d" * 40, merges=[merge.pk])
    verdict = verdicts.judge(world.mc, without)
    assert (verdict.go, verdict.blocking, verdict.commit) == (False, [finding.pk], without.commit)
    assert "fixed in fffffffff" in verdict.reasons[0]["text"]
    assert verdict.reasons[0]["lift"] == "deploy a commit that holds the fix"
    assert verdicts.judge(world.mc, holding).go
    assert verdicts.is_stale(verdict, verdicts.judge(world.mc, holding))


def test_a_finding_that_is_called_fixed_without_a_commit_holds_nothing(world: World) -> None:
    build.finding(world.mc, "fixed")
    assert verdicts.judge(world.mc, door.release(door.service(world.mc))).go


def test_what_is_waived_in_one_environment_holds_in_the_others_and_the_gate_says_by_whom(world: World) -> None:
    finding = build.finding(world.mc)
    staging, production = (places.add_environment(world.mc, name=name) for name in ("staging", "production"))
    before = verdicts.judge(world.mc, environment=staging)
    assert not before.go
    made = build.waive(finding, scope="staging")
    given = verdicts.judge(world.mc, environment=staging)
    assert given.go and verdicts.is_stale(before, given)
    assert not verdicts.judge(world.mc, environment=production).go and not verdicts.judge(world.mc).go
    waits = door.deployment(world.mc, "waiting_gate", environment=staging)
    (said,) = [one for one in gates.look(waits).conditions if one.kind == "waiver"]
    assert said.met and "given by Gives" in said.detail and "in staging until" in said.detail
    decisions.end(made, reason="Mended.")
    after = verdicts.judge(world.mc, environment=staging)
    assert not after.go and verdicts.is_stale(given, after)


def test_a_policy_may_let_no_waiver_lift(world: World) -> None:
    finding = build.finding(world.mc)
    staging = places.add_environment(world.mc, name="staging")
    build.waive(finding, scope="staging")
    places.set_policy(world.mc, severities=["critical"], valid_hours=1, expected_number=0, waived_holds=True)
    assert not verdicts.judge(world.mc, environment=staging).go


def test_findings_may_be_waived_in_the_environments_of_their_project(world: World) -> None:
    places.add_environment(world.mc, name="live")
    places.add_environment(factories.project("LAN", "Lantern"), name="other")
    assert scopes.of(world.mc) == ["live"]

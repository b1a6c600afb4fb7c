"""Is this fix live, and how do we know? Evidence follows what stands where, and leaves with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployments import interruptions, places, requesting, rollout
from deployments.models import Deployment
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from reviews import evidence
from reviews.models import Evidence, Finding
from tests.deployments import build
from tests.deployments.shipyard import Shipyard, again
from tests.reviews import build as build_review
from tests.tickets.workshop import GOOD
from tickets import work

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fixed(yard: Shipyard, world: World) -> Finding:
    """A finding of a ticket; what stood in production before its fix was merged stands there."""
    yard.ask()
    finding = build_review.finding(yard.project)
    ticket = yard.ticket()
    Finding.objects.filter(pk=finding.pk).update(ticket=ticket)
    yard.turn(ticket, GOOD)
    work.accept(ticket, by=world.owner, reason="Read it.")
    yard.drain()
    return finding


def sentence(finding: Finding) -> str:
    return evidence.standing_of(Finding.objects.get(pk=finding.pk)).sentence


def edges(finding: Finding) -> list[tuple[str, str, str]]:
    return list(Evidence.objects.filter(finding=finding).order_by("pk").values_list("edge", "strength", "place"))


def test_a_merged_fix_is_present_and_not_live_until_a_release_with_it_stands_there(
    yard: Shipyard, fixed: Finding
) -> None:
    assert sentence(fixed) == f"Fix present in {yard.head[:9]}"
    shipped = yard.ask()
    assert shipped.state == "succeeded"
    assert sentence(fixed) == "Verified live: web in production"
    assert sorted(edges(fixed)[1:]) == [
        ("commit", "confirmed", ""),
        ("deployment", "measured", "web in production"),
        ("health", "confirmed", "web in production"),
        ("release", "measured", ""),
    ]
    assert shipped.changes["tickets"] == ["MC-1"]


def test_without_a_health_step_it_is_live_and_not_verified(yard: Shipyard, fixed: Finding) -> None:
    yard.service.pipeline.filter(kind="health").delete()
    yard.ask()
    assert sentence(fixed) == "Live: web in production"


def test_a_rollback_unfixes_what_is_no_longer_live(yard: Shipyard, fixed: Finding) -> None:
    shipped = yard.ask()
    with unit_of_work():
        rollout.roll_back(shipped, reason="It squeaks louder.")
    assert yard.run(shipped).state == "rolled_back"
    assert sentence(fixed) == f"Fix present in {yard.head[:9]}"
    told = Activity.objects.filter(subject=fixed.subject, verb="finding.evidence_withdrawn").latest("id")
    assert told.reason.startswith(f"Deployment {shipped.pk} was rolled back")


def test_a_newer_release_that_holds_the_fix_keeps_it_live_since_the_first(yard: Shipyard, fixed: Finding) -> None:
    first = yard.ask()
    yard.commit("window.txt", "clean\n")
    assert yard.ask().state == "succeeded"
    row = Evidence.objects.get(finding=fixed, edge="deployment")
    assert row.ref == str(first.pk)


def test_an_older_commit_over_it_takes_the_fix_away(yard: Shipyard, fixed: Finding) -> None:
    old = Deployment.objects.earliest("pk").commit
    yard.ask()
    held = yard.ask(old)
    assert held.state == "waiting_gate", "a critical finding is fixed elsewhere than in this commit"
    places.set_policy(yard.project, severities=[], valid_hours=24, expected_number=0)
    requesting.look_at_waiting()
    assert yard.run(held).state == "succeeded"
    assert sentence(fixed).startswith("Fix present")


def test_each_place_is_told_for_itself(yard: Shipyard, fixed: Finding) -> None:
    staging = build.environment(yard.project, "staging", variables={"PORT": str(yard.reporter.port)})
    yard.ask(to=staging)
    assert sentence(fixed) == "Verified live: web in staging"
    yard.ask()
    found = Evidence.objects.filter(finding=fixed, edge="health").order_by("pk").values_list("place", flat=True)
    assert list(found) == ["web in staging", "web in production"]


def test_after_a_failed_deployment_nothing_is_said_to_be_live(yard: Shipyard, fixed: Finding, world: World) -> None:
    yard.ask()
    assert sentence(fixed).startswith("Verified live")
    yard.set_step(3, command=["false"])
    held = yard.ask()
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "fail", by=world.releaser, reason="Broken.")
    assert again(held).state == "failed"
    assert sentence(fixed).startswith("Fix present")


def test_a_ticket_that_is_reopened_takes_its_whole_chain_back(yard: Shipyard, fixed: Finding) -> None:
    yard.ask()
    ticket = Finding.objects.get(pk=fixed.pk).ticket
    assert ticket is not None
    work.reopen(ticket, reason="It came back.")
    assert (sentence(fixed), edges(fixed)) == ("Open", [])


def test_work_that_was_picked_onto_another_branch_is_found_by_its_patch(yard: Shipyard, fixed: Finding) -> None:
    merged = yard.head
    base = yard.git("rev-list", "--max-parents=0", "main").splitlines()[0]
    yard.git("branch", "hotfix", base)
    yard.git("worktree", "add", "-q", str(yard.folder / "hotfix"), "hotfix")
    picked = ["cherry-pick"] if " " not in yard.git("log", "-1", "--format=%P", merged) else ["cherry-pick", "-m", "1"]
    yard.git("-c", "user.name=T", "-c", "user.email=t@example.org", *picked, merged, at=yard.folder / "hotfix")
    shipped = yard.ask("hotfix")
    assert shipped.commit != merged
    assert shipped.state == "succeeded", shipped.verdict.reasons
    assert sentence(fixed) == "Verified live: web in production"

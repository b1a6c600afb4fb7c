"""Which deployments wait for a person, and whose approval is wanted: the list and the number agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments import approvals, gates, holds, needs
from deployments.models import Deployment
from portal.site import queries
from portal.site.tallies import tallies
from tests import factories
from tests.deployments import build, pages
from tests.reviews.build import finding
from tests.signing_in import SignIn

if TYPE_CHECKING:
    from tests.factories import World


def listed(user: Any) -> dict[str, int]:
    return {panel.title: len(panel.needs) for panel in queries.needs_of(user) if "eploy" in panel.url}


def test_an_approval_is_asked_of_those_who_can_give_it(world: World) -> None:
    waits = pages.place(world.mc, approvals_needed=2).ask(world.releaser)
    other = factories.person("other@example.org")
    factories.member(world.mc, other, factories.Role.RELEASER)
    asked = {
        name: list(needs.to_approve(person))
        for name, person in {
            "releaser": world.releaser,
            "owner": world.owner,
            "admin": world.admin,
            "other": other,
            "reviewer": world.reviewer,
            "outsider": world.outsider,
        }.items()
    }
    assert asked == {
        "releaser": [], "owner": [waits], "admin": [waits], "other": [waits], "reviewer": [], "outsider": [],
    }  # fmt: skip
    finding(world.mc)
    approvals.approve(waits, by=world.owner, plan_digest=waits.plan_digest)
    assert not needs.to_approve(world.owner).exists() and needs.to_approve(other).exists()
    given = approvals.approve(pages.again(waits), by=other, plan_digest=waits.plan_digest)
    assert not needs.to_approve(world.admin).exists()
    approvals.withdraw(given, by=other)
    assert needs.to_approve(world.admin).exists() and needs.to_approve(other).exists()


def test_an_approval_of_another_plan_is_asked_for_again(world: World) -> None:
    finding(world.mc)
    waits = pages.place(world.mc, approvals_needed=1).ask(world.releaser)
    approvals.approve(waits, by=world.owner, plan_digest=waits.plan_digest)
    assert not needs.to_approve(world.owner).exists()
    Deployment.objects.update(plan_digest="f" * 64)
    assert needs.to_approve(world.owner).exists()
    assert gates.approvals_that_count(pages.again(waits)) == []


def test_each_kind_is_listed_once_and_counted_the_same(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc, "web", "live")
    pages.interrupted(place.ask(world.releaser))
    held = pages.place(world.mc, "cron", "test", approvals_needed=1)
    held.ask(world.releaser)
    holds.hold_environment(held.environment, reason="The audit.")
    build.deployment(world.mc, "refused")
    build.deployment(world.mc, "failed")
    old = build.deployment(world.mc, "rolled_back")
    # Somebody has gone on from there.
    build.deployment(world.mc, "running", service=old.service, environment=old.environment)
    wanted = {
        "Approvals to give": 1,
        "Deployments that need a person": 1,
        "Deployments held": 2,
        "Deployments that failed": 1,
    }
    assert listed(world.owner) == wanted
    assert tallies(world.owner)["/"].text == str(sum(wanted.values()))
    del wanted["Approvals to give"]
    assert listed(world.viewer) == wanted
    assert tallies(world.viewer)["/"].text == str(sum(wanted.values()))
    page = sign_in(world.viewer).get("/").content.decode()
    assert "#interruption" in page and "Health waits for an answer" in page
    assert listed(world.outsider) == {} and "/" not in tallies(world.outsider)


def test_a_waiting_deployment_that_nothing_holds_needs_nobody_else(world: World) -> None:
    pages.place(world.mc, approvals_needed=1).ask(world.releaser)
    assert listed(world.viewer) == {}
    finding(world.mc)
    Deployment.objects.get().verdict.__class__.objects.update(go=False)
    assert listed(world.viewer) == {"Deployments held": 1}

"""Who hears of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployments import approvals, interruptions
from portal.core import cause as causes
from portal.core.cause import Actor
from portal.core.models import Notification
from tests.deployments.shipyard import Shipyard

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


def told(verb: str) -> set[str]:
    return set(Notification.objects.filter(verb=verb).values_list("user__email", flat=True))


def test_those_who_may_approve_are_asked_and_who_asked_hears_of_the_end(yard: Shipyard, world: World) -> None:
    yard.environment.approvals_needed = 1
    yard.environment.save()
    waits = yard.ask(by=world.releaser)
    assert told("deployment.approval_wanted") == {"owner@example.org"}, "never who asked, nor who may not approve"
    with causes.acting(Actor("user", str(world.owner.pk), "Owner"), because="test"):
        approvals.approve(waits, by=world.owner, plan_digest=waits.plan_digest)
    assert yard.run(waits).state == "succeeded"
    assert told("deployment.succeed") == {"releaser@example.org"}


def test_an_interruption_is_told_to_all_who_may_answer_it(yard: Shipyard, world: World) -> None:
    yard.set_step(1, command=["false"])
    held = yard.ask(by=world.operator)
    assert told("deployment.interrupt") == {"operator@example.org", "owner@example.org", "releaser@example.org"}
    interruption = interruptions.open_of(held)
    assert interruption is not None
    with causes.acting(Actor("user", str(world.owner.pk), "Owner"), because="test"):
        interruptions.answer(interruption, "fail", by=world.owner, reason="Enough.")
    assert told("deployment.fail") == {"operator@example.org", "releaser@example.org"}, "not who ended it"


def test_a_refusal_is_told_with_its_reason(yard: Shipyard, world: World) -> None:
    yard.ask("no-such-branch", by=world.releaser)
    assert "no-such-branch" in Notification.objects.get(verb="deployment.refuse").title

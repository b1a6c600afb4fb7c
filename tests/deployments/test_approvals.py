"""Approvals that count: not too old, and by nobody who wrote what is approved."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deployments import approvals, authorship, gates, needs, requesting
from deployments.models import Approval, Deployment
from portal.core import clock
from portal.core.lifecycle import Refused
from tests.deployments import pages

if TYPE_CHECKING:
    from tests.factories import World


def approve(deployment: Any, by: Any) -> Approval:
    now = pages.again(deployment)
    return approvals.approve(now, by=by, plan_digest=now.plan_digest)


def given(hours: int) -> None:
    Approval.objects.update(at=clock.now() - timedelta(hours=hours))


def test_an_approval_that_is_too_old_counts_no_more_and_may_be_given_anew(world: World) -> None:
    waits = pages.place(world.mc, approvals_needed=2, approval_hours=4).ask(world.releaser)
    first = approve(waits, world.owner)
    given(3)
    assert gates.approvals_that_count(pages.again(waits)) == [first]
    with pytest.raises(Refused, match="You have approved it"):
        approve(waits, world.owner)
    given(5)
    now = pages.again(waits)
    assert gates.approvals_that_count(now) == [] and approvals.expired(now) == {first.pk}
    (condition,) = [one for one in gates.look(now).conditions if one.kind == "approvals"]
    assert "0 of 2: nobody yet; 1 expired after 4 hours" in condition.detail
    assert needs.to_approve(world.owner).exists(), "it is asked for again"
    again = approve(waits, world.owner)
    first.refresh_from_db()
    assert (first.state, gates.approvals_that_count(pages.again(waits))) == ("withdrawn", [again])
    approve(waits, world.admin)
    assert pages.again(waits).state == "queued"


def test_without_hours_an_approval_counts_as_long_as_its_plan(world: World) -> None:
    waits = pages.place(world.mc, approvals_needed=2).ask(world.releaser)
    approve(waits, world.owner)
    given(10_000)
    assert len(gates.approvals_that_count(pages.again(waits))) == 1


def test_who_wrote_a_commit_of_it_does_not_approve_it_and_is_not_asked_to(world: World) -> None:
    waits = pages.place(world.mc, approvals_needed=1).ask(world.releaser)
    assert needs.to_approve(world.owner).exists()
    named = authorship.known(["OWNER@example.org", "nobody@example.org", ""])
    assert named == {"authors": [f"user:{world.owner.pk}"]}
    Deployment.objects.update(changes=waits.changes | named)
    with pytest.raises(Refused, match="a commit that you wrote, so somebody else approves it"):
        approve(waits, world.owner)
    assert not needs.to_approve(world.owner).exists() and needs.to_approve(world.admin).exists()
    type(waits.environment).objects.update(variables={"PORT": "9000"})
    requesting.look_again(pages.again(waits))
    assert authorship.wrote(pages.again(waits), world.owner), "another plan forgets nobody"
    approve(waits, world.admin)
    assert pages.again(waits).state == "queued"

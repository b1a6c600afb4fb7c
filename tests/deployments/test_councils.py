"""A policy that wants a council: what holds a commit until one says ship, and where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import allowed_now, places, verdicts
from deployments.judging import Judged
from reviews.councils import voting
from reviews.models import Council
from tests.deployments import build as builder
from tests.reviews import chambers
from tests.reviews.chambers import document, hand_in, members
from tests.signing_in import SignIn
from tests.tickets import build as tickets

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
COMMIT = chambers.COMMIT


def judged(world: World, commit: str = COMMIT) -> Any:
    return verdicts.judge(world.mc, Judged(commit, frozenset()))


def test_a_commit_is_held_until_a_council_on_it_says_ship(world: World) -> None:
    assert judged(world).go
    places.set_policy(world.mc, severities=["critical"], valid_hours=24, expected_number=0, council=True)
    none = judged(world)
    (reason,) = none.reasons
    assert (none.answer, str(none), none.blocking) == ("do_not_ship", "held by its council", [])
    assert reason["text"] == f"No council has looked at {COMMIT[:9]}"
    assert reason["url"] == f"/reviews/councils/new/?project=MC&about=branch&asked_for={COMMIT}"
    council = chambers.council(world.mc, [chambers.agent()])
    still_open = judged(world)
    assert still_open.reasons[0]["url"] == council.get_absolute_url()
    assert "is not closed" in still_open.reasons[0]["text"]
    hand_in(members(council)[0], document("Ship."))
    voting.close(council)
    ship = judged(world)
    assert ship.go and ship.reasons == []
    # Each of these is another answer, so what was said before is stale.
    assert len({none.digest, still_open.digest, ship.digest}) == 3
    assert not judged(world, "d" * 40).go
    voting.void(council, reason="Pushed anew.")
    assert not judged(world).go
    assert verdicts.in_words(verdicts.policy_of(world.mc))[-1] == "a commit of which no council says ship"


def test_a_council_that_does_not_say_ship_holds_and_so_does_one_without_an_outcome(world: World) -> None:
    places.set_policy(world.mc, severities=[], valid_hours=24, expected_number=0, council=True)
    council = chambers.council(world.mc, [chambers.agent()])
    hand_in(members(council)[0], document("Do not ship."))
    voting.close(council)
    assert judged(world).reasons[0]["text"] == f"Council {council.pk} says do not ship of {COMMIT[:9]}"
    chambers.council(world.mc, state="closed")
    assert "says nothing, for want of votes" in judged(world).reasons[0]["text"]


def test_the_matrix_of_what_may_ship_says_the_same(world: World) -> None:
    places.set_policy(world.mc, severities=[], valid_hours=24, expected_number=0, council=True)
    service, environment = builder.service(world.mc), builder.environment(world.mc)
    release = builder.release(service, commit=COMMIT)
    key = (release.pk, environment.pk)
    assert allowed_now.of([(release, environment)])[key].said == "Do not ship: council"
    council = chambers.council(world.mc, [chambers.agent()])
    hand_in(members(council)[0], document("Ship."))
    voting.close(council)
    assert allowed_now.of([(release, environment)])[key].said == "May ship"


@pytest.mark.pages
def test_reviews_are_asked_for_from_a_deployment(world: World, sign_in: SignIn) -> None:
    tickets.repository(world.mc)
    agent = chambers.agent("critic")
    deployment = builder.deployment(world.mc, "succeeded", commit=COMMIT)
    url, browser = f"/deployments/{deployment.pk}/council/", sign_in(world.operator)
    assert browser.get(url).status_code == 200
    assert browser.post(url, {"series": "Doors"}).status_code == 409
    assert browser.post(url, {"series": "Doors", "agents": [agent.pk]}).status_code == 302
    council = Council.objects.get()
    assert (council.about, council.asked, council.state) == ("deployment", COMMIT, "looking")
    assert sign_in(world.viewer).get(url).status_code == 403

"""The evidence of a finding through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.deployments.story import Story

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


def test_it_answers_for_each_place_and_gives_the_chain(call: Call, world: World) -> None:
    story = Story(world.mc, world.reviewer)
    deployment = story.deployed(story.release(story.merged()), story.staging)
    answer = call("get", f"/findings/{story.fix.pk}/evidence", world.viewer)
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert (said["standing"], said["said"]) == ("verified live", "Fixed, not live in production")
    assert [(place["environment"], place["word"], place["deployment"]) for place in said["places"]] == [
        ("staging", "verified live", deployment.pk),
        ("production", "not live", None),
    ]
    assert [(link["kind"], link["proof"]) for link in said["links"]] == [
        ("Finding", "stated"),
        ("Ticket", "claimed"),
        ("Turn", "measured"),
        ("Commit", "confirmed"),
        ("Release", "measured"),
        ("Deployment", "measured"),
        ("Health", "confirmed"),
        ("Health", "missing"),
    ]


def test_of_what_is_not_there_it_says_so(call: Call, world: World) -> None:
    for number in (0, 999_999, 10**30):
        assert call("get", f"/findings/{number}/evidence", world.viewer).status_code == 404

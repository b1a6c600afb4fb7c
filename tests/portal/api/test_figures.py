"""The history of deployments and their figures through the API."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.deployments import build, pages
from tests.reviews.build import finding
from tests.tickets import build as tickets

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def done(world: World) -> Any:
    """Something that went live, with the accepted work that it brought."""
    ticket = tickets.ticket(world.mc, "done")
    merge = tickets.merge(ticket, tickets.turn(ticket, head_commit="b" * 40, cost_usd=Decimal("1.25")), "merged")
    place = pages.place(world.mc)
    place.put(world.releaser)
    return place.put(world.releaser, pages.COMMIT, merges=frozenset({merge.pk}))


def test_figures_are_told_as_json_and_as_csv(call: Call, world: World, done: Any) -> None:
    found = call("get", "/deployments/figures?project=MC", world.viewer).json()
    assert (found["all"]["live"], found["all"]["failure_rate"], found["all"]["over_unknown"]) == (2, 0, 1)
    (place,) = found["places"]
    assert (place["service"], place["environment"]) == ("web", "production")
    assert sum(bucket["live"] for bucket in found["buckets"]) == 2 and len(found["buckets"]) == 13
    answer = call("get", "/deployments/figures?format=csv", world.viewer)
    assert answer["Content-Type"].startswith("text/csv") and '"MC","web","production"' in answer.content.decode()
    assert call("get", "/deployments/figures", world.outsider).json()["all"]["live"] == 0


def test_what_figures_cannot_be_asked_of_is_refused_and_named(call: Call, world: World) -> None:
    for query, field in (("since=yesterday", "since"), ("since=2020-01-01", "since"), ("format=xml", "format")):
        answer = call("get", f"/deployments/figures?{query}", world.viewer)
        assert answer.status_code == 400 and field in answer.json()["error"]["field"], query


def test_the_list_and_its_export_are_narrowed_alike(call: Call, world: World, done: Any) -> None:
    build.deployment(world.mc, service=done.service, requester="Zoe")
    theirs = factories.project("LAN")
    build.deployment(theirs, requester="Zoe")
    for query, number in (("person=zoe", 1), ("state=succeeded", 2), ("since=2020-01-01", 3), ("until=2020-01-01", 0)):
        assert len(call("get", f"/deployments?{query}", world.viewer).json()["items"]) == number, query
        lines = call("get", f"/deployments/export?{query}", world.viewer).content.decode().splitlines()
        assert len(lines) == number + 1, query
    answer = call("get", "/deployments?until=x", world.viewer)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "until")


def test_a_deployment_tells_what_it_brings_and_what_that_cost(call: Call, world: World, done: Any) -> None:
    told = call("get", f"/deployments/{done.pk}", world.viewer).json()["changes"]
    assert (told["first"], told["known"], told["commits"], told["gone"], told["goes_back"]) == (
        False,
        True,
        7,
        0,
        False,
    )
    assert told["cost"] == {"turns": 1, "usd": 1.25, "tokens": None, "untold": 0}
    assert len(told["tickets"]) == 1 and told["takes"]["tickets"] == []


def test_a_release_and_an_environment_tell_what_the_gate_would_answer_today(
    call: Call, world: World, done: Any
) -> None:
    finding(world.mc)
    told = call("get", f"/releases/{done.release_id}", world.viewer).json()
    assert (told["before"], told["pipeline_current"], told["cost"]["usd"]) == ("web-1", True, 1.25)
    assert [(one["environment"], one["until"]) for one in told["stays"]] == [("production", None)]
    assert [(one["stands"], one["answer"], one["findings"]) for one in told["doors"]] == [(True, "do_not_ship", 1)]
    (stands,) = call("get", "/environments", world.viewer).json()["items"][0]["stands"]
    assert (stands["answer"], stands["findings"], stands["stale"]) == ("do_not_ship", 1, True)

"""Freezes, overrides, and what services need, over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.deployments import build, pages
from tests.deployments.test_freezes import frozen, wall

if TYPE_CHECKING:
    from tests.factories import World
    from tests.portal.api.conftest import Call

FREEZES = "/projects/MC/freezes"


def body(**changed: Any) -> dict[str, Any]:
    return {"ends": f"{wall(days=1):%Y-%m-%dT%H:%M}", "reason": "The fair."} | changed


def test_an_owner_plans_lists_and_lifts(world: World, call: Call) -> None:
    build.environment(world.mc, "live")
    assert call("post", FREEZES, world.releaser, body()).status_code == 403
    made = call("post", FREEZES, world.owner, body(environment="live", time_zone="Europe/Berlin", weekly=True)).json()
    assert (made["environment"], made["weekly"], made["in_force"], made["by"]) == (
        "live",
        True,
        True,
        "Owner by token test",
    )
    (listed,) = call("get", FREEZES, world.viewer).json()["items"]
    assert listed == made
    path, said = f"/freezes/{made['number']}/lift", {"version": 1, "reason": "It is off."}
    assert call("post", path, world.releaser, said).status_code == 403
    lifted = call("post", path, world.owner, said).json()
    assert (lifted["state"], lifted["in_force"], lifted["lift_reason"]) == ("lifted", False, "It is off.")
    assert call("post", path, world.owner, said).status_code == 409


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"ends": "soon"}, "ends"),
        ({"ends": ""}, "ends"),
        ({"begins": "2026-01-01T00:00"}, "begins"),
        ({"begins": "2026-12-24T18:00+01:00"}, "begins"),
        ({"time_zone": "Nowhere"}, "time_zone"),
        ({"environment": "nowhere"}, "environment"),
        ({"reason": " "}, "reason"),
        ({"weekly": "yes"}, "weekly"),
    ],
)
def test_what_is_wrong_is_named(world: World, call: Call, changed: dict[str, Any], field: str) -> None:
    answer = call("post", FREEZES, world.owner, body(**changed))
    assert answer.status_code in {400, 422} and field in answer.content.decode()
    assert call("get", FREEZES, world.owner).json()["items"] == []


def test_a_gate_says_where_each_reason_is_lifted_and_an_owner_overrides(world: World, call: Call) -> None:
    freeze = frozen(world.mc)
    waits = pages.place(world.mc).ask(world.releaser)
    path = f"/deployments/{waits.pk}"
    found = call("get", path, world.owner).json()
    (condition,) = [one for one in found["gate"]["conditions"] if one["kind"] == "freeze"]
    assert condition["url"] == f"/deployments/{waits.pk}/#freezes" and "override" in found["allowed"]
    said = {"freeze": freeze.pk, "plan_digest": found["plan_digest"], "reason": "It is burning."}
    assert call("post", f"{path}/override", world.releaser, said).status_code == 403
    assert call("post", f"{path}/override", world.owner, said | {"plan_digest": "0"}).status_code == 409
    assert call("post", f"{path}/override", world.owner, said).json()["state"] == "queued"


def test_settings_name_what_an_environment_follows(world: World, call: Call) -> None:
    build.environment(world.mc, "staging")
    path = "/projects/MC/environments"
    made = call("post", path, world.owner, {"name": "live", "follows": "staging", "soak_minutes": 60}).json()
    assert (made["follows"], made["soak_minutes"], made["approval_hours"]) == ("staging", 60, 0)
    settings = f"/environments/{made['number']}/settings"
    for follows, sentence in (("nowhere", "MC has no environment nowhere."), ("live", "would follow itself")):
        answer = call("post", settings, world.owner, {"version": 1, "follows": follows})
        assert answer.status_code == 422 and sentence in answer.content.decode()
    assert call("post", settings, world.owner, {"version": 1, "follows": ""}).json()["follows"] == ""


def test_needs_are_read_and_set(world: World, call: Call) -> None:
    web, _ = build.service(world.mc, "web"), build.service(world.mc, "database")
    path, needs = f"/services/{web.pk}/needs", [{"service": "database", "least": 3}]
    assert call("post", path, world.releaser, {"version": 1, "needs": needs}).status_code == 403
    assert call("post", path, world.owner, {"version": 1, "needs": needs}).json() == {"version": 2, "needs": needs}
    assert call("get", path, world.viewer).json()["needs"] == needs
    assert call("post", path, world.owner, {"version": 1, "needs": []}).status_code == 409
    for wrong in (
        [*needs, *needs],
        [{"service": "web"}],
        [{"service": "nobody"}],
        [{"service": "database", "least": -1}],
    ):
        assert call("post", path, world.owner, {"version": 2, "needs": wrong}).status_code in {400, 422}

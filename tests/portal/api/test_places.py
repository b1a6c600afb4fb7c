"""Services, environments, policies, releases and holds through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deployments.models import Environment, Hold, Placement, Policy, Service
from tests import factories
from tests.deployments import build
from tests.factories import World

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
STEPS: list[dict[str, Any]] = [
    {"kind": "command", "name": "Build", "command": ["make", " a\nb"]},
    {"kind": "migrate", "name": "Migrate", "command": ["./migrate"], "undo": ["./back"], "wall_seconds": 60},
    {"kind": "health", "name": "Health", "url": "http://127.0.0.1:{PORT}/health", "again": False},
]


def error(answer: Any) -> dict[str, Any]:
    return dict(answer.json()["error"])


# Services -----------------------------------------------------------------------


def test_a_service_is_made_read_and_changed_under_its_version(call: Call, world: World) -> None:
    made = call("post", "/projects/MC/services", world.owner, {"name": "web", "steps": STEPS})
    assert made.status_code == 200, made.content
    path = f"/services/{made.json()['number']}/pipeline"
    found = call("get", path, world.viewer).json()
    assert (found["name"], found["version"], [step["name"] for step in found["steps"]]) == (
        "web",
        1,
        ["Build", "Migrate", "Health"],
    )
    assert found["steps"][0]["command"] == ["make", " a\nb"]
    assert (found["steps"][1]["undo"], found["steps"][2]["again"]) == (["./back"], False)
    # What is read can be sent back.
    sent = {"version": 1, "steps": found["steps"][:1]}
    assert call("post", path, world.releaser, sent).status_code == 403
    assert call("post", path, world.owner, sent).json()["version"] == 2
    assert call("post", path, world.owner, sent).status_code == 409
    assert Service.objects.get().pipeline.count() == 1
    again = call("post", "/projects/MC/services", world.owner, {"name": "web", "steps": STEPS})
    assert again.status_code == 409 and "has a service web already" in error(again)["message"]
    listed = call("get", "/services?project=MC", world.viewer).json()["items"]
    assert [(row["name"], row["project"]) for row in listed] == [("web", "MC")]
    assert call("get", path, world.outsider).status_code == 404


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"command": []}, "steps.0.command"),
        ({"command": ["a\0"]}, ""),
        ({"command": "make"}, "steps.0.command"),
        ({"name": " "}, "steps.0.name"),
        ({"kind": "pray"}, "steps.0.kind"),
        ({"url": "http://example.org"}, "steps.0.url"),
        ({"kind": "health", "command": [], "url": "ftp://x"}, "steps.0.url"),
        ({"kind": "manual", "command": []}, "steps.0.instructions"),
        ({"wall_seconds": True}, "steps.0.wall_seconds"),
        ({"wall_seconds": 86_401}, "steps.0.wall_seconds"),
        ({"again": "yes"}, "steps.0.again"),
        ({"shell": True}, "steps.0.shell"),
    ],
)
def test_a_wrong_step_is_refused_by_its_place_and_field(
    call: Call, world: World, step: dict[str, Any], field: str
) -> None:
    sent = {"name": "web", "steps": [{"kind": "command", "name": "Build", "command": ["make"], **step}]}
    answer = call("post", "/projects/MC/services", world.owner, sent)
    assert (answer.status_code, error(answer)["field"]) == (400, field), error(answer)
    assert not Service.objects.exists()


def test_a_pipeline_has_a_step_and_not_too_many(call: Call, world: World) -> None:
    for steps in ([], STEPS[:1] * 21):
        answer = call("post", "/projects/MC/services", world.owner, {"name": "web", "steps": steps})
        assert (answer.status_code, error(answer)["field"]) == (400, "steps")
    for name in ("a b", "", "x" * 61, "é", "web\n"):
        answer = call("post", "/projects/MC/services", world.owner, {"name": name, "steps": STEPS})
        assert (answer.status_code, error(answer)["field"]) == (400, "name"), name


# Environments -------------------------------------------------------------------


def test_an_environment_is_made_and_what_is_not_sent_stays(call: Call, world: World) -> None:
    sent = {"name": "live", "approvals_needed": 2, "variables": {"PORT": "80"}}
    made = call("post", "/projects/MC/environments", world.owner, sent).json()
    assert (made["place"], made["approvals_needed"], made["on_failure"], made["wait_hours"]) == (0, 2, "ask", 72)
    path = f"/environments/{made['number']}/settings"
    changed = call("post", path, world.owner, {"version": 1, "on_failure": "roll_back"}).json()
    assert (changed["version"], changed["on_failure"], changed["variables"]) == (2, "roll_back", {"PORT": "80"})
    assert call("post", path, world.owner, {"version": 1, "wait_hours": 5}).status_code == 409
    assert call("post", path, world.releaser, {"version": 2, "wait_hours": 5}).status_code == 403
    assert call("get", path, world.viewer).json() == changed
    assert call("post", "/projects/MC/environments", world.owner, {"name": "live"}).status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("place", -1),
        ("approvals_needed", 21),
        ("wait_hours", 0),
        ("on_failure", "panic"),
        ("variables", {"PATH": "/tmp"}),
        ("variables", {"A": "1\nB=2"}),
        ("variables", {"A": " 1"}),
        ("variables", {"a b": "1"}),
        ("variables", {"A": 1}),
        ("name", "other"),
    ],
)
def test_a_wrong_setting_is_refused_by_the_name_of_its_field(call: Call, world: World, field: str, value: Any) -> None:
    place = build.environment(world.mc, "live")
    answer = call("post", f"/environments/{place.pk}/settings", world.owner, {"version": 1, field: value})
    assert (answer.status_code, error(answer)["field"].partition(".")[0]) == (400, field), error(answer)
    assert Environment.objects.get().version == 1


def test_the_matrix_says_what_stands_where_and_what_is_held(call: Call, world: World) -> None:
    service, live, test = build.service(world.mc, "web"), *(build.environment(world.mc, n) for n in ("live", "test"))
    release = build.release(service)
    done = build.deployment(world.mc, "succeeded", service=service, environment=live, release=release)
    when = datetime(2026, 1, 5, tzinfo=UTC)
    Placement.objects.create(
        service=service, environment=live, release=release, deployment=done, since=when, verified_at=when
    )
    build.environment(factories.project("OT", "Other"), "elsewhere")
    assert call("post", f"/environments/{test.pk}/hold", world.reviewer, {"reason": "x"}).status_code == 403
    assert call("post", f"/environments/{test.pk}/hold", world.releaser, {"reason": " "}).status_code == 400
    held = call("post", f"/environments/{test.pk}/hold", world.releaser, {"reason": "Sale."}).json()
    items = call("get", "/environments?project=MC", world.viewer).json()["items"]
    assert [(row["name"], row["hold"] and row["hold"]["reason"]) for row in items] == [
        ("test", "Sale."),
        ("live", None),
    ]
    assert items[0]["stands"] == []
    (stands,) = items[1]["stands"]
    assert (stands["service"], stands["release"], stands["commit"]) == ("web", "web-1", release.commit)
    assert (stands["deployment"], stands["verified_at"]) == (done.pk, "2026-01-05T00:00:00+00:00")
    path = f"/holds/{held['number']}/lift"
    assert call("post", path, world.releaser, {"version": 1, "reason": ""}).status_code == 400
    assert call("post", path, world.outsider, {"version": 1, "reason": "Over."}).status_code == 404
    lifted = call("post", path, world.releaser, {"version": 1, "reason": "Over."}).json()
    assert (lifted["state"], lifted["lift_reason"]) == ("lifted", "Over.")
    again = call("post", path, world.releaser, {"version": 2, "reason": "Over."})
    assert (again.status_code, error(again)["state"], error(again)["allowed"]) == (409, "lifted", [])


# Policies, releases -----------------------------------------------------------------


def test_a_policy_is_set_over_the_one_that_was_read(call: Call, world: World) -> None:
    path = "/projects/MC/policy"
    assert call("get", path, world.viewer).json() == {
        "number": 0,
        "severities": ["critical"],
        "ages": {},
        "categories": [],
        "checks": False,
        "waived_holds": False,
        "council": False,
        "valid_hours": 24,
    }
    sent = {"number": 0, "severities": ["high", "critical", "high"], "valid_hours": 4}
    assert call("post", path, world.releaser, sent).status_code == 403
    made = call("post", path, world.owner, sent).json()
    assert (made["number"], made["severities"], made["valid_hours"]) == (1, ["critical", "high"], 4)
    for wrong in ({"ages": {"awful": 3}}, {"ages": {"high": 0}}, {"categories": ["x" * 61]}):
        assert call("post", path, world.owner, sent | {"number": 1} | wrong).status_code == 400
    assert call("post", path, world.owner, sent).status_code == 409
    for wrong, field in [({"severities": ["awful"]}, "severities"), ({"valid_hours": 0}, "valid_hours")]:
        answer = call("post", path, world.owner, sent | {"number": 1} | wrong)
        assert (answer.status_code, error(answer)["field"]) == (400, field)
    assert Policy.objects.count() == 1


def test_a_release_is_read_and_held(call: Call, world: World) -> None:
    service = build.service(world.mc, "web")
    release = build.release(service, open_findings=[7], title="Oil the door")
    path = f"/releases/{release.pk}"
    found = call("get", path, world.viewer).json()
    assert (found["name"], found["title"], found["open_findings"], found["hold"]) == (
        "web-1",
        "Oil the door",
        [7],
        None,
    )
    assert call("get", path, world.outsider).status_code == 404
    first = call("post", f"{path}/hold", world.releaser, {"reason": "It leaks."}).json()
    second = call("post", f"{path}/hold", world.releaser, {"reason": "Twice."}).json()
    assert (second["number"], second["reason"]) == (first["number"], "It leaks.")
    assert call("get", path, world.viewer).json()["hold"]["reason"] == "It leaks."
    assert Hold.objects.count() == 1

"""The kinds of step, pauses and waivers through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deployments.models import Environment, Step
from portal.core.clock import Wall
from tests.deployments import careful, pages
from tests.factories import World

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
BOLD = [{"kind": "migrate", "name": "Drop the old tables", "command": ["./migrate"]}]


def test_careful_steps_are_written_waived_and_ended_through_the_api(call: Call, world: World) -> None:
    waits = careful.place(world, "vault", "cellar", BOLD, migrations_rehearsed=True).ask(world.releaser)
    pausing = pages.walked(careful.place(world, "till", "counter").ask(world.releaser), steps=4)
    pages.begun(pausing)
    Step.objects.filter(deployment=pausing, n=5).update(due_at=Wall(600))
    steps = [{key: value for key, value in step.items() if key != "n"} for step in careful.STEPS]
    made = call("post", "/projects/MC/services", world.owner, {"name": "books", "steps": steps + BOLD})
    assert made.status_code == 200, made.content
    assert made.json()["warnings"][0].startswith("Drop the old tables cannot come back")
    assert made.json()["steps"][5]["statuses"] == [200, 302]
    wrong = call("post", "/projects/MC/services", world.owner, {"name": "x", "steps": [{"kind": "wait", "name": "W"}]})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "steps.0.pause_seconds")
    whole = call("get", f"/deployments/{waits.pk}", world.owner).json()
    assert "waive" in whole["allowed"]
    assert {"rehearsal", "one_way"} <= {one["kind"] for one in whole["gate"]["conditions"] if not one["met"]}
    waive = {"kind": "rehearsal", "plan_digest": waits.plan_digest, "reason": "Empty."}
    assert call("post", f"/deployments/{waits.pk}/waive", world.releaser, waive).status_code == 409
    assert call("post", f"/deployments/{waits.pk}/waive", world.owner, waive).status_code == 200
    ended = call("post", f"/deployments/{pausing.pk}/end_wait", world.releaser, {"step": 5, "reason": "Settled."})
    assert ended.status_code == 200, ended.content
    step = call("get", f"/deployments/{pausing.pk}", world.viewer).json()["steps"][4]
    assert (step["state"], step["pause_seconds"], step["message"]) == ("succeeded", 600, "Ended early: Settled.")
    place = Environment.objects.get(name="cellar")
    path = f"/environments/{place.pk}/settings"
    changed = call("post", path, world.owner, {"version": 1, "migrations_rehearsed": False})
    assert changed.json()["migrations_rehearsed"] is False

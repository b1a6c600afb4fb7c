"""Deployments through the API: asked for, read with their gate, approved, stopped, answered, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import interruptions, step_jobs
from deployments.models import Approval, Deployment, Environment, Hold
from portal.core.unit import unit_of_work
from reviews.models import Finding, Series
from tests import factories
from tests.deployments import build
from tests.deployments.shipyard import Reporter, Shipyard, again
from tests.factories import World
from workers.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
Call = Callable[..., Any]


@pytest.fixture
def yard(world: World, tmp_path: Path, settings: Any) -> Iterator[Shipyard]:
    settings.DATA_DIR = tmp_path / "data"
    settings.LIMITS = {**settings.LIMITS, "HEALTH_ANSWERS": 1}
    with Reporter(tmp_path).running() as reporter:
        yield Shipyard(world.mc, tmp_path, reporter)


def ask(call: Call, world: World, by: Any = None, **more: Any) -> Any:
    body = {"service": "web", "environment": "production", **more}
    return call("post", "/projects/MC/deployments", by or world.releaser, body)


def asked(call: Call, world: World, yard: Shipyard, **more: Any) -> Deployment:
    """A deployment by the API, prepared and run as far as it goes."""
    answer = ask(call, world, **more)
    assert answer.status_code == 200, answer.content
    return yard.run(Deployment.objects.get(pk=answer.json()["number"]))


def error(answer: Any) -> dict[str, Any]:
    return dict(answer.json()["error"])


def read(call: Call, world: World, deployment: Deployment) -> dict[str, Any]:
    return dict(call("get", f"/deployments/{deployment.pk}", world.viewer).json())


def test_a_deployment_is_asked_for_once_and_read_with_all_that_it_did(call: Call, world: World, yard: Shipyard) -> None:
    first, second = ask(call, world, asked="main").json(), ask(call, world, asked="main").json()
    assert (first["new"], second["new"], second["number"]) == (True, False, first["number"])
    assert (first["state"], first["requester"], first["allowed"]) == ("preparing", "Releaser", ["cancel"])
    done = yard.run(Deployment.objects.get(pk=first["number"]))
    found = read(call, world, done)
    assert (found["state"], found["commit"], found["release"]) == ("succeeded", yard.head, "web-1")
    assert (found["previous"], found["plan_digest"]) == ("", done.plan_digest)
    assert found["gate"]["open"] is True and found["gate"]["reasons"] == []
    steps = [(step["n"], step["phase"], step["name"], step["state"], step["exit_code"]) for step in found["steps"]]
    assert steps == [
        (1, "forward", "Build", "succeeded", 0),
        (2, "forward", "Migrate", "succeeded", 0),
        (3, "forward", "Restart", "succeeded", 0),
        (4, "forward", "Health", "succeeded", 0),
        (5, "back", "Undo: Migrate", "waiting", None),
    ]
    assert found["allowed"] == ["roll_back"] and found["interruption"] is None


def test_what_cannot_be_asked_for_is_refused_by_the_name_of_its_field(call: Call, world: World, yard: Shipyard) -> None:
    for body, field, status in [
        ({"service": "nothing"}, "service", 422),
        ({"environment": "nowhere"}, "environment", 422),
        ({"asked": "-x"}, "asked", 400),
        ({"asked": "x" * 201}, "asked", 400),
        ({"asked": 7}, "asked", 400),
        ({"commit": "abcdef1"}, "commit", 400),
    ]:
        answer = ask(call, world, **body)
        assert (answer.status_code, error(answer)["field"]) == (status, field)
    assert not Deployment.objects.exists()
    assert ask(call, world, by=world.reviewer).status_code == 403
    assert ask(call, world, by=world.outsider).status_code == 404


def test_the_list_has_what_the_user_sees_and_is_narrowed(call: Call, world: World) -> None:
    service, live, test = build.service(world.mc, "web"), *(build.environment(world.mc, n) for n in ("live", "test"))
    one = build.deployment(world.mc, "succeeded", service=service, environment=live)
    two = build.deployment(world.mc, "failed", service=service, environment=test)
    three = build.deployment(world.mc, "refused", environment=live)
    build.deployment(factories.project("OT", "Other"), "failed")

    def numbers(query: str = "") -> list[int]:
        return [item["number"] for item in call("get", f"/deployments{query}", world.viewer).json()["items"]]

    assert numbers() == [three.pk, two.pk, one.pk]
    assert numbers("?environment=live") == [three.pk, one.pk]
    assert numbers("?service=web&state=failed") == [two.pk]
    assert numbers("?project=OT") == []
    page = call("get", "/deployments?limit=2", world.viewer).json()
    assert page["next"] == str(two.pk) and numbers(f"?before={page['next']}") == [one.pk]
    assert error(call("get", "/deployments?state=lost", world.viewer))["field"] == "state"
    assert call("get", "/deployments", world.outsider).json()["items"] == []


def test_a_lists_queries_do_not_grow(call: Call, world: World, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert call("get", "/deployments", world.viewer).status_code == 200
        return len(caught)

    build.deployment(world.mc, "succeeded", release=build.release(build.service(world.mc)))
    few = queries()
    for _ in range(4):
        build.deployment(world.mc, "succeeded", release=build.release(build.service(world.mc)))
    assert queries() == few


def test_a_closed_gate_says_each_reason_and_what_lifts_it(call: Call, world: World, yard: Shipyard) -> None:
    series = Series.objects.create(project=world.mc, name="Security")
    finding = Finding.objects.create(series=series, identity="x", title="Open", severity="critical", state="open")
    Environment.objects.update(approvals_needed=1)
    waits = asked(call, world, yard)
    gate = read(call, world, waits)["gate"]
    assert (gate["open"], gate["go"]) == (False, False)
    assert [(reason["finding"], reason["lift"]) for reason in gate["reasons"]] == [
        (finding.pk, "make it a ticket, or answer it")
    ]
    assert [(one["kind"], one["met"], one["detail"]) for one in gate["conditions"]] == [
        ("approvals", False, "0 of 1: nobody yet")
    ]
    Finding.objects.update(state="waived", version=2)
    assert call("post", f"/deployments/{waits.pk}/look_again", world.releaser).json()["state"] == "waiting_gate"
    assert read(call, world, waits)["gate"]["go"] is True


def test_approving_takes_the_role_a_token_that_may_write_and_another_person(
    call: Call, world: World, yard: Shipyard, token: Callable[..., str]
) -> None:
    Environment.objects.update(approvals_needed=1)
    waits = asked(call, world, yard)
    path, body = f"/deployments/{waits.pk}/approve", {"plan_digest": waits.plan_digest, "reason": "Read."}
    assert call("post", path, world.reviewer, body).status_code == 403
    reading = token(world.owner, may_write=False)
    assert call("post", path, world.owner, body, Authorization=f"Bearer {reading}").status_code == 403
    own = call("post", path, world.releaser, body)
    assert own.status_code == 409 and "You asked for this deployment" in error(own)["message"]
    assert (error(own)["state"], error(own)["allowed"]) == ("waiting_gate", ["look_again", "approve", "cancel"])
    old = call("post", path, world.owner, body | {"plan_digest": "0" * 64})
    assert old.status_code == 409 and "The plan has changed" in error(old)["message"]
    for reason, status in ((" ", 400), ("x" * 501, 413)):
        assert call("post", path, world.owner, body | {"reason": reason}).status_code == status
    assert not Approval.objects.exists()
    assert call("post", path, world.owner, body).json()["state"] == "queued"
    assert call("post", path, world.owner, body).status_code == 409
    given = read(call, world, waits)
    assert [(one["by"], one["counts"], one["reason"]) for one in given["approvals"]] == [("Owner", True, "Read.")]
    assert call("post", f"/deployments/{waits.pk}/withdraw", world.releaser, {}).status_code == 409
    assert call("post", f"/deployments/{waits.pk}/withdraw", world.owner, {"reason": "No."}).status_code == 200
    assert read(call, world, waits)["approvals"][0]["state"] == "withdrawn"
    # Its first step asks the gate again, in the transaction that would start it.
    assert yard.run(waits).state == "waiting_gate"


def test_one_that_waits_is_cancelled_with_a_reason_under_its_version(call: Call, world: World, yard: Shipyard) -> None:
    Environment.objects.update(approvals_needed=1)
    waits = asked(call, world, yard)
    path = f"/deployments/{waits.pk}/cancel"
    for body, status in [
        ({"version": waits.version}, 400),
        ({"version": waits.version, "reason": " "}, 400),
        ({"version": waits.version, "reason": "x" * 501}, 400),
        ({"version": waits.version + 1, "reason": "No"}, 409),
        ({"version": waits.version, "reason": "Not today."}, 200),
    ]:
        assert call("post", path, world.releaser, body).status_code == status, body
    assert (again(waits).state, again(waits).why) == ("cancelled", "Not today.")


def test_an_interruption_is_read_with_its_choices_and_answered_once(call: Call, world: World, yard: Shipyard) -> None:
    yard.set_step(3, command=yard.restart("deadbeef"))
    yard.set_step(4, wall_seconds=1)
    held = asked(call, world, yard)
    found = read(call, world, held)
    interruption = found["interruption"]
    assert (found["state"], found["allowed"]) == ("interrupted", ["answer"])
    assert interruption["step"] == 4 and "never reported" in interruption["detail"]
    assert interruption["choices"] == ["retry", "skip", "roll_back", "fail"]
    path, body = f"/deployments/{held.pk}/answer", {"interruption": interruption["number"], "choice": "roll_back"}
    for wrong, status in [
        ({"choice": "pray"}, 400),
        ({"choice": "done", "reason": "x"}, 409),
        ({"interruption": interruption["number"] + 1}, 422),
        ({}, 409),
    ]:
        assert call("post", path, world.releaser, body | wrong).status_code == status, wrong
    no = call("post", f"/deployments/{held.pk}/roll_back", world.releaser, {"version": held.version, "reason": "x"})
    assert no.status_code == 409 and "answer its interruption" in error(no)["message"]
    done = call("post", path, world.releaser, body | {"reason": "Not ours."}).json()
    assert (done["state"], done["why"]) == ("rolling_back", "Not ours.")
    assert call("post", path, world.releaser, body | {"reason": "Again."}).status_code == 409
    assert yard.run(held).state == "rolled_back"
    assert Hold.objects.get().reason == "Rolled back: Not ours."


def test_a_running_step_is_stopped_by_its_number(call: Call, world: World) -> None:
    held = build.deployment(world.mc, "running", release=build.release(build.service(world.mc)))
    step = build.step(held, "running")
    with unit_of_work():
        step_jobs.enqueue(step)
    path = f"/deployments/{held.pk}/stop"
    assert read(call, world, held)["allowed"] == ["stop"]
    other = call("post", path, world.releaser, {"step": 2, "reason": "x"})
    assert other.status_code == 409 and "Step 1 does." in error(other)["message"]
    assert call("post", path, world.releaser, {"step": 1, "reason": ""}).status_code == 400
    assert call("post", path, world.releaser, {"step": 1, "reason": "It hangs."}).status_code == 200
    assert Job.objects.get().state == "cancelled"
    assert again(held).state == "interrupted"
    assert interruptions.open_of(held) is not None


def test_what_stands_there_is_taken_back_once(call: Call, world: World, yard: Shipyard) -> None:
    done = asked(call, world, yard)
    path = f"/deployments/{done.pk}/roll_back"
    assert call("post", path, world.reviewer, {"version": done.version, "reason": "x"}).status_code == 403
    assert call("post", path, world.releaser, {"version": 1, "reason": "x"}).status_code == 409
    back = call("post", path, world.releaser, {"version": done.version, "reason": "It is slow."})
    assert (back.status_code, back.json()["state"]) == (200, "rolling_back")
    assert call("post", path, world.releaser, {"version": back.json()["version"], "reason": "x"}).status_code == 409
    assert yard.run(done).state == "rolled_back"

"""Two starts, two answers, two looks at one moment: one of them counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import interruptions, requesting
from deployments.models import Deployment, Interruption, PipelineStep
from portal.core.lifecycle import Refused
from tests.deployments import build
from tests.workers.racing import race
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ROUNDS = 5


@pytest.fixture(autouse=True)
def _folder(tmp_path: Any, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "data"


def _drain(name: str) -> int:
    from workers.draining import Drain
    from workers.leases import LeaseKeeper

    return Drain("steps", name, LeaseKeeper(name), lambda: False).run()


def test_of_two_that_start_into_one_place_at_once_one_has_it(world: World) -> None:
    for _ in range(ROUNDS):
        service, place = (
            build.service(world.mc, kind="manual", command=[], instructions="Wait."),
            build.environment(world.mc),
        )
        PipelineStep.objects.filter(service=service).update(n=2)
        PipelineStep.objects.create(service=service, n=1, kind="command", name="Begin", command=["true"])
        asked = [requesting.request(service, place, asked=str(n) * 7, by=None) for n in (1, 2)]
        _drain("steps@first")
        # Both gates were open before either started: each has its job.
        race(_drain, [("steps@a",), ("steps@b",)])
        states = sorted(Deployment.objects.filter(pk__in=[one.pk for one in asked]).values_list("state", flat=True))
        assert states in (["cancelled", "interrupted"], ["interrupted", "waiting_gate"]), states


def test_of_two_answers_to_an_interruption_one_counts(world: World) -> None:
    for _ in range(ROUNDS):
        service = build.service(world.mc, kind="manual", command=[], instructions="Wait.")
        PipelineStep.objects.create(service=service, n=0, kind="command", name="Begin", command=["true"])
        deployment = requesting.request(service, build.environment(world.mc), by=world.owner)
        _drain("steps@one")
        interruption = Interruption.objects.get(deployment=deployment)
        results = race(_answer, [(interruption.pk, "done", world.owner.pk), (interruption.pk, "fail", world.owner.pk)])
        assert sorted(results) == [False, True]
        deployment.refresh_from_db()
        assert deployment.state in {"succeeded", "failed"}


def _answer(interruption: int, choice: str, person: int) -> bool:
    from portal.core.models import User

    found = Interruption.objects.select_related("deployment__service__project", "deployment__environment", "step").get(
        pk=interruption
    )
    try:
        interruptions.answer(found, choice, by=User.objects.get(pk=person), reason="Raced.")
    except Refused:
        return False
    return True


def test_many_looks_at_an_open_gate_queue_one_step(world: World) -> None:
    deployment = requesting.request(build.service(world.mc), build.environment(world.mc, approvals_needed=1))
    _drain("steps@one")
    type(deployment.environment).objects.update(approvals_needed=0)
    race(requesting.look_at_waiting, [()] * 4)
    deployment.refresh_from_db()
    assert deployment.state == "queued"
    assert Job.objects.filter(kind="deployment.step").count() == 1

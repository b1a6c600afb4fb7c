"""A deployment's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction

from deployments import rollout
from deployments.models import Deployment
from portal.core.lifecycle import Refused
from tests import factories
from tests.deployments import build
from tests.reviews.build import finding
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World


def test_a_closed_gate_is_recorded_and_starts_nothing(world: World) -> None:
    finding(world.mc)
    deployment = rollout.request(build.service(world.mc), build.environment(world.mc), commit="a" * 40)
    assert (deployment.state, deployment.verdict.go, deployment.steps.count()) == ("refused", False, 0)
    assert not Job.objects.exists()


def test_an_open_gate_queues_one_step(world: World) -> None:
    deployment = rollout.request(build.service(world.mc), build.environment(world.mc))
    job = Job.objects.get()
    assert (deployment.state, deployment.steps.get().state) == ("queued", "waiting")
    assert (job.kind, job.subject, job.audience) == ("deployment.step", deployment.subject, world.mc.scope)


def test_one_is_on_its_way_at_a_time(world: World) -> None:
    service, environment = build.service(world.mc), build.environment(world.mc)
    first = rollout.request(service, environment)
    assert rollout.request(service, environment) == first
    # Long after the first click it is no second click.
    Deployment.objects.update(requested_at="2026-01-01T00:00:00Z")
    with pytest.raises(Refused, match="on its way already"):
        rollout.request(service, environment)
    assert Deployment.objects.count() == 1
    rollout.request(service, build.environment(world.mc))
    with pytest.raises(IntegrityError), transaction.atomic():
        build.deployment(world.mc, "running", service=service, environment=environment)


def test_service_and_environment_are_of_one_project(world: World) -> None:
    with pytest.raises(Refused, match="different projects"):
        rollout.request(build.service(world.mc), build.environment(factories.project("LAN")))

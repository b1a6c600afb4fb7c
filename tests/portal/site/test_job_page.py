"""A job's page: what it waits for, and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from workers import claims, output, presence, queue
from workers.agents import trials
from workers.models import Agent, AgentVersion, Job

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World


@pytest.fixture
def as_admin(world: World, sign_in: Callable[[User | None], Client]) -> Client:
    return sign_in(world.admin)


def shown(client: Client, job: Job) -> str:
    return client.get(reverse("job", args=[job.pk])).content.decode()


@pytest.fixture
def job(db: None) -> Job:
    agent = Agent.objects.create(name="dev")
    AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
    )
    trials.ask(agent)
    return Job.objects.get()


def test_a_job_of_one_machine_says_so_and_whether_a_worker_is_there(as_admin: Client, job: Job) -> None:
    Job.objects.update(host="build-7")
    page = shown(as_admin, job)
    assert "It waits for a worker of the machine <bdi>build-7</bdi>" in page
    assert "No worker of that machine is alive" in page
    presence.arrived("turns@build-7", "turns")
    presence.Worker.objects.update(host="build-7")
    assert "A worker of that machine is alive" in shown(as_admin, job)
    queue.cancel(job, reason="no")
    assert "It waits for" not in shown(as_admin, job)


def test_a_job_of_any_machine_says_nothing_of_it(as_admin: Client, job: Job) -> None:
    assert "It waits for" not in shown(as_admin, job)


@pytest.mark.django_db(transaction=True)
def test_what_a_running_job_writes_is_followed_live_and_read_again_whole(as_admin: Client, job: Job) -> None:
    address = reverse("job_output", args=[job.pk])
    assert as_admin.get(address).status_code == 404
    [claim] = claims.claim("turns", [trials.KIND], worker="w", most=1)
    output.store(claim, [(0, 6, "begun\n")])
    page = shown(as_admin, job)
    assert f'data-live="output:{claim.attempt_id}"' in page
    assert "begun\n" in page
    assert "begun\n" in as_admin.get(address).content.decode()

"""Rows of every kind, so that every page has something to show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

Fill = Callable[[int], None]


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def schema() -> None:
    """The guard's answer is pinned, so that no page asks in the middle of a count."""
    from portal.core import guard
    from portal.site import health

    report = guard.Report(guard.Answer.START, "ok", "The database is what the code expects.", "test", "sqlite")
    guard.remember(report)
    health.Standing.report = None


@pytest.fixture
def sign_in(client: Client) -> Callable[[User | None], Client]:
    def as_(user: User | None) -> Client:
        client.logout()
        if user is not None:
            client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        return client

    return as_


@pytest.fixture
def fill(world: World) -> Fill:
    """``fill(30)`` makes thirty of each thing that waits in project MC, numbered from where the last call ended."""
    made = 0

    def more(count: int) -> None:
        nonlocal made
        for n in range(made, made + count):
            _one_of_each(world, n)
        made += count

    return more


def _one_of_each(world: World, n: int) -> None:
    from tickets.models import Ticket, TicketState
    from workers.models import Agent, AgentVersion, Worker

    now = datetime.now(UTC)
    agent = Agent.objects.create(name=f"agent-{n}")
    version = AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
    )
    for place, state in enumerate(TicketState):
        number = 100 * n + place + 1
        Ticket.objects.create(
            project=world.mc,
            number=number,
            key=f"MC-{number}",
            title=f"Ticket {number}",
            state=state,
            agent_version=version,
        )
    Worker.objects.create(name=f"short@host.{n}", pool="short", host="host", pid=n + 1)
    _jobs(world, n, now)
    _reviews(world, n)
    _deployment(world, n)


def _jobs(world: World, n: int, now: datetime) -> None:
    from workers.models import Attempt, AttemptOutput, Job, JobState

    for state in JobState:
        running = state == JobState.RUNNING
        ended = state in {JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED}
        job = Job.objects.create(
            kind="sample",
            pool="short",
            subject=f"ticket:MC-{n}",
            audience=world.mc.scope,
            state=state,
            fence=1,
            worker=f"short@host.{n}" if running else "",
            lease_until=now + timedelta(minutes=1) if running else None,
            finished_at=now if ended else None,
            error="first line\nlast line" if state == JobState.DEAD else "",
        )
        if state != JobState.QUEUED:
            attempt = Attempt.objects.create(
                job=job,
                fence=1,
                worker="short@host",
                outcome="running" if running else "failed",
                ended_at=None if running else now,
            )
            AttemptOutput.objects.create(attempt=attempt, offset=0, length=6, text="output")


def _reviews(world: World, n: int) -> None:
    from reviews.models import Finding, Occurrence, Review, Series

    series = Series.objects.create(project=world.mc, name=f"Series {n}")
    review = Review.objects.create(
        series=series,
        number=1,
        title=f"Review {n}",
        content=b"# x",
        digest=hashlib.sha256(str(n).encode()).hexdigest(),
        state="planned",
    )
    finding = Finding.objects.create(
        series=series, identity=f"F-{n}", reference=f"F-{n}", title="A hole", severity="critical", state="open"
    )
    Occurrence.objects.create(finding=finding, review=review, line_start=1, line_end=2)


def _deployment(world: World, n: int) -> None:
    from deployments.models import Deployment, Environment, Service, Verdict

    service = Service.objects.create(project=world.mc, name=f"service-{n}", command=["true"])
    environment = Environment.objects.create(project=world.mc, name=f"place-{n}")
    verdict = Verdict.objects.create(project=world.mc, digest="0" * 64, go=False, blocking=[1])
    Deployment.objects.create(service=service, environment=environment, verdict=verdict, state="refused")

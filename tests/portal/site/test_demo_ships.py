"""The demo ships through the portal's own door: refused, mended, accepted, deployed, failed, rolled back."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import requesting
from deployments.models import Deployment, Environment, PipelineStep, Service, Step
from portal.core.models import User
from portal.site.demo import folders, hosting, loading, removing
from tests.engines import children, leaks
from tests.portal.site.demo_place import admin, git, place
from tickets import work
from tickets.models import Project, Ticket
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Agent

__all__ = ["place"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.once,
]
ROOT = Path(__file__).resolve().parents[3]
LIT = "4 of 5 lights are lit"
MENDED = "3 of 5 lights are lit"


@pytest.fixture
def owner(place: Path) -> User:
    return admin()


@pytest.fixture
def demo(owner: User) -> Project:
    project, _ = loading.load()
    # What never reports the right commit is not waited for longer than it takes to see that.
    PipelineStep.objects.filter(service__project=project, kind="health").update(wall_seconds=3)
    return project


@pytest.fixture(autouse=True)
def one_right_answer_is_enough(settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "HEALTH_ANSWERS": 1}


@pytest.fixture
def host(demo: Project, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    running = children.start(hosting.command(), cwd=ROOT, env=dict(os.environ), log=place / "host.log")
    children.wait_for("the host", folders.socket().exists, process=running)
    yield running
    children.end(running)
    leaks.expect_none("DEPLOY_FOLDER", str(folders.folder()))


def drain() -> None:
    for pool in ("short", "turns", "steps", "short"):
        Drain(pool, f"{pool}@test", LeaseKeeper(f"{pool}@test"), lambda: False).run()


def deploy(demo: Project, owner: User, name: str, asked: str = "") -> Deployment:
    service, environment = Service.objects.get(project=demo), Environment.objects.get(project=demo, name=name)
    deployment = requesting.request(service, environment, asked=asked, by=owner)
    for _ in range(2):
        drain()
        deployment = Deployment.objects.get(pk=deployment.pk)
        if deployment.state == "waiting_gate":
            requesting.look_again(deployment)
    return Deployment.objects.get(pk=deployment.pk)


def get(demo: Project, name: str, path: str = "/") -> str:
    return ask(Environment.objects.get(project=demo, name=name).variables["PORT"], path)


def ask(port: str, path: str) -> str:
    client = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        client.request("GET", path)
        return client.getresponse().read().decode()
    finally:
        client.close()


def commit(demo: Project, name: str) -> str:
    return str(json.loads(get(demo, name, "/health"))["commit"])


def mended(owner: User) -> Ticket:
    """The critical finding's ticket, after an agent had it and a person took it in."""
    work.assign(Ticket.objects.get(key="DEMO-1"), Agent.objects.get(name="demo-mender"))
    drain()
    work.accept(Ticket.objects.get(key="DEMO-1"), by=owner, reason="Read it.")
    drain()
    ticket = Ticket.objects.get(key="DEMO-1")
    assert ticket.state == "done"
    return ticket


def test_from_a_closed_gate_to_a_fix_that_is_live_and_back_from_a_hurried_commit(
    host: subprocess.Popen[bytes], demo: Project, owner: User
) -> None:
    assert LIT in get(demo, "production"), "the fault is there to see, before anything was deployed"
    refused = deploy(demo, owner, "production")
    assert (refused.state, refused.verdict and refused.verdict.go) == ("waiting_gate", False)
    requesting.cancel(refused, expected_version=refused.version, reason="The fault first.")
    ticket = mended(owner)

    deployed = deploy(demo, owner, "production")
    assert deployed.state == "succeeded", list(Step.objects.filter(deployment=deployed).values("name", "message"))
    assert MENDED in get(demo, "production")
    assert commit(demo, "production") == deployed.commit == ticket.merged_commit
    assert LIT in get(demo, "staging")

    back = deploy(demo, owner, "production", "hurried")
    assert back.state == "rolled_back", list(Step.objects.filter(deployment=back).values("name", "state", "message"))
    assert commit(demo, "production") == deployed.commit
    failed = Step.objects.get(deployment=back, kind="health", phase="forward")
    assert f"reports {git('rev-parse', 'hurried~2')[:9]}" in failed.message

    port = Environment.objects.get(project=demo, name="production").variables["PORT"]
    assert removing.remove()
    with pytest.raises(OSError):
        ask(port, "/")

"""Shiproom deploys itself: two web processes are replaced, one after the other, and nobody outside notices.

Real workers run a real pipeline. The proxy gives each request to one process
and never to a second one; the visitors try nothing twice either.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import override_settings

from tests import factories
from tests.engines import children
from tests.engines.stack import ROOT, Stack
from tests.engines.visitor import Visitor
from tests.traffic import Follower, Traffic

if TYPE_CHECKING:
    from deployments.models import Deployment
    from tickets.models import Project

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(480)]
CODE = ("portal", "workers", "tickets", "reviews", "deployments", "manage.py")
DEPLOY_SECONDS = 150
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tickets", "{last}")]
    operations = [migrations.AddField("ticket", "berth", models.CharField(max_length=20, null=True))]
"""


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-C", str(folder), *IDENTITY, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """This code as the branch main; the branch next has another version, and a column more."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    _commit(folder, "This code")
    git(folder, "checkout", "-q", "-b", "next")
    _expand(folder)
    _commit(folder, "A column more")
    git(folder, "checkout", "-q", "main")
    return folder


def _commit(folder: Path, words: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", words)


def _expand(folder: Path) -> None:
    """A nullable column of tickets: model, migration, and what the schema guard compares with."""
    from django.db.migrations.loader import MigrationLoader

    [(_, last)] = MigrationLoader(None).graph.leaf_nodes("tickets")
    (folder / "tickets" / "migrations" / "9000_berth.py").write_text(textwrap.dedent(MIGRATION.format(last=last)))
    _replace(folder / "portal" / "__init__.py", "__version__ = ", "__version__ = 'next' or ")
    column = "    berth = models.CharField(max_length=20, null=True, editable=False)\n"
    anchor = "    title = models.CharField(max_length=200)\n"
    _replace(folder / "tickets" / "models" / "tickets.py", anchor, anchor + column)
    path = folder / "portal" / "core" / "guard" / "manifests" / "postgresql.json"
    manifest = json.loads(path.read_text())
    manifest["migrations"]["tickets"].append("9000_berth")
    manifest["tables"]["tickets_ticket"]["columns"]["berth"] = {"nullable": True, "type": "character varying(20)"}
    path.write_text(json.dumps(manifest))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new))


@pytest.fixture
def running(open_stack: Callable[..., AbstractContextManager[Stack]], tmp_path: Path) -> Iterator[Stack]:
    """Workers, and the machine's host: web processes are the pipeline's to start."""
    from portal.site.demo import folders, hosting

    with open_stack(
        BACKUP_BEFORE_MIGRATE="0", REHEARSAL_MAX_BYTES="0", LEASE_SECONDS="30", HEARTBEAT_SECONDS="5"
    ) as stack:
        shutil.rmtree(folders.folder(), ignore_errors=True)
        folders.socket().parent.mkdir(exist_ok=True)
        stack.worker("short")
        stack.worker("steps")
        host = stack.spawn(tmp_path / "host.log", hosting.command(), stack.environment)
        children.wait_for("the host", folders.socket().exists, process=host)
        try:
            yield stack
        finally:
            children.end(host)


@pytest.fixture
def world(running: Stack) -> factories.World:
    # Signed in through the real door, which knows the product's hashes alone.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        return factories.world()


def without_backup(project: Project) -> None:
    """Four of them would take half of the time; they have tests of their own."""
    from deployments import places
    from deployments.models import Service
    from portal.site.demo import itself

    service = Service.objects.get(project=project)
    steps = [step for step in itself.steps() if step.name != "Backup"]
    places.change_pipeline(service, expected_version=service.version, steps=steps)


def deploy(project: Project, branch: str) -> Deployment:
    """Ask for it, and return once it has succeeded."""
    from deployments import requesting
    from deployments.models import ENDED_STATES, Deployment, Environment, Service

    service, environment = Service.objects.get(project=project), Environment.objects.get(project=project)
    deployment = requesting.request(service, environment, asked=branch)
    deadline = time.monotonic() + DEPLOY_SECONDS
    while deployment.state not in {*ENDED_STATES, "interrupted"} and time.monotonic() < deadline:
        time.sleep(0.1)
        deployment = Deployment.objects.get(pk=deployment.pk)
        if deployment.state == "waiting_gate":
            requesting.look_again(deployment)
    assert deployment.state == "succeeded", f"{deployment.state}: {deployment.why}\n{_said(deployment)}"
    return deployment


def _said(deployment: Deployment) -> str:
    """What its steps have written."""
    from workers.models import AttemptOutput

    steps = [step.attempt_id for step in deployment.steps.order_by("n")]
    pieces = AttemptOutput.objects.filter(attempt__in=steps).order_by("attempt_id", "offset")
    return "".join(pieces.values_list("text", flat=True))


def test_three_rolling_restarts_of_itself_under_traffic_fail_no_request_and_lose_no_event(
    running: Stack, world: factories.World, repository: Path, tmp_path: Path
) -> None:
    from portal.core import tokens
    from portal.live import streams
    from portal.site.demo import itself
    from tickets import work
    from tickets.models import Message, Ticket

    project, _ = itself.load(repository)
    without_backup(project)
    port = int(itself.variables_of(project)["PORT"])
    main, following = git(repository, "rev-parse", "main"), git(repository, "rev-parse", "next")
    assert deploy(project, "main").commit == main
    ticket = work.create_ticket(world.mc, title="What everybody talks about")
    token = tokens.issue(world.operator, name="traffic", days=1, may_write=True)[1]
    visitor = Visitor(f"http://127.0.0.1:{port}")
    visitor.sign_in(world.operator.email, factories.PASSWORD)
    visitor.get("/tickets/new/")
    follower = Follower(visitor, ticket.subject, streams.cursors(ticket.subject)[ticket.subject])
    follower.start()
    traffic = Traffic("127.0.0.1", port, visitor, token, ticket.key, world.mc.key)
    try:
        with traffic:
            for branch in ("main", "next", "main"):
                began = time.monotonic()
                deploy(project, branch)
                print(f"\n{branch} took {time.monotonic() - began:.1f} s", end="")
            time.sleep(0.5)
            again = traffic.say(traffic.acknowledged["message"][0])
    finally:
        print(f"\n{traffic.figures}; the socket was closed with {follower.codes}")
    assert traffic.failed == []

    # both answered beside each other, twice, and the last word has the one that was deployed last
    assert {commit for commit in traffic.commits} == {main, following}
    assert len([commit for commit, _ in groupby(traffic.commits)]) > 4
    assert traffic.commits[-1] == main

    said = Counter(Message.objects.filter(ticket=ticket).values_list("body", flat=True))
    assert said == Counter(dict.fromkeys(traffic.acknowledged["message"], 1))
    opened = Counter(Ticket.objects.filter(title__startswith="ticket ").values_list("title", flat=True))
    assert opened == Counter(dict.fromkeys(traffic.acknowledged["ticket"], 1))
    assert again.headers["idempotent-replayed"] == "true", "a key that an earlier process took is known to this one"

    head = int(streams.cursors(ticket.subject)[ticket.subject].partition(":")[2])
    children.wait_for("the last event", lambda: follower.numbers and follower.numbers[-1] >= head, seconds=10)
    follower.stop()
    assert follower.numbers == list(range(follower.first + 1, head + 1))
    assert (follower.trouble, set(follower.codes)) == ([], {1012})

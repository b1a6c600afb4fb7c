"""Every failpoint: a process is killed right there, others take its work up, and nothing is lost or doubled.

One portal for all of them. They are armed a few at a time, while work of every
kind goes through it, and the checker of the soak looks at what came of it.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from portal.core.failpoints import Failpoint
from tests.engines import children
from tests.engines.stack import Stack
from tests.soak import checker, history, setting
from tests.soak.faults import Points
from tests.soak.fleet import Fleet
from tests.soak.history import History
from workers import kinds, queue
from workers.models import LIVE_STATES, Job, Schedule

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(240)]
LIMITS = {
    "LEASE_SECONDS": "3",
    "HEARTBEAT_SECONDS": "1",
    "LEASE_MARGIN_SECONDS": "1",
    "LOOK_INTERVAL_SECONDS": "1",
    "RETRY_CAP_SECONDS": "1",
    **{name: "100" for name in ("JOB_MAX_FAILURES", "JOB_MAX_LOSSES", "JOB_MAX_UNSEEN", "BREAKER_FAILURES")},
}
STORM_SECONDS = 120
REST_SECONDS = 60
JOBS = (
    ("soak.short", {}),
    ("soak.slow", {"seconds": 0.2, "child": True}),
    ("soak.turns", {"seconds": 1.2}),
    ("soak.short", {"fails": 1}),
)


@dataclass(slots=True)
class Storm:
    """What came of it."""

    reached: dict[Failpoint, list[int]]
    codes: dict[int, int | None]
    findings: checker.Findings
    orphans: dict[int, str]
    seconds: float
    tickets: list[str] = field(default_factory=list)


class Feeder:
    """Work of every kind, in this process: jobs all the time, one ticket and one deployment after the other."""

    def __init__(self, made: setting.Setting, found: History) -> None:
        self.made, self.history = made, found
        self.numbers = itertools.count(1)
        self.jobs = itertools.cycle(JOBS)
        self.tickets: list[Any] = []
        self.deployment: Any = None

    def feed(self) -> None:
        if Job.objects.filter(state="queued", kind__startswith="soak.").count() < 8:
            kind, payload = next(self.jobs)
            key = f"job-of-test-{next(self.numbers)}"
            exclusive = {"exclusive": True, "lane": setting.LANE} if kind != "soak.short" else {}
            queue.enqueue(kind, subject=f"soak:{len(key) % 3}", payload={"key": key, **payload}, **exclusive)
            self._said("job", key)
        self._work()
        self._deploy()

    def _said(self, what: str, key: str) -> None:
        self.history.write("asked", what=what, key=key)
        self.history.write("acknowledged", what=what, key=key)

    def _work(self, *, new: bool = True) -> None:
        """Two tickets at a time; what is in review is accepted."""
        from portal.core.models import User
        from tickets import conversation, work
        from workers.models import Agent

        for ticket in self.tickets:
            ticket.refresh_from_db()
            if ticket.state == "in_review":
                work.accept(ticket, by=User.objects.get(email="reviewer@example.org"), reason="")
                self._said("merge", ticket.key)
        if new and sum(ticket.state != "done" for ticket in self.tickets) < 2:
            title = f"Storm {next(self.numbers)}"
            ticket = work.create_ticket(self.made.project, title=title, body="")
            self._said("ticket", title)
            operator = User.objects.get(email="operator@example.org")
            conversation.post(ticket, author=operator, body="Mind this.", idempotency_key=title)
            self._said("message", title)
            work.assign(ticket, Agent.objects.get(name=setting.AGENT))
            self._said("turn", ticket.key)
            self.tickets.append(ticket)

    def _deploy(self) -> None:
        from deployments import requesting
        from deployments.models import Environment, Service
        from portal.core.models import User

        if self.deployment is not None:
            self.deployment.refresh_from_db()
        if self.deployment is None or self.deployment.ended_at is not None:
            service = Service.objects.get(name=self.made.service)
            place = Environment.objects.get(name=self.made.environment)
            releaser = User.objects.get(email="releaser@example.org")
            self.deployment = requesting.request(service, place, asked="main", by=releaser)
            self._said("deployment", str(self.deployment.pk))

    def is_done(self) -> bool:
        """Whether all has come to its end; what is in review goes on meanwhile."""
        self._work(new=False)
        self.deployment.refresh_from_db()
        live = Job.objects.filter(state__in=LIVE_STATES).exists()
        done = all(ticket.state == "done" for ticket in self.tickets)
        return done and not live and self.deployment.ended_at is not None


@pytest.fixture(scope="module")
def _kinds_of_the_soak() -> Iterator[None]:
    """What is enqueued here is known here; other tests see the kinds of the product alone."""
    import tests.soak.kinds  # noqa: F401

    yield
    for name in [name for name in kinds.known() if name.startswith("soak.")]:
        kinds._kinds.pop(name)


@pytest.fixture(scope="module")
def storm(
    _kinds_of_the_soak: None,
    open_stack: Callable[..., AbstractContextManager[Stack]],
    tmp_path_factory: pytest.TempPathFactory,
    engine: str,
) -> Iterator[Storm]:
    folder = tmp_path_factory.mktemp("storm")
    path = folder / "history.jsonl"
    path.touch()
    points = Points(folder / "points", 1, at_once=4)
    data = folder / "data"
    data.mkdir()
    options = {**LIMITS, "DATA_DIR": str(data), "FAILPOINTS_DIR": str(points.folder), "SOAK_HISTORY": str(path)}
    workers = {"turns": 2, "steps": 2, "short": 3} if engine == "postgresql" else {"turns": 2, "steps": 1, "short": 2}
    with override_settings(DATA_DIR=data), open_stack(**options) as stack:
        found = History(path, "test")
        made = setting.make(folder, path, None)
        fleet = Fleet(stack, found, workers, beats=1, web=False)
        try:
            yield _storm(fleet, points, Feeder(made, found), made.repository, path)
        finally:
            fleet.stop()
            connection.close()


def _storm(fleet: Fleet, points: Points, feeder: Feeder, repository: Path, path: Path) -> Storm:
    from tests.soak import export

    began = time.monotonic()
    fleet.start()
    while points.left and time.monotonic() - began < STORM_SECONDS:
        points.arm()
        feeder.feed()
        time.sleep(0.1)
    reached = points.reached()
    points.disarm()
    Schedule.objects.filter(name="soak").update(enabled=False)
    children.wait_for("the end of all work", feeder.is_done, seconds=REST_SECONDS)
    rows = export.export(repository)
    fleet.stop()
    lines = history.read(path)
    codes = {started["process"]: ended["code"] for started, ended in _lives(lines)}
    findings = checker.check(lines, rows)
    return Storm(reached, codes, findings, fleet.orphans(), time.monotonic() - began)


def _lives(lines: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each start of a process with the end that followed in its place."""
    last: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["event"] == "started":
            last[line["name"]] = line
        elif line["event"] == "ended":
            yield last[line["name"]], line


@pytest.mark.parametrize("point", Failpoint, ids=lambda point: point.file_name)
def test_a_worker_is_killed_exactly_there(storm: Storm, point: Failpoint) -> None:
    struck = storm.reached[point]
    assert len(struck) == 1, f"nothing came to where {point.value[0].lower()}{point.value[1:]}"
    assert storm.codes[struck[0]] == -signal.SIGKILL


def test_whatever_was_killed_nothing_is_lost_or_doubled_and_nothing_left_over(storm: Storm) -> None:
    print(f"{len(storm.codes)} processes were killed in {storm.seconds:.0f} s")
    assert storm.findings.ok, storm.findings
    assert storm.findings.acknowledged > 20
    assert storm.orphans == {}

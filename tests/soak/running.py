"""A run from its start to its verdict: feed the portal, break it, let it come to rest, hold it against its promises."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.db import Error as DatabaseFailure
from django.db import connection

from deployments.models import Deployment
from portal.core.failpoints import Failpoint
from portal.live.models import Stream
from tests import factories
from tests.deployments.shipyard import Reporter
from tests.engines import postgresql
from tests.engines.stack import FAST, MARK, Stack
from tests.soak import checker, export, faults, history, setting, verdict
from tests.soak.doors import Person
from tests.soak.faults import Faults, Points
from tests.soak.fleet import Fleet
from tests.soak.history import History
from tests.soak.load import Client, Enqueuer, Releaser, Worker
from tests.soak.readers import Reader
from tests.soak.servers import Database, Store
from workers.models import LIVE_STATES, Job, Schedule

T = TypeVar("T")
LEASE_SECONDS = 4
LIMITS = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "HEARTBEAT_SECONDS": "1",
    "LEASE_MARGIN_SECONDS": "1",
    "LOOK_INTERVAL_SECONDS": "2",
    "RETRY_CAP_SECONDS": "2",
    # What is killed for the test's sake must not count as a poison job, nor as a sick agent.
    **{name: "100" for name in ("JOB_MAX_FAILURES", "JOB_MAX_LOSSES", "JOB_MAX_UNSEEN", "BREAKER_FAILURES")},
    "HEALTH_ANSWERS": "1",
}
# One of turns more than there may be turns of the agent: what a stopped one loses is taken up at once.
WORKERS = {"turns": 3, "steps": 1, "short": 2}
# Past the time that was asked for: for what has not happened yet, and for what has begun.
OVERTIME_SECONDS = 120
REST_SECONDS = 180


@dataclass(slots=True)
class Run:
    """What takes part in a run."""

    stack: Stack
    history: History
    setting: setting.Setting
    fleet: Fleet
    faults: Faults
    points: Points
    over: threading.Event = field(default_factory=threading.Event)
    clients: list[Client] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def soak(minutes: float, seed: int, folder: Path, store: Store, database: Database | None) -> dict[str, Any]:
    """The verdict. The settings are read, the database is migrated and empty, the servers run."""
    reporter = Reporter(folder)
    with reporter.running():
        run = _prepare(seed, folder, store, database, reporter)
        try:
            run.fleet.start()
            _wait("the portal", run.stack.answers, 120)
            _begin(run, seed)
            say("breaking")
            _break(run, minutes * 60, seed)
            say("settling")
            _settle(run)
            rows = export.export(run.setting.repository)
            deadlocks = database.deadlocks() if database else 0
        finally:
            run.over.set()
            for reader in run.readers:
                reader.stop()
            run.fleet.stop()
        orphans = run.fleet.orphans()
    return _judge(run, rows, orphans, deadlocks, folder)


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


# The start --------------------------------------------------------------------------


def _prepare(seed: int, folder: Path, store: Store, database: Database | None, reporter: Reporter) -> Run:
    path = folder / "history.jsonl"
    path.touch(mode=0o600)
    points = Points(folder / "points", seed, at_once=3)
    port = postgresql.free_port()
    environment = {**os.environ, **FAST, **LIMITS, "BASE_URL": f"http://127.0.0.1:{port}", "PORT": str(port)}
    environment |= {MARK: f"{os.getpid()}-{time.monotonic_ns()}", "SOAK_HISTORY": str(path)}
    environment |= {"FAILPOINTS_DIR": str(points.folder), "HOST": "127.0.0.1"}
    (folder / "logs").mkdir()
    stack = Stack(folder / "logs", environment, port)
    found = History(path, "soak")
    made = setting.make(folder, path, reporter, long_percent=40)
    fleet = Fleet(stack, found, WORKERS, beats=2, web=True)
    broken = Faults(fleet, store, database, found, seed, lease=LEASE_SECONDS)
    return Run(stack, found, made, fleet, broken, points)


def _begin(run: Run, seed: int) -> None:
    """Clients and readers, each with a session or a token of its own."""
    base = run.stack.base_url

    def person() -> Person:
        found = Person(base, run.setting.email, factories.PASSWORD)
        found.sign_in()
        return found

    for n in (1, 2):
        reader = Reader(f"reader{n}", run.history, person().visitor, seed + n)
        reader.follow(f"project:{run.setting.project.pk}")
        run.readers.append(reader)
    given = (run.history, seed, run.over)
    own = {"base_url": base, "setting": run.setting}
    run.clients = [
        Enqueuer("enqueuer", *given),
        *(Worker(f"worker{n}", run.history, seed + n, run.over, person=person(), **own) for n in (1, 2)),
        Releaser("releaser", *given, rest=6, **own),
    ]
    for thread in [*run.readers, *run.clients]:
        thread.start()


# The breaking -----------------------------------------------------------------------


def _break(run: Run, seconds: float, seed: int) -> None:
    """Each kind of fault once in a round, rounds until the time is over; then on for what has not happened yet."""
    kinds = list(run.faults.kinds)
    # Some faults take seconds themselves; one round must fit.
    gap = min(6.0, max(1.0, (seconds * 0.8 - 3 * len(kinds)) / len(kinds)))
    waiting = faults.order(kinds, seed, 1)
    until, last = time.monotonic() + seconds, time.monotonic() + seconds + OVERTIME_SECONDS
    rounds = 1
    while time.monotonic() < last:
        missing = [kind for kind in kinds if not run.faults.counted[kind]]
        if time.monotonic() > until and not missing and not run.points.left:
            return
        if time.monotonic() < until:
            run.points.arm_again()
        run.points.arm()
        _follow_newest(run)
        if not waiting:
            rounds += 1
            waiting = missing or (faults.order(kinds, seed + rounds, 1) if time.monotonic() < until else [])
        if waiting:
            kind = waiting.pop(0)
            happened = run.faults.one(kind)
            say(f"{kind}{'' if happened else ': nothing was there'}")
        time.sleep(gap)


def _follow_newest(run: Run) -> None:
    """Readers follow the tickets as well, as many as a socket may."""
    for client in run.clients:
        if isinstance(client, Worker):
            for key in client.opened[:10]:
                run.readers[0].follow(f"ticket:{key}")


# The rest ---------------------------------------------------------------------------


def _settle(run: Run) -> None:
    """Nothing new begins, everything goes on, and what has begun comes to its end."""
    run.points.disarm()
    run.fleet.heal()
    run.over.set()
    until = time.monotonic() + REST_SECONDS
    for client in run.clients:
        client.join(max(1.0, until - time.monotonic()))
        if client.is_alive():
            run.trouble.append(f"{client.name} still waits for what it asked for")
        run.trouble += client.trouble
    patiently(lambda: Schedule.objects.filter(name="soak").update(enabled=False))
    if not _until(_is_quiet, REST_SECONDS):
        run.trouble.append("work was left that nobody did")
    for reader in run.readers:
        if not _until(lambda reader=reader: _has_seen_all(reader), 30):
            say(f"{reader.name} has not seen all")
        run.trouble += reader.trouble


def _is_quiet() -> bool:
    live = Job.objects.filter(state__in=LIVE_STATES).exists()
    return not live and not Deployment.objects.filter(ended_at=None).exists()


def _has_seen_all(reader: Reader) -> bool:
    heads = dict(Stream.objects.filter(name__in=list(reader.cursors)).values_list("name", "head"))
    return all(reader.number(name) == head for name, head in heads.items())


def _until(ready: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if patiently(ready):
            return True
        time.sleep(0.5)
    return False


def patiently(ask: Callable[[], T]) -> T:
    """Again where the session was one of those that were ended."""
    for _ in range(10):
        try:
            return ask()
        except DatabaseFailure:
            connection.close()
            time.sleep(0.5)
    return ask()


def _wait(what: str, ready: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} was not ready within {seconds:g} s")
        time.sleep(0.2)


# The verdict ------------------------------------------------------------------------


def _judge(run: Run, rows: dict[str, Any], orphans: dict[int, str], deadlocks: int, folder: Path) -> dict[str, Any]:
    for point in Failpoint:
        for at, pid in run.points.at(point):
            run.history.write("fault", kind="failpoint", name=point.name, struck=pid, at=at)
    lines = history.read(run.history.path)
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    findings = checker.check(lines, rows)
    reached = {point.name: len(pids) for point, pids in run.points.reached().items()}
    void = [f"it never happened: {kind}" for kind in run.faults.kinds if not run.faults.counted[kind]]
    void += [f"nobody reached {name}" for name, times in reached.items() if not times]
    void += [f"{client.name} came to no end of anything" for client in run.clients if not client.done]
    return verdict.verdict(
        findings,
        faults=dict(sorted(run.faults.counted.items())),
        failpoints=reached,
        orphans=orphans,
        deadlocks=deadlocks,
        trouble=run.trouble,
        void=void,
        longest_recovery_s=verdict.longest_recovery(lines, rows),
        done={client.name: client.done for client in run.clients},
        jobs=len(rows["jobs"]),
        attempts=len(rows["attempts"]),
        restarts=run.fleet.restarts,
        events_read=sum(reader.events for reader in run.readers),
        breaks_of_readers=sum(reader.breaks for reader in run.readers),
    )

"""From before a job is enqueued to the start of its handler in an idle worker, beside the LISTEN/NOTIFY floor.

    python benchmarks/dispatch.py --rounds 10 [--samples 40]

The floor is one bare psycopg process that listens, and claims a row by one
statement when it is notified. Beside it stand real Celery workers on
PostgreSQL and Valkey: one that lingers (it has just done something), and one
that is woken from rest by a message. Each round measures all of them in turn,
with the floor before and after; the ratio of a round is to the mean of those two.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FORK = multiprocessing.get_context("fork")
PAUSE_SECONDS = 0.05
WAIT_SECONDS = 30.0
LINGERS = {"resident": "2", "cold": "0"}
CLAIM = """
UPDATE bench_job SET state = 'running' WHERE id = ANY(ARRAY(
    SELECT id FROM bench_job WHERE state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)) RETURNING id
"""
ENQUEUE = (
    "WITH j AS (INSERT INTO bench_job (id, state) VALUES (%s, 'queued') RETURNING id)"
    " SELECT pg_notify('bench', '') FROM j"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--samples", type=int, default=40)
    options = parser.parse_args()
    from tests.engines import postgresql, valkey

    postgresql._SETTINGS.update(fsync="on", full_page_writes="on")
    server = postgresql.start()
    store = valkey.start()
    try:
        with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
            prepare(server.url, store.url, Path(folder))
            print(json.dumps(measure(Path(folder), options.rounds, options.samples), indent=2))
    finally:
        store.stop()
        server.stop()


def prepare(url: str, redis_url: str, folder: Path) -> None:
    os.environ |= {"DATABASE_URL": url, "DATA_DIR": str(folder), "REDIS_URL": redis_url, "LOG_LEVEL": "ERROR"}
    os.environ |= {"DRAIN_LINGER_SECONDS": "0", "DRAIN_BUDGET_SECONDS": "600"}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "BENCH_SOCKET": str(folder / "stamps")}
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    import benchmarks.stamps  # noqa: F401
    from portal.core.unit import unit_of_work
    from workers import queue
    from workers.draining import Drain
    from workers.leases import LeaseKeeper

    call_command("migrate", verbosity=0)
    # On empty tables the first plans are bad ones, and stay.
    with unit_of_work():
        queue.enqueue_many("bench.stamp", [{"n": -1} for _ in range(1000)])
    Drain("short", "bench", LeaseKeeper("bench"), lambda: False).run()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_job (id integer PRIMARY KEY, state text NOT NULL)")
        cursor.execute("CREATE INDEX bench_due ON bench_job (id) WHERE state = 'queued'")
        cursor.execute("INSERT INTO bench_job SELECT -i, 'done' FROM generate_series(1, 1000) i")
        cursor.execute("ANALYZE")
    connections.close_all()


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """Where handlers say when they began."""
    path = folder / "stamps"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            yield ear
        finally:
            path.unlink()


def measure(folder: Path, rounds: int, samples: int) -> dict[str, Any]:
    found: dict[str, list[float]] = {"floor": [], "resident": [], "cold": []}
    ratios: dict[str, list[float]] = {"resident": [], "cold": []}
    with listening(folder) as ear, floor(ear) as floor_once:
        found["floor"].append(median_of(floor_once, samples))
        for _ in range(rounds):
            for how, lingers in LINGERS.items():
                with worker(folder, ear, lingers) as once:
                    found[how].append(median_of(once, samples))
                found["floor"].append(median_of(floor_once, samples))
                ratios[how].append(found[how][-1] / statistics.mean(found["floor"][-2:]))
    return {
        "rounds": rounds,
        "samples": samples,
        "p50_ms": {how: [round(1000 * seconds, 2) for seconds in each] for how, each in found.items()},
        "ratio": {how: [round(share, 2) for share in each] for how, each in ratios.items()},
        "ratio_median": {how: round(statistics.median(each), 2) for how, each in ratios.items()},
    }


def median_of(once: Callable[[int], float], samples: int) -> float:
    taken = []
    for number in range(samples):
        time.sleep(PAUSE_SECONDS * (0.5 + random.random()))
        taken.append(once(number))
    return statistics.median(taken)


def answer(ear: socket.socket, number: int) -> float:
    """When the handler of ``number`` began."""
    until = time.monotonic() + WAIT_SECONDS
    while select.select([ear], [], [], max(0.0, until - time.monotonic()))[0]:
        said, began = ear.recv(200).decode().split()
        if int(said) == number:
            return float(began)
    raise SystemExit(f"job {number} did not begin within {WAIT_SECONDS:g} s")


_given = 0


@contextlib.contextmanager
def floor(ear: socket.socket) -> Iterator[Callable[[int], float]]:
    import psycopg

    global _given
    ready = FORK.Event()
    process = FORK.Process(target=_listen, args=(ready,))
    process.start()
    ready.wait(20)

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:

        def once(_: int) -> float:
            global _given
            _given += 1
            began = time.monotonic()
            connection.execute(ENQUEUE, [_given])
            return answer(ear, _given) - began

        yield once
    process.terminate()
    process.join()


def _listen(ready: Any) -> None:
    import psycopg

    said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("LISTEN bench")
        ready.set()
        while True:
            for _ in connection.notifies(stop_after=1):
                pass
            for (pk,) in connection.execute(CLAIM).fetchall():
                said.sendto(f"{pk} {time.monotonic()!r}".encode(), os.environ["BENCH_SOCKET"])


@contextlib.contextmanager
def worker(folder: Path, ear: socket.socket, lingers: str) -> Iterator[Callable[[int], float]]:
    """A real worker process of short jobs, and what enqueues into it."""
    from workers import queue

    environment = {**os.environ, "DRAIN_LINGER_SECONDS": lingers, "LOOK_INTERVAL_SECONDS": "15"}
    argv = [sys.executable, "-m", "celery", "--quiet", "-A", "portal.celery", "worker", "-Q", "short", "-n", "bench@%h"]
    argv += ["--pool", "solo", "--include", "benchmarks.stamps", "--loglevel", "ERROR"]
    argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def once(_: int) -> float:
        global _given
        _given += 1
        began = time.monotonic()
        queue.enqueue("bench.stamp", payload={"n": _given})
        return answer(ear, _given) - began

    try:
        # Its start, its connections, its first plans.
        for number in range(10):
            once(number)
        yield once
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    main()

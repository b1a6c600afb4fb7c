"""Durable no-op jobs, end to end, as a share of what two bare psycopg processes write beside them.

    python benchmarks/claims.py --rounds 5 [--jobs 6000]

A job is enqueued in bulk, claimed in batches of 50 with an attempt, and ended
under its fence with a commit of its own: what a worker does, without Celery.
The reference is two processes with one autocommit UPDATE for each job, run
before and after each round on the same server: one that is started for it and,
unlike those of the tests, waits for its disk. A round counts only when every job succeeded with one attempt.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

WORKERS = 2
BULK = 100
FORK = multiprocessing.get_context("fork")
# Jobs of this round that nobody has run yet.
_left = FORK.Value("i", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=6000)
    options = parser.parse_args()
    from tests.engines import postgresql, valkey

    # A job that is lost with the power is not a durable one.
    postgresql._SETTINGS.update(fsync="on", full_page_writes="on")
    server = postgresql.start()
    store = valkey.start()
    try:
        with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
            prepare(server.url, store.url, folder)
            print(json.dumps(measure(options.rounds, options.jobs), indent=2))
    finally:
        store.stop()
        server.stop()


def prepare(url: str, redis_url: str, folder: str) -> None:
    """A migrated database with a thousand finished jobs: on empty tables the first plans are bad ones."""
    os.environ |= {
        "DATABASE_URL": url,
        "DATA_DIR": folder,
        "REDIS_URL": os.environ.get("TEST_REDIS_URL", "unix:///none"),
    }
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LOG_LEVEL": "ERROR"}
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    from workers import kinds
    from workers.models import Pool

    call_command("migrate", verbosity=0)
    kinds.register(kinds.Kind("bench.nothing", "Nothing", Pool.SHORT, lambda claim: None, batch=50))
    enqueue(1000)
    _left.value = 1000
    drain()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE reference (id integer PRIMARY KEY, n integer NOT NULL)")
        cursor.execute("INSERT INTO reference SELECT i, 0 FROM generate_series(1, 1000) i")
        cursor.execute("ANALYZE")
    connections.close_all()


def measure(rounds: int, jobs: int) -> dict[str, Any]:
    from django.db import connections

    shares: list[float] = []
    rates: list[float] = []
    references = [reference(jobs)]
    for _ in range(rounds):
        rates.append(engine(jobs))
        references.append(reference(jobs))
        shares.append(rates[-1] / statistics.mean(references[-2:]))
    connections.close_all()
    return {
        "jobs": jobs,
        "rounds": rounds,
        "jobs_per_second": [round(rate) for rate in rates],
        "reference_per_second": [round(rate) for rate in references],
        "ratio": [round(share, 3) for share in shares],
        "ratio_median": round(statistics.median(shares), 3),
    }


def reference(jobs: int) -> float:
    return jobs / timed(_update, jobs // WORKERS)


def engine(jobs: int) -> float:
    from django.db import connections

    from workers.models import Attempt, Job

    before = Attempt.objects.count()
    connections.close_all()
    _left.value = jobs
    seconds = timed(_work, jobs // WORKERS, beside=lambda: enqueue(jobs))
    succeeded = Job.objects.filter(state="succeeded").count()
    if Attempt.objects.count() - before != jobs or Job.objects.count() != succeeded:
        raise SystemExit("jobs were lost or run twice: the round does not count")
    connections.close_all()
    return jobs / seconds


def timed(work: Callable[[int, Any], None], most: int, beside: Callable[[], None] | None = None) -> float:
    """Seconds from the common start of two processes until the last has ended."""
    start = FORK.Barrier(WORKERS + 1)
    processes = [FORK.Process(target=work, args=(most, start)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    start.wait()
    began = time.perf_counter()
    if beside:
        beside()
    for process in processes:
        process.join()
    return time.perf_counter() - began


def _update(most: int, start: Any) -> None:
    import psycopg
    from django.conf import settings

    database = settings.DATABASES["default"]
    parts = {"host": database["HOST"], "port": database["PORT"], "dbname": database["NAME"]}
    with psycopg.connect(**parts, user=database["USER"], password=database["PASSWORD"], autocommit=True) as connection:
        offset = os.getpid() % 500
        start.wait()
        for number in range(most):
            connection.execute("UPDATE reference SET n = n + 1 WHERE id = %s", [(offset + number) % 1000 + 1])


def _work(_: int, start: Any) -> None:
    from django.db import connection

    connection.ensure_connection()
    start.wait()
    drain()


def drain() -> None:
    """Work as a worker process would, until all of a round have been run by whomever."""
    from workers.draining import Drain
    from workers.leases import LeaseKeeper

    name = f"bench:{os.getpid()}"
    worker = Drain("short", name, LeaseKeeper(name), lambda: _left.value <= 0)
    while _left.value > 0:
        done = worker.run()
        with _left.get_lock():
            _left.value -= done
        if not done:
            time.sleep(0.001)


def enqueue(jobs: int) -> None:
    from portal.core.unit import unit_of_work
    from workers import queue

    for _ in range(jobs // BULK):
        with unit_of_work():
            queue.enqueue_many("bench.nothing", [{"n": number} for number in range(BULK)])


if __name__ == "__main__":
    main()

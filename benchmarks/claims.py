"""Durable no-op jobs, end to end, as a share of what two bare psycopg processes write beside them.

    python benchmarks/claims.py [--rounds 10] [--only bulk,one_by_one,...] [--jobs 6000]

A job is enqueued, claimed with an attempt, and ended under its fence with a
commit of its own: what a worker does, without Celery. The reference is two
processes with one autocommit UPDATE for each job, run before and after each
round on the same server: one that is started for it and, unlike those of the
tests, waits for its disk. A round counts only when every job succeeded with one attempt.

    bulk         enqueued by the hundred
    one_by_one   each enqueued by a transaction of its own
    lanes        in bulk, in a lane with a slot for each of a batch
    full         in bulk, beside 1,000,000 finished jobs and 100,000 future ones
    orm, celery  peers: a plain ORM queue, and Celery with Valkey (which keeps nothing)
    overlaps     no share: 20,000 jobs in lanes of one slot, 16 claimers, how often two ran at once
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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WORKERS = 2
CLAIMERS = 16
BULK = 100
LANES = 20
OVERLAP_JOBS = 20_000
FINISHED, FUTURE = 1_000_000, 100_000
FORK = multiprocessing.get_context("fork")
# Jobs of this round that nobody has run yet.
_left = FORK.Value("i", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=6000)
    parser.add_argument("--only", default="bulk,one_by_one,lanes,orm,celery,full,overlaps")
    options = parser.parse_args()
    from tests.engines import postgresql, valkey

    # A job that is lost with the power is not a durable one.
    postgresql._SETTINGS.update(fsync="on", full_page_writes="on")
    server = postgresql.start()
    store = valkey.start()
    try:
        with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
            prepare(server.url, store.url, folder)
            found = {name: _RUNS[name](options.rounds, options.jobs) for name in options.only.split(",")}
            print(json.dumps(found, indent=2))
    finally:
        store.stop()
        server.stop()


def prepare(url: str, redis_url: str, folder: str) -> None:
    """A migrated database with a thousand finished jobs: on empty tables the first plans are bad ones."""
    os.environ |= {"DATABASE_URL": url, "DATA_DIR": folder, "BENCH_REDIS_URL": redis_url, "REDIS_URL": "unix:///none"}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LOG_LEVEL": "ERROR", "DRAIN_LINGER_SECONDS": "0"}
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    from workers import kinds
    from workers.models import Pool

    call_command("migrate", verbosity=0)
    for name in ("bench.nothing", "bench.laned"):
        kinds.register(kinds.Kind(name, name, Pool.SHORT, lambda claim: None, batch=50))
    enqueue_bulk(1000)
    _left.value = 1000
    drain()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE reference (id integer PRIMARY KEY, n integer NOT NULL)")
        cursor.execute("INSERT INTO reference SELECT i, 0 FROM generate_series(1, 1000) i")
        cursor.execute("CREATE TABLE peer (id serial PRIMARY KEY, state text NOT NULL DEFAULT 'queued', worker text)")
        cursor.execute("CREATE INDEX peer_due ON peer (id) WHERE state = 'queued'")
        cursor.execute("ANALYZE")
    connections.close_all()


# Shares ------------------------------------------------------------------------------


def share(once: Callable[[int], float], rounds: int, jobs: int) -> dict[str, Any]:
    """``once`` returns jobs a second; the reference is measured around each of its rounds."""
    shares: list[float] = []
    rates: list[float] = []
    references = [reference(jobs)]
    for _ in range(rounds):
        rates.append(once(jobs))
        references.append(reference(jobs))
        shares.append(rates[-1] / statistics.mean(references[-2:]))
    return {
        "jobs": jobs,
        "rounds": rounds,
        "jobs_per_second": [round(rate) for rate in rates],
        "reference_per_second": [round(rate) for rate in references],
        "ratio": [round(each, 3) for each in shares],
        "ratio_median": round(statistics.median(shares), 3),
    }


def reference(jobs: int) -> float:
    return jobs / timed(_update, jobs // WORKERS)


def bulk(rounds: int, jobs: int) -> dict[str, Any]:
    return share(lambda most: engine(most, enqueue_bulk), rounds, jobs)


def one_by_one(rounds: int, jobs: int) -> dict[str, Any]:
    return share(lambda most: engine(most, enqueue_each), rounds, jobs // 4)


def lanes(rounds: int, jobs: int) -> dict[str, Any]:
    from workers import queue

    queue.set_lane(queue.kind_lane("bench.laned"), 50 * WORKERS)
    return share(lambda most: engine(most, lambda n: enqueue_bulk(n, "bench.laned")), rounds, jobs)


def full(rounds: int, jobs: int) -> dict[str, Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workers_job (kind, pool, lane, subject, exclusive, unique_key, host, max_failures, audience,"
            " payload, cause, state, priority, run_after, fence, worker, error, created_at, finished_at)"
            " SELECT 'bench.nothing', 'short', '', '', false, '', '', 0, '', '{}', '{}',"
            " CASE WHEN i <= %(finished)s THEN 'succeeded' ELSE 'queued' END, -5,"
            " clock_timestamp() + CASE WHEN i <= %(finished)s THEN -1 ELSE 1 END * interval '1 day',"
            " CASE WHEN i <= %(finished)s THEN 1 ELSE 0 END, '', '', clock_timestamp(), clock_timestamp()"
            " FROM generate_series(1, %(finished)s + %(future)s) i",
            {"finished": FINISHED, "future": FUTURE},
        )
        cursor.execute(
            "INSERT INTO workers_attempt (job_id, fence, worker, outcome, error, started_at, ended_at, counted)"
            " SELECT j.id, 1, 'w', 'succeeded', '', clock_timestamp(), clock_timestamp(), true FROM workers_job j"
            " WHERE j.state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM workers_attempt a WHERE a.job_id = j.id)"
        )
        cursor.execute("VACUUM ANALYZE")
    return share(lambda most: engine(most, enqueue_bulk, FUTURE), rounds, jobs)


def engine(jobs: int, enqueue: Callable[[int], None], waiting: int = 0) -> float:
    """``waiting``: future jobs, which no round touches."""
    from django.db import connections

    from workers.models import Attempt, Job

    before = Attempt.objects.count()
    connections.close_all()
    _left.value = jobs
    seconds = timed(_work, jobs // WORKERS, beside=lambda: enqueue(jobs))
    unfinished = Job.objects.exclude(state="succeeded").count()
    if Attempt.objects.count() - before != jobs or unfinished != waiting:
        raise SystemExit("jobs were lost or run twice: the round does not count")
    connections.close_all()
    return jobs / seconds


def timed(
    work: Callable[[int, Any], None], most: int, beside: Callable[[], None] | None = None, workers: int = WORKERS
) -> float:
    """Seconds from the common start of the processes until the last has ended."""
    start = FORK.Barrier(workers + 1)
    processes = [FORK.Process(target=work, args=(most, start)) for _ in range(workers)]
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

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
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


def enqueue_bulk(jobs: int, kind: str = "bench.nothing") -> None:
    from portal.core.unit import unit_of_work
    from workers import queue

    for _ in range(jobs // BULK):
        with unit_of_work():
            queue.enqueue_many(kind, [{"n": number} for number in range(BULK)])


def enqueue_each(jobs: int) -> None:
    from workers import queue

    for number in range(jobs):
        queue.enqueue("bench.nothing", payload={"n": number})


# Peers -------------------------------------------------------------------------------


def orm(rounds: int, jobs: int) -> dict[str, Any]:
    return share(_orm_once, rounds, jobs // 4)


def _orm_once(jobs: int) -> float:
    from django.db import connection, connections

    def enqueue() -> None:
        for _ in range(jobs // BULK):
            _peer().objects.bulk_create([_peer()(state="queued", worker="") for _ in range(BULK)])

    connections.close_all()
    _left.value = jobs
    seconds = timed(_orm_work, 0, beside=enqueue)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM peer")
    return jobs / seconds


def _orm_work(_: int, start: Any) -> None:
    """A row at a time, as a queue over the ORM is usually written."""
    from django.db import connection, transaction

    connection.ensure_connection()
    start.wait()
    while _left.value > 0:
        with transaction.atomic():
            rows = _peer().objects.select_for_update(skip_locked=True).filter(state="queued").order_by("id")
            row = rows.first()
            if row is not None:
                row.state, row.worker = "running", "w"
                row.save()
        if row is None:
            time.sleep(0.001)
            continue
        row.state = "succeeded"
        row.save()
        with _left.get_lock():
            _left.value -= 1


_made: list[Any] = []


def _peer() -> Any:
    if not _made:
        from django.db import models

        fields: dict[str, Any] = {
            "state": models.TextField(),
            "worker": models.TextField(null=True),
            "__module__": __name__,
            "Meta": type("Meta", (), {"app_label": "bench", "managed": False, "db_table": "peer"}),
        }
        _made.append(type("Peer", (models.Model,), {"id": models.AutoField(primary_key=True), **fields}))
    return _made[0]


def celery(rounds: int, jobs: int) -> dict[str, Any]:
    return share(_celery_once, rounds, jobs // 4)


def _celery_once(jobs: int) -> float:
    app = _celery_app()
    # Their start is not counted: a task each, seen, says that both consume.
    processes = [FORK.Process(target=_celery_work, args=(number,)) for number in range(WORKERS)]
    for process in processes:
        process.start()
    try:
        _left.value = 20
        for _ in range(20):
            app.send_task("bench.nothing")
        _until_done()
        time.sleep(1)
        _left.value = jobs
        began = time.perf_counter()
        for _ in range(jobs):
            app.send_task("bench.nothing")
        _until_done()
        return jobs / (time.perf_counter() - began)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _until_done() -> None:
    until = time.monotonic() + 120
    while _left.value > 0:
        if time.monotonic() > until:
            raise SystemExit("the peer did not finish its round")
        time.sleep(0.001)


def _celery_app() -> Any:
    from celery import Celery

    app = Celery("bench", broker=_broker_url(), set_as_current=False)
    app.conf.update(task_default_queue="bench", task_ignore_result=True, worker_prefetch_multiplier=1)

    @app.task(name="bench.nothing")
    def nothing() -> None:
        with _left.get_lock():
            _left.value -= 1

    return app


def _broker_url() -> str:
    """Kombu's word for a socket."""
    return os.environ["BENCH_REDIS_URL"].replace("unix://", "redis+socket://")


def _celery_work(number: int) -> None:
    argv = ["worker", "--pool", "solo", "-n", f"bench{number}@%h", "--loglevel", "CRITICAL"]
    _celery_app().worker_main([*argv, "--without-gossip", "--without-mingle", "--without-heartbeat"])


# Limits ------------------------------------------------------------------------------


def overlaps(_: int, __: int) -> dict[str, Any]:
    from django.db import connection, connections

    from portal.core.unit import unit_of_work
    from workers import queue
    from workers.models import Job

    for lane in range(LANES):
        queue.set_lane(f"bench:{lane}", 1)
    ids = []
    for start in range(0, OVERLAP_JOBS, BULK):
        with unit_of_work():
            queue.enqueue_many("bench.nothing", [{"n": number} for number in range(start, start + BULK)])
        newest = Job.objects.filter(kind="bench.nothing", state="queued").order_by("-id").values_list("id", flat=True)
        ids += list(newest[:BULK])
    for lane in range(LANES):
        Job.objects.filter(pk__in=ids[lane::LANES]).update(lane=f"bench:{lane}")
    connections.close_all()
    _left.value = OVERLAP_JOBS
    seconds = timed(_work, 0, workers=CLAIMERS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT a.started_at,"
            " lag(a.ended_at) OVER (PARTITION BY j.lane ORDER BY a.started_at) AS before"
            " FROM workers_attempt a JOIN workers_job j ON j.id = a.job_id WHERE j.id = ANY(%s)) s"
            " WHERE s.started_at < s.before",
            [ids],
        )
        (found,) = cursor.fetchone()
    return {"jobs": OVERLAP_JOBS, "claimers": CLAIMERS, "overlaps": found, "seconds": round(seconds, 1)}


_RUNS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "bulk": bulk,
    "one_by_one": one_by_one,
    "lanes": lanes,
    "orm": orm,
    "celery": celery,
    "full": full,
    "overlaps": overlaps,
}

if __name__ == "__main__":
    main()

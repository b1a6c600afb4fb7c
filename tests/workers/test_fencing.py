"""While a handler runs, the database refuses what is not written under its fence; so it does for stale workers."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F

from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests.workers.racing import race
from workers import children, claims, fencing, output, queue, sweeping
from workers.claims import Claim, LeaseLost
from workers.ending import end_attempt, end_unsettled, succeed
from workers.fencing import UnfencedWrite
from workers.models import Attempt, AttemptOutput, Job, JobState, Lane, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
Write = Callable[[], None]


def _sql(statement: str) -> Write:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


def _copy() -> None:
    with connection.cursor() as cursor, cursor.copy("COPY workers_lane (name, slots) FROM STDIN") as copy:
        copy.write_row(("copied", 1))


def _new_connection() -> None:
    connection.close()
    Lane.objects.create(name="new connection")


def _second_wrapper() -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("INSERT INTO workers_lane (name, slots) VALUES ('second', 1)")
    finally:
        other.close()


def _nested() -> None:
    with transaction.atomic(), transaction.atomic():
        Lane.objects.create(name="nested")


def _unit() -> None:
    with unit_of_work() as work:
        work.record("test.written", "nobody")


WRITES: dict[str, Write] = {
    "INSERT": lambda: Lane.objects.create(name="insert") and None,
    "UPDATE": lambda: Lane.objects.update(slots=9) and None,
    "DELETE": lambda: Lane.objects.all().delete() and None,
    "bulk_create": lambda: Lane.objects.bulk_create([Lane(name="bulk")]) and None,
    "raw cursor": _sql("UPDATE workers_lane SET slots = 9"),
    "CREATE TABLE": _sql("CREATE TABLE workers_sneaked (id integer)"),
    "nested atomic": _nested,
    "unit of work": _unit,
    "enqueue": lambda: queue.enqueue("test.job") and None,
    "a connection closed and opened": _new_connection,
    "a second connection": _second_wrapper,
}
POSTGRESQL_WRITES: dict[str, Write] = {
    "TRUNCATE": _sql("TRUNCATE workers_lane CASCADE"),
    "COPY FROM": _copy,
    "SELECT FOR UPDATE": _sql("SELECT 1 FROM workers_lane FOR UPDATE"),
    "nextval": _sql("SELECT nextval(pg_get_serial_sequence('workers_job', 'id'))"),
    "SELECT INTO": _sql("SELECT 1 AS one INTO workers_sneaked"),
    "a CTE that writes": _sql("WITH gone AS (DELETE FROM workers_lane RETURNING 1) SELECT count(*) FROM gone"),
}


def _each(writes: dict[str, Write], *marks: pytest.MarkDecorator) -> list[Any]:
    return [pytest.param(write, id=name, marks=marks) for name, write in writes.items()]


class TestHandler:
    @pytest.mark.parametrize("write", [*_each(WRITES), *_each(POSTGRESQL_WRITES, pytest.mark.postgresql)])
    def test_an_unfenced_write_is_refused_and_the_attempt_has_failed(
        self, kind: Make, drain: Callable[[], int], write: Write
    ) -> None:
        Lane.objects.create(name="kept")
        kind(run=lambda claim: write())
        job = queue.enqueue("test.job")
        before = _tables("workers_lane", "core_activity", "workers_laneslot")
        assert drain() == 1
        assert _tables("workers_lane", "core_activity", "workers_laneslot") == before
        assert "workers_sneaked" not in connection.introspection.table_names()
        attempt = Attempt.objects.get()
        assert (attempt.outcome, Job.objects.count()) == ("failed", 1)
        assert "The handler wrote outside its fence; nothing was written" in attempt.error
        _assert_normal()
        job.refresh_from_db()
        assert job.state == JobState.QUEUED

    def test_reading_works_and_fenced_writes_are_written(self, kind: Make, drain: Callable[[], int]) -> None:
        def run(claim: Claim) -> int:
            found = Job.objects.count()
            with transaction.atomic():
                found += Lane.objects.count()
            for number in range(2):
                with claim.fenced() as work:
                    work.record("test.written", str(number))
                    Lane.objects.create(name=f"lane {number}")
            return found

        results: list[Any] = []
        kind(run=run, settle=lambda ending: results.append(ending.result))
        queue.enqueue("test.job")
        drain()
        assert (Job.objects.get().state, results) == ("succeeded", [1])
        assert Activity.objects.filter(verb="test.written").count() == 2

    @pytest.mark.postgresql
    def test_cursors_and_settings_of_its_session_are_no_writes(self, kind: Make, drain: Callable[[], int]) -> None:
        def run(claim: Claim) -> None:
            with connection.cursor() as cursor:
                cursor.execute("WITH n AS (SELECT i FROM generate_series(1, 9) i) SELECT * FROM n")
                assert cursor.rowcount == 9
                with transaction.atomic():
                    cursor.execute("DECLARE walk CURSOR FOR SELECT * FROM workers_job")
                    cursor.execute("FETCH 1 FROM walk")

        kind(run=run)
        queue.enqueue("test.job")
        drain()
        assert Attempt.objects.get().outcome == "succeeded", Attempt.objects.get().error

    def test_a_failed_fenced_block_writes_nothing_and_leaves_the_session_refusing(
        self, kind: Make, drain: Callable[[], int]
    ) -> None:
        def run(claim: Claim) -> None:
            with pytest.raises(ZeroDivisionError), claim.fenced():
                Lane.objects.create(name="rolled back")
                raise ZeroDivisionError
            Lane.objects.create(name="unfenced")

        kind(run=run)
        queue.enqueue("test.job")
        drain()
        assert "outside its fence" in Attempt.objects.get().error
        assert not Lane.objects.exists()

    def test_a_fenced_write_cannot_begin_inside_another_transaction(self, kind: Make, drain: Callable[[], int]) -> None:
        def run(claim: Claim) -> None:
            with transaction.atomic(), claim.fenced():
                Lane.objects.create(name="inside")

        kind(run=run)
        queue.enqueue("test.job")
        drain()
        assert "cannot begin inside another" in Attempt.objects.get().error
        assert not Lane.objects.exists()

    @pytest.mark.parametrize("raises", [False, True])
    @pytest.mark.parametrize("how", ["BEGIN", "autocommit off", "atomic", "closed"])
    def test_afterwards_the_connection_is_normal_whatever_it_left_behind(
        self, kind: Make, drain: Callable[[], int], how: str, raises: bool
    ) -> None:
        def run(claim: Claim) -> None:
            if how == "BEGIN":
                _sql("BEGIN")()
            elif how == "autocommit off":
                transaction.set_autocommit(False)
            elif how == "atomic":
                transaction.atomic().__enter__()
            else:
                connection.close()
            Job.objects.count()
            if raises:
                raise ZeroDivisionError

        kind(run=run)
        job = queue.enqueue("test.job")
        drain()
        assert Attempt.objects.get().outcome == ("failed" if raises else "succeeded")
        _assert_normal()
        assert race(_state_of, [(job.pk,)]) == ["queued" if raises else "succeeded"], "the end was committed"

    @pytest.mark.postgresql
    def test_a_pool_hands_on_no_session_that_still_refuses(self, database_url: str) -> None:
        pooled = connections["default"].copy()
        pooled.settings_dict["CONN_MAX_AGE"] = 0
        pooled.settings_dict["OPTIONS"] = pooled.settings_dict["OPTIONS"] | {"pool": {"min_size": 1, "max_size": 1}}
        token = fencing._guarded.set(True)
        try:
            with pooled.cursor() as cursor:
                cursor.execute("SHOW default_transaction_read_only")
                assert cursor.fetchone() == ("on",)
            pooled.close()
        finally:
            fencing._guarded.reset(token)
        try:
            with pooled.cursor() as cursor:
                cursor.execute("SHOW default_transaction_read_only")
                assert cursor.fetchone() == ("off",)
        finally:
            pooled.close()
            pooled.close_pool()

    def test_outside_a_handler_nothing_is_refused(self) -> None:
        with pytest.raises(ZeroDivisionError), fencing.reading_only():
            raise ZeroDivisionError
        with pytest.raises(UnfencedWrite), fencing.reading_only():
            Lane.objects.create(name="refused")
        _assert_normal()


class TestStaleWorker:
    def stale_writes(self, claim: Claim, folder: Path) -> dict[str, Callable[[], Any]]:
        command = children.Command(argv=("/bin/sh", "-c", f"touch {folder}/started"), cwd=folder, wall_seconds=5)

        def fenced() -> None:
            with claim.fenced() as work:
                work.record("test.stale", "x")

        return {
            "claim.fenced": fenced,
            "output.store": lambda: output.store(claim, [(0, 5, "stale")]),
            "output.store of an attempt": lambda: output.store(claim, [(0, 5, "x")], attempt_id=claim.attempt_id),
            "end_attempt": lambda: end_attempt(claim.job_id, claim.fence, Outcome.SUCCEEDED),
            "succeed": lambda: succeed(claim.job_id, claim.fence, claim.kind, None),
            "end_attempt as failed": lambda: end_attempt(claim.job_id, claim.fence, Outcome.FAILED),
            "end_unsettled": lambda: end_unsettled(claim.job_id, claim.fence, "x"),
            "children.run": lambda: children.run(claim, command),
            "renew": lambda: claims.renew([claim]),
        }

    def test_a_worker_that_was_stopped_past_its_lease_writes_nothing(
        self, kind: Make, limit: Any, short_folder: Path, engine: str
    ) -> None:
        limit(LEASE_SECONDS=3, HEARTBEAT_SECONDS=1, LEASE_MARGIN_SECONDS=1, RETRY_FIRST_SECONDS=1)
        kind()
        job = queue.enqueue("test.job")
        told, told_by = os.pipe()
        go, go_on = os.pipe()
        child = os.fork()
        if child == 0:
            self._hold_and_write(told_by, go, short_folder)
        assert os.read(told, 1) == b"c", "the first worker holds its claim"
        os.kill(child, signal.SIGSTOP)
        Job.objects.filter(pk=job.pk).update(lease_until=F("lease_until") - timedelta(minutes=5))
        assert sweeping.sweep() == 1
        Job.objects.filter(pk=job.pk).update(run_after=F("created_at"))
        [current] = claims.claim("short", ["test.job"], worker="second", most=1)
        with current.fenced():
            AttemptOutput.objects.create(attempt_id=current.attempt_id, offset=0, length=3, text="new")
        before = _tables(*connection.introspection.table_names())
        os.kill(child, signal.SIGCONT)
        os.write(go_on, b"g")
        said = _read_all(told)
        os.waitpid(child, 0)
        for pipe in (told, told_by, go, go_on):
            os.close(pipe)
        assert said.split("\n")[:-1] == [
            "claim.fenced LeaseLost",
            "output.store LeaseLost",
            "output.store of an attempt LeaseLost",
            "end_attempt False",
            "succeed False",
            "end_attempt as failed False",
            "end_unsettled False",
            "children.run LeaseLost",
            "renew {}",
        ]
        assert _tables(*connection.introspection.table_names()) == before
        assert not (short_folder / "started").exists()
        assert end_attempt(current.job_id, current.fence, Outcome.SUCCEEDED)

    def _hold_and_write(self, told_by: int, go: int, folder: Path) -> None:
        """The stale worker: claims, tells, is stopped, and then tries every write there is."""
        try:
            for alias in connections:
                del connections[alias]
            [claim] = claims.claim("short", ["test.job"], worker="first", most=1)
            os.write(told_by, b"c")
            os.read(go, 1)
            for name, write in self.stale_writes(claim, folder).items():
                try:
                    answer = str(write())
                except LeaseLost as lost:
                    answer = type(lost).__name__
                os.write(told_by, f"{name} {answer}\n".encode())
            os.write(told_by, b"\0")
        finally:
            os._exit(0)

    def test_children_start_nothing_under_a_claim_that_is_not_believed(self, kind: Make, short_folder: Path) -> None:
        kind()
        queue.enqueue("test.job")
        [claim] = claims.claim("short", ["test.job"], worker="w", most=1)
        claim.trusted_until = time.monotonic() - 1
        with pytest.raises(LeaseLost):
            self.stale_writes(claim, short_folder)["children.run"]()
        assert not (short_folder / "started").exists()


def _tables(*names: str) -> dict[str, str]:
    """A hash of every row of each table."""
    found = {}
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f'SELECT * FROM "{name}"')
            rows = sorted(repr(row) for row in cursor.fetchall())
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def _assert_normal() -> None:
    assert connection.get_autocommit()
    assert not connection.in_atomic_block
    Lane.objects.create(name="normal again")
    assert race(_lane_there, [("normal again",)]) == [True]
    Lane.objects.filter(name="normal again").delete()


def _lane_there(name: str) -> bool:
    return Lane.objects.filter(name=name).exists()


def _state_of(job: int) -> str:
    return Job.objects.get(pk=job).state


def _read_all(pipe: int) -> str:
    said = b""
    while not said.endswith(b"\0"):
        said += os.read(pipe, 4096)
    return said.rstrip(b"\0").decode()

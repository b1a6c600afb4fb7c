"""Jobs that are for one machine: its workers take them, no others do, and people see what such a job waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from tests.workers.racing import race
from workers import claims, presence, queue
from workers.models import Job, Worker

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]


@pytest.fixture(autouse=True)
def _here(settings: Any) -> None:
    settings.WORKER_HOST = "here"


def take(most: int = 50) -> list[int]:
    return [claim.job_id for claim in claims.claim("short", ["test.job"], worker="worker@test", most=most)]


def test_a_job_of_another_machine_is_left_to_it(kind: Make, settings: Any) -> None:
    kind()
    queue.enqueue("test.job", host="there", priority=-1)
    mine, anybodys = queue.enqueue("test.job", host="here"), queue.enqueue("test.job")
    assert take() == [mine.pk, anybodys.pk]
    assert take() == []
    settings.WORKER_HOST = "there"
    assert take() == [Job.objects.get(host="there").pk]


def test_it_holds_no_lane_and_no_subject_while_it_waits(kind: Make) -> None:
    kind()
    queue.set_lane("a", 1)
    queue.enqueue("test.job", host="there", lane="a", subject="s", exclusive=True, priority=-1)
    other = queue.enqueue("test.job", lane="a", subject="s", exclusive=True)
    assert take() == [other.pk]


def test_machines_that_claim_at_one_moment_take_their_own(kind: Make) -> None:
    kind()
    hosts = ["here", "there", ""]
    for number in range(60):
        queue.enqueue("test.job", host=hosts[number % 3])
    taken = race(_take_as, [("here",), ("there",), ("here",), ("there",)])
    of_host = dict(Job.objects.values_list("pk", "host"))
    assert sorted(job for mine in taken for job in mine) == sorted(of_host)
    for host, mine in zip(["here", "there"] * 2, taken, strict=True):
        assert {of_host[job] for job in mine} <= {host, ""}


@pytest.mark.postgresql
def test_a_claim_still_walks_the_index_of_what_is_due(kind: Make) -> None:
    kind()
    hosts = ["there", "here", ""]
    queue.enqueue_many("test.job", ({"n": n} for n in range(3000)))
    for place, host in enumerate(hosts):
        Job.objects.annotate(rest=F("pk") % 3).filter(rest=place).update(host=host)
    from workers import statements

    with connection.cursor() as cursor:
        # Without what other tests have left dead in it.
        cursor.execute("VACUUM (FULL, ANALYZE) workers_job")
        values = {"pool": "short", "kinds": ["test.job"], "worker": "w", "most": 50, "lease": 60, "host": "here"}
        cursor.execute(f"EXPLAIN {statements.CLAIM_POSTGRESQL}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using workers_job_due on workers_job q" in plan, plan
    assert "Seq Scan on workers_job" not in plan, plan


def test_a_machine_is_attended_while_a_worker_of_the_pool_is_alive_there(settings: Any) -> None:
    assert not presence.is_attended("here", "turns")
    presence.arrived("turns@here", "turns")
    assert presence.is_attended("here", "turns")
    assert not presence.is_attended("here", "short")
    assert not presence.is_attended("there", "turns")
    Worker.objects.update(seen_at=F("seen_at") - timedelta(seconds=settings.LIMITS["LEASE_SECONDS"] + 1))
    assert not presence.is_attended("here", "turns")


def test_the_clock_is_no_worker_of_its_machine() -> None:
    presence.beat_seen()
    assert not presence.is_attended("here", "short")


def test_a_worker_says_which_machine_it_is_of() -> None:
    assert presence.process_name("turns").startswith("turns@here:")
    presence.arrived("turns@x", "turns")
    assert Worker.objects.get().host == "here"


def _take_as(host: str) -> list[int]:
    from django.conf import settings

    settings.WORKER_HOST = host
    mine: list[int] = []
    while found := take(7):
        mine += found
    return mine

"""The probes and the status."""

from __future__ import annotations

from collections import namedtuple
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError
from django.test import Client

from portal.core import clock
from portal.site import health
from workers.models import Worker

if TYPE_CHECKING:
    from tests.factories import World

Usage = namedtuple("Usage", "total used free")


def refuse(*args: Any, **kwargs: Any) -> None:
    raise DatabaseError("password=hunter2 host=db.internal")


def test_alive_asks_nothing(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}


def test_ready_where_database_and_schema_are(db: None, client: Client) -> None:
    assert client.get("/readyz").status_code == 200


def test_not_ready_without_the_database_and_nothing_leaks(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.db.connection.cursor", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "missing": ["database"]}


def test_pools_without_a_worker_and_a_clock_that_never_ticked_are_broken(db: None) -> None:
    answers = {check.name: check.answer for check in health.everything()}
    assert answers["workers_turns"] == answers["workers_short"] == answers["clock"] == "broken"


def test_a_worker_counts_as_long_as_its_lease(db: None, settings: Any) -> None:
    lease = settings.LIMITS["LEASE_SECONDS"]
    Worker.objects.create(
        name="turns@a.1", pool="turns", host="a", pid=1, seen_at=clock.now() - timedelta(seconds=lease - 5)
    )
    Worker.objects.create(
        name="short@a.2", pool="short", host="a", pid=2, seen_at=clock.now() - timedelta(seconds=lease + 5)
    )
    Worker.objects.create(name="beat@a.3", pool="short", host="a", pid=3)
    answers = {check.name: check.answer for check in health.everything()}
    assert answers["workers_turns"] == "ok"
    assert answers["workers_short"] == "broken"
    assert answers["clock"] == "ok"


def test_a_broker_that_is_away_is_a_warning_within_a_second(db: None, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere/at/all.sock"
    check = health.broker()
    assert check.answer == "warning"
    assert "/nowhere" not in check.detail


@pytest.mark.parametrize(("free", "answer"), [(10, "ok"), (9, "warning")])
def test_the_disk_warns_under_its_limit(monkeypatch: pytest.MonkeyPatch, free: int, answer: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100, 100 - free, free))
    assert health.disk().answer == answer


def test_the_status_as_json_names_every_limit(world: World, client: Client, settings: Any) -> None:
    client.force_login(world.admin, "allauth.account.auth_backends.AuthenticationBackend")
    found = client.get("/status.json").json()
    assert found["limits"] == settings.LIMITS
    assert found["answer"] == "broken"
    assert {check["name"] for check in found["checks"]} >= {"database", "schema", "broker", "clock", "disk"}

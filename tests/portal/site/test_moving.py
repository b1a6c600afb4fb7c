"""From SQLite to PostgreSQL: every row, compared; refused wherever something could be left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from portal.site.keeping import moving
from portal.site.launching.lock import Lock
from tests.engines import postgresql, template
from tests.engines.template import Template
from tests.portal.site.keeping_place import Places
from workers.models import Worker

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = "postgres://shiproom:canary@127.0.0.1:1/nowhere"
# One of everything, and what the engines write differently.
FILL = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
from portal.core.models import Activity, Secret
from portal.core.secrets import store
from tests.walking import objects
made = objects.build()
Activity.objects.create(actor_kind="command", actor_label="é\\t\\\\N", verb="x", subject="x", request_id="r",
                        after={"b": 1e20, "a": [1.0, 0.1, None, "\\u2028"]})
Secret.objects.filter(name="deploy-key").update(changed_at="2020-02-02T02:02:02.000002Z")
"""


def refusal(url: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("move_to_postgres", url)
    assert refused.value.returncode == 2
    said = str(refused.value)
    assert "\n" not in said and "canary" not in said
    return said


class Source:
    """An installation on SQLite, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "data" / "shiproom.sqlite3"
        self.environment = {**os.environ, "DATABASE_URL": f"sqlite:///{self.file}", "DATA_DIR": str(folder / "data")}
        self.environment["PORT"] = str(postgresql.free_port())
        self.file.parent.mkdir()

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        argv = (sys.executable, *argv)
        return subprocess.run(argv, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120)

    def move(self, url: str) -> subprocess.CompletedProcess[str]:
        return self.run("manage.py", "move_to_postgres", url)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    found = Source(tmp_path_factory.mktemp("source"))
    done = found.run("-c", FILL)
    assert done.returncode == 0, done.stderr[-3000:]
    return found


@pytest.fixture
def target(migrated: Template) -> Iterator[Callable[[bool], str]]:
    """A database on the server of the run: with tables, or with none."""
    urls: list[str] = []

    def make(with_tables: bool) -> str:
        urls.append(template.place(migrated.server_url, migrated.folder, f"target_{os.getpid()}_{len(urls)}"))
        if with_tables:
            migrated.copy_to(urls[-1])
        else:
            postgresql.create_database(migrated.server_url, template.name_of(urls[-1]))
        return urls[-1]

    yield make
    for url in urls:
        template.drop(url)


def asked(url: str, statement: str) -> Any:
    with psycopg.connect(url) as found:
        row = found.execute(statement).fetchone()
        assert row is not None
        return row[0]


# Two databases are migrated, and one of them is filled and read twice.
@pytest.mark.timeout(300)
@pytest.mark.postgresql
def test_every_row_is_moved_and_the_next_one_has_the_next_number(source: Source, target: Callable[[bool], str]) -> None:
    url, before = target(False), source.file.read_bytes()
    done = source.move(url)
    assert done.returncode == 0, done.stderr
    assert "Now set DATABASE_URL" in done.stdout
    assert source.file.read_bytes() == before
    assert asked(url, "SELECT changed_at FROM core_secret") == datetime(2020, 2, 2, 2, 2, 2, 2, tzinfo=UTC)
    assert asked(url, "SELECT after ->> 'b' FROM core_activity WHERE verb = 'x'") == "1" + "0" * 20
    assert asked(url, "SELECT count(*) FROM core_user_groups") == 0
    highest = asked(url, "SELECT max(id) FROM core_user")
    given = "INSERT INTO core_user (password, email, name, is_staff, is_active, is_superuser, theme)"
    given += " VALUES ('', 'new@example.org', '', false, true, false, 'system') RETURNING id"
    assert asked(url, given) == highest + 1 > 1
    # What was moved once is in the way of another try.
    again = source.move(url)
    assert (again.returncode, "The target is not empty: " in again.stderr) == (2, True)


@pytest.mark.postgresql
def test_a_row_that_the_target_refuses_stops_it_and_leaves_nothing(
    source: Source, target: Callable[[bool], str]
) -> None:
    url = target(True)
    with psycopg.connect(url) as found:
        found.execute("ALTER TABLE tickets_ticket ADD CONSTRAINT none CHECK (id < 0)")
    done = source.move(url)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert 'violates check constraint "none"' in done.stderr
    assert asked(url, "SELECT count(*) FROM core_user") == 0
    assert asked(url, "SELECT count(*) FROM django_content_type") > 0


@pytest.mark.postgresql
def test_an_installation_on_postgresql_has_nothing_to_move(places: Places) -> None:
    with places.filled():
        assert refusal(NOWHERE) == "DATABASE_URL names PostgreSQL already: there is nothing to move."


@pytest.mark.once
def test_it_is_refused_while_anybody_is_at_work(places: Places) -> None:
    with places.filled() as data, override_settings(ENGINE="sqlite", PORT=postgresql.free_port()):
        Worker.objects.create(name="short@here:1:1", pool="short", host="here", pid=1)
        assert "lost within the last lease: short@here:1:1." in refusal(NOWHERE)
        Worker.objects.update(state=Worker.State.STOPPED)
        lock = Lock(data / "run" / "up.lock")
        lock.take()
        assert "is served by process" in refusal(NOWHERE)
        lock.release()
        assert "The target does not take it: " in refusal(NOWHERE)


@pytest.mark.once
@pytest.mark.parametrize(
    "url",
    ["", "mysql://a:canary@b/c", "sqlite:////canary", "postgres://a:canary@b:port/c", "postgres://a:canary@b:0/c", "x"],
)
def test_what_is_no_address_of_postgresql_is_refused_without_repeating_it(places: Places, url: str) -> None:
    with places.filled(), override_settings(ENGINE="sqlite", PORT=postgresql.free_port()):
        assert refusal(url) == "The target is not of the form postgres://user:password@host:port/name."
        assert connection.settings_dict["NAME"]


@pytest.mark.once
def test_rows_of_both_engines_are_compared_by_what_they_say() -> None:
    number = moving._number
    assert number(({"a": 1, "b": 2.0},)) == number(({"b": 2, "a": 1},))
    assert number((memoryview(b"x"),)) == number((b"x",))
    assert number((Decimal("0.100000"),)) == number((Decimal("0.100000"),))
    told = [(1,), ("1",), (None,), ("",), (True,), ([1],), (0.1,), (datetime(2026, 1, 1, tzinfo=UTC),)]
    assert len({number(row) for row in told}) == len(told)

"""The ground that the suite stands on: engines, stack, browser."""

from __future__ import annotations

import urllib.request

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import TransactionTestCase

from portal.core.models import Activity, User
from tests import factories
from tests.engines import emptying


def test_the_engine_is_the_one_asked_for(db, engine):
    assert connection.vendor == engine


def test_sqlite_is_free_of_the_wal_reset_bug():
    import sqlite3

    assert sqlite3.sqlite_version_info >= (3, 51, 3)


@pytest.mark.django_db(transaction=True)
def test_what_a_test_committed_is_gone_after_it_as_after_a_flush():
    case = TransactionTestCase()
    emptying.after(case)
    empty = rows()
    assert set(empty) == {"django_content_type", "auth_permission", "django_migrations"}
    factories.world()
    Activity.objects.create(actor_kind="user", actor_label="x", verb="a.b", subject="ticket:MC-1", request_id="r1")
    emptying.after(case)
    assert rows() == empty
    codenames = set(Permission.objects.values_list("codename", flat=True))
    Permission.objects.filter(codename="add_user").update(codename="another")
    emptying.after(case)
    assert rows().keys() == empty.keys()
    assert set(Permission.objects.values_list("codename", flat=True)) == codenames


def rows() -> dict[str, list[str]]:
    """What each table that is not empty holds."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {table}")
            found[table] = sorted(repr(row) for row in cursor.fetchall())
    return {table: held for table, held in found.items() if held}


@pytest.mark.processes
def test_a_stack_serves_the_database_that_the_test_sees(stack, engine):
    stack.web()
    user = factories.person("someone@example.org")
    with urllib.request.urlopen(f"{stack.base_url}/livez", timeout=5) as answer:
        assert answer.status == 200
    counted = stack.manage(
        "shell", "-v", "0", "-c", "from portal.core.models import User; print(User.objects.get().pk)"
    )
    assert counted.stdout.split() == [str(user.pk)]


@pytest.mark.processes
def test_a_worker_is_there_when_its_start_returns(stack):
    worker = stack.worker("short")
    assert worker.stop() == 0


def test_the_database_of_the_suite_is_another(world, engine):
    assert not User.objects.filter(email="someone@example.org").exists()


@pytest.mark.browser
@pytest.mark.once
def test_the_browser_starts(browser):
    page = browser.new_page()
    page.set_content("<h1>Shiproom</h1>")
    assert page.locator("h1").inner_text() == "Shiproom"
    page.close()

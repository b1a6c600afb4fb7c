"""The ground that the suite stands on: engines, stack, browser."""

from __future__ import annotations

import urllib.request

import pytest
from django.db import connection

from portal.core.models import User
from tests import factories


def test_the_engine_is_the_one_asked_for(db, engine):
    assert connection.vendor == engine


def test_sqlite_is_free_of_the_wal_reset_bug():
    import sqlite3

    assert sqlite3.sqlite_version_info >= (3, 51, 3)


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
def test_the_browser_starts(browser):
    page = browser.new_page()
    page.set_content("<h1>Shiproom</h1>")
    assert page.locator("h1").inner_text() == "Shiproom"
    page.close()

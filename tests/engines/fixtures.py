"""Fixtures that every test may ask for. Nothing of Django is imported before its settings are chosen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.engines.stack import Stack
    from tests.engines.template import Template
    from tests.factories import World

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real documents: $SHIPROOM_SHARED, or ``shared`` beside the repository."""
    folder = Path(os.environ.get("SHIPROOM_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    if not (folder / "seeds").is_dir():
        pytest.skip("shared/ is absent: set SHIPROOM_SHARED to the folder of real documents")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly() -> Iterator[None]:
    from django.test import TransactionTestCase

    from tests.engines import emptying

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptying.after)
        yield


@pytest.fixture
def world(db: None) -> World:
    """An admin, one person of each role in project MC, and an outsider."""
    from tests import factories

    return factories.world()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """pytest-django's: whether the database of the run is there already, a copy of what all runs share."""
    from tests.engines import template

    return template.VARIABLE in os.environ


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_keepdb: bool, database_url: str, request: pytest.FixtureRequest
) -> Iterator[None]:
    """pytest-django's, asked right before the database is made."""
    if not django_db_keepdb:
        yield
        return
    from django.db import connections

    from tests.engines import template

    migrated: Template = request.getfixturevalue("migrated")
    url = template.place(database_url, migrated.folder, f"test_{os.getpid()}")
    migrated.copy_to(url)
    connections["default"].settings_dict["TEST"]["NAME"] = template.name_of(url)
    yield
    connections.close_all()
    template.drop(url)


@pytest.fixture(scope="session")
def migrated(database_url: str) -> Iterator[Template]:
    """A migrated database to copy from."""
    from tests.engines import template

    with template.given_or_made(database_url, Path(tempfile.mkdtemp(prefix="sr-t-", dir="/tmp"))) as found:
        yield found


@pytest.fixture(scope="module")
def open_stack(
    migrated: Template, django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., AbstractContextManager[Stack]]]:
    """``with open_stack(LEASE_SECONDS="12") as stack``: real processes on a fresh database.

    The ORM of the test speaks to that database inside the block; such a test asks for no ``db``.
    """
    from contextlib import contextmanager

    from tests.engines import stack as stacks

    @contextmanager
    def opening(**overrides: str) -> Iterator[Stack]:
        with migrated.copy() as url, stacks.opened(tmp_path_factory.mktemp("stack"), url, **overrides) as found:
            yield found

    with django_db_blocker.unblock():
        yield opening


@pytest.fixture(scope="module")
def stack(open_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Stack]:
    """One stack, with fast limits, for the tests of a module. Nothing runs in it until a test starts it."""
    with open_stack() as found:
        yield found


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates are rendered as they are served.

    Django's test client copies the context at each of them and keeps all of
    it; for tests that send thousands of requests that is gigabytes.
    """
    from django.template.base import Template

    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the machine; no download."""
    program = chromium.program()
    if not program:
        pytest.skip("no Chromium on this machine")
    from django.db import connections
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, beside which Django would refuse the ORM.
    # Per module, because asyncio.run() of other tests would not start beside it either.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        found = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield found
        found.close()
        # Beside a running loop Django keeps other connections, which nobody else could close.
        connections.close_all()

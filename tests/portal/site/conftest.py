"""Rows of every kind, so that every page has something to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.engines.template import Template
    from tests.factories import World
    from tests.portal.site.keeping_place import Places

Fill = Callable[[int], None]


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def schema() -> None:
    """The guard's answer is pinned, so that no page asks in the middle of a count."""
    from portal.core import guard
    from portal.site import health

    report = guard.Report(guard.Answer.START, "ok", "The database is what the code expects.", "test", "sqlite")
    guard.remember(report)
    health.Standing.report = None


@pytest.fixture
def sign_in(client: Client) -> Callable[[User | None], Client]:
    def as_(user: User | None) -> Client:
        client.logout()
        if user is not None:
            client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        return client

    return as_


@pytest.fixture
def places(short_folder: Path, migrated: Template, django_db_setup: None, django_db_blocker: Any) -> Iterator[Places]:
    """Installations of their own, each with its database; such a test asks for no ``db``."""
    from tests.portal.site.keeping_place import Places

    with django_db_blocker.unblock():
        yield Places(short_folder, migrated)


@pytest.fixture
def fill(world: World) -> Fill:
    """``fill(30)`` makes thirty of each thing that waits in project MC, numbered from where the last call ended."""
    from tests.portal.site import samples

    made = 0

    def more(count: int) -> None:
        nonlocal made
        for n in range(made, made + count):
            samples.one_of_each(world, n)
        made += count

    return more

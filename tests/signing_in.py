"""Fixtures of tests that open pages as somebody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from portal.core.models import User

SignIn = Callable[["User | None"], Client]
Counted = Callable[[Client, str], int]
ROLES = ("viewer", "operator", "reviewer", "releaser", "owner")


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def sign_in() -> SignIn:
    """``sign_in(world.viewer)`` is a browser of that person; None is a stranger's."""

    def as_(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        return client

    return as_


@pytest.fixture
def counted() -> Counted:
    """``counted(client, url)``: how many queries the page takes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count(client: Client, url: str) -> int:
        client.get(url)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(url).status_code == 200
        return len(caught)

    return count

"""Tokens of the world's people, and a client that speaks JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def token(world: World) -> Callable[..., str]:
    """``token(world.viewer)`` is the text of a token that may write."""
    from portal.core import tokens

    def issue(user: User, *, may_write: bool = True) -> str:
        return tokens.issue(user, name="test", days=1, may_write=may_write)[1]

    return issue


@pytest.fixture
def call(token: Callable[..., str]) -> Call:
    """``call("get", "/me", user)``: with a token of that person, or without one; a body that is no text is JSON."""

    def do(method: str, path: str, user: User | None, body: Any = None, **headers: str) -> Any:
        if user is not None:
            headers.setdefault("Authorization", f"Bearer {token(user)}")
        content = body if isinstance(body, bytes | str) else "" if body is None else json.dumps(body)
        kind = headers.pop("Content_Type", "application/json")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client().generic(method.upper(), f"/api/v1{path}", content, content_type=kind, headers=sent)

    return do

"""A web process that drains says so, and ends its connections one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import Client

from portal.core import draining
from portal.core.draining import Leaving

pytestmark = pytest.mark.once


@pytest.fixture
def drains(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIMITS = {**settings.LIMITS, "WEB_DRAIN_SECONDS": 5}
    monkeypatch.setattr(draining, "_began", None)


def headers_of(kind: str = "http") -> list[tuple[bytes, bytes]]:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain"), (b"Connection", b"keep-alive")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(Leaving(application)({"type": kind}, receive, send))
    return list(sent[0]["headers"])


@pytest.mark.usefixtures("drains")
def test_connections_end_with_their_answer_once_it_drains_and_not_before() -> None:
    assert (b"Connection", b"keep-alive") in headers_of()
    assert draining.begin()
    assert headers_of() == [(b"content-type", b"text/plain"), (b"connection", b"close")]
    assert (b"Connection", b"keep-alive") in headers_of("websocket"), "sockets are not answers"


def test_without_a_time_to_drain_in_nothing_begins(settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "WEB_DRAIN_SECONDS": 0}
    assert not draining.begin()
    assert not draining.begun()


@pytest.mark.usefixtures("drains")
def test_it_is_over_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    draining.begin()
    assert not draining.over()
    began = draining._began
    assert began is not None
    monkeypatch.setattr(draining, "_began", began - 5)
    assert draining.over()


@pytest.mark.usefixtures("drains")
def test_a_process_that_drains_is_alive_and_not_ready(db: None, client: Client) -> None:
    assert client.get("/readyz").json()["status"] == "ready"
    draining.begin()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
    assert client.get("/livez").status_code == 200

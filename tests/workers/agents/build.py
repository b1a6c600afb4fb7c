"""Streams for the adapters' tests, written as JSON lines, and what an adapter makes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from workers.agents.adapters import adapter_named, read_all
from workers.agents.adapters.events import Event, Other

NONCE, TICKET = "MC_TICKET_TURN:4460:1:e1f59bec", "MC-4456"


def stream(*lines: dict | str) -> bytes:
    """Return the lines as a program prints them."""
    return b"".join((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n" for line in lines)


def signal(kind: str = "DONE", nonce: str = NONCE, payload: object = "did it") -> str:
    return json.dumps({"mc_signal": kind, "ticket": TICKET, "nonce": nonce, "payload": payload})


def events(name: str, data: bytes, size: int = 65_536) -> list[Event]:
    """Return what the adapter reads in these bytes, `size` at a time."""
    return list(read_all(adapter_named(name)(NONCE, TICKET), io.BytesIO(data), size))


def told(name: str, *lines: dict | str) -> list[Event]:
    """Return what the adapter reads in these lines, without what it makes nothing of."""
    return [event for event in events(name, stream(*lines)) if not isinstance(event, Other)]


def only(kind: type | tuple[type, ...], found: Sequence[Event]) -> list[Event]:
    return [event for event in found if isinstance(event, kind)]

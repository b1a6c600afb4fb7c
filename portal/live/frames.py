"""What goes over a socket: client text to typed objects, server frames to text. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from portal.live.cursor import Cursor, parse

# The ASGI message that carries a frame; encoded once and shared by all sockets that get it.
Message = dict[str, Any]
_ECHO_CHARS: Final = 140


class BadFrame(Exception):
    """A frame that is not of the protocol. The text is the code of the answer."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow a stream; without a cursor from now on."""

    stream: str
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class Unfollow:
    stream: str


@dataclass(frozen=True, slots=True)
class Ping:
    pass


def read(text: str) -> Follow | Unfollow | Ping:
    """The frame that a client sent; raises ``BadFrame``."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame("not_json") from None
    if not isinstance(found, dict):
        raise BadFrame("not_an_object")
    kind = found.get("type")
    if kind == "ping":
        return Ping()
    if kind not in ("follow", "unfollow"):
        raise BadFrame("unknown_type")
    stream = found.get("stream")
    if not isinstance(stream, str):
        raise BadFrame("no_stream")
    if kind == "unfollow":
        return Unfollow(stream)
    written = found.get("cursor")
    return Follow(stream, None if written is None else parse(written))


def _frame(**fields: Any) -> Message:
    return {"type": "websocket.send", "text": json.dumps(fields, separators=(",", ":"))}


def following(stream: str, cursor: Cursor) -> Message:
    return _frame(type="following", stream=stream, cursor=str(cursor))


def resync(stream: str, cursor: Cursor) -> Message:
    """Rows cannot bring this reader up to date: read the page anew; what follows comes after ``cursor``."""
    return _frame(type="resync", stream=stream, cursor=str(cursor))


def gone(stream: str) -> Message:
    return _frame(type="gone", stream=stream)


def item(kind: str, stream: str, cursor: Cursor, fields: dict[str, Any]) -> Message:
    """An ``event`` or an ``output``."""
    return _frame(**(fields | {"type": kind, "stream": stream, "cursor": str(cursor)}))


def error(code: str, stream: str | None = None) -> Message:
    if stream is None:
        return _frame(type="error", code=code)
    return _frame(type="error", code=code, stream=stream[:_ECHO_CHARS])


BEAT: Final = _frame(type="beat")
DELAYED: Final = _frame(type="delayed")
PONG: Final = _frame(type="pong")

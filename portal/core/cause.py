"""Who acts, and because of what.

A cause is bound once at each entrance (request, command, job) and carried by
a context variable, so that every Activity row names it without a parameter in
every signature. It travels from a request into the job that the request
enqueues, from there into the child's environment and into the next request.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final, Literal

ActorKind = Literal["user", "agent", "worker", "clock", "command", "token"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a kind, an id within the kind, and the name to show."""

    kind: ActorKind
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Cause:
    """An actor, the request that began it all, what led here, and from where."""

    actor: Actor
    request_id: str
    because: str = ""
    origin: str = ""


NOBODY: Final = Actor("command", "", "shell")
_current: ContextVar[Cause | None] = ContextVar("shiproom_cause", default=None)


def new_request_id() -> str:
    """20 characters that sort by nothing and can be read aloud."""
    return secrets.token_hex(10)


def current() -> Cause:
    """The bound cause; outside any entrance (a shell) a nameless command."""
    return _current.get() or Cause(NOBODY, new_request_id())


@contextmanager
def bound(cause: Cause) -> Iterator[Cause]:
    """Bind ``cause`` for the block."""
    token = _current.set(cause)
    try:
        yield cause
    finally:
        _current.reset(token)


@contextmanager
def acting(actor: Actor, *, because: str = "", origin: str = "", request_id: str = "") -> Iterator[Cause]:
    """Bind ``actor``; the request id is kept from the cause around it unless one is given."""
    around = _current.get()
    identity = request_id or (around.request_id if around else new_request_id())
    kept_origin = origin or (around.origin if around else "")
    with bound(Cause(actor, identity, because, kept_origin)) as cause:
        yield cause


@contextmanager
def because(what: str) -> Iterator[Cause]:
    """The same actor, now because of ``what`` (such as ``"import:12"``)."""
    with bound(replace(current(), because=what)) as cause:
        yield cause

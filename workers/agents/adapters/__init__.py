"""How each agent's output is read. An adapter is found by the name that an agent's profile gives."""

from __future__ import annotations

from typing import Protocol

from workers.agents.adapters.events import Event
from workers.agents.adapters.plain import PlainAdapter


class Adapter(Protocol):
    """Reads the stdout of one turn, from a byte offset of its spool."""

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None: ...

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete; they may be cut anywhere."""
        ...

    def finish(self) -> list[Event]:
        """Return what is left and exactly one Result, last."""
        ...


class UnknownAdapter(ValueError):
    """No adapter has this name; the message lists those there are."""


ADAPTERS: dict[str, type[Adapter]] = {"plain": PlainAdapter}


def adapter_named(name: str) -> type[Adapter]:
    """Return the adapter of that name; raise UnknownAdapter."""
    try:
        return ADAPTERS[name]
    except KeyError:
        raise UnknownAdapter(f"unknown adapter {name!r}; there are: {', '.join(sorted(ADAPTERS))}") from None

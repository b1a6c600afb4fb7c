"""How each agent's output is read. An adapter is found by the name that an agent's profile gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Protocol

from workers.agents.adapters.claude import ClaudeAdapter
from workers.agents.adapters.codex import CodexAdapter
from workers.agents.adapters.events import Event
from workers.agents.adapters.gemini import GeminiAdapter
from workers.agents.adapters.goose import GooseAdapter
from workers.agents.adapters.launches import Launch
from workers.agents.adapters.opencode import OpencodeAdapter
from workers.agents.adapters.plain import PlainAdapter
from workers.agents.adapters.qwen import QwenAdapter


class Adapter(Protocol):
    """Reads the stdout of one turn, from a byte offset of its spool."""

    launch: ClassVar[Launch]

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None: ...

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete; they may be cut anywhere."""
        ...

    def finish(self) -> list[Event]:
        """Return what is left and exactly one Result, last."""
        ...


class UnknownAdapter(ValueError):
    """No adapter has this name; the message lists those there are."""


ADAPTERS: dict[str, type[Adapter]] = {
    "claude": ClaudeAdapter,
    "codex": CodexAdapter,
    "gemini": GeminiAdapter,
    "goose": GooseAdapter,
    "opencode": OpencodeAdapter,
    "plain": PlainAdapter,
    "qwen": QwenAdapter,
}


def adapter_named(name: str) -> type[Adapter]:
    """Return the adapter of that name; raise UnknownAdapter."""
    try:
        return ADAPTERS[name]
    except KeyError:
        raise UnknownAdapter(f"unknown adapter {name!r}; there are: {', '.join(sorted(ADAPTERS))}") from None


def read_all(adapter: Adapter, output: BinaryIO, size: int = 65_536) -> Iterator[Event]:
    """Yield the events of a whole output, `size` bytes at a time: as many as there are, never all at once."""
    while data := output.read(size):
        yield from adapter.feed(data)
    yield from adapter.finish()

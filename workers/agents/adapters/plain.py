"""Plain text with one signal line: the protocol that any program can speak. See `signals`."""

from __future__ import annotations

from typing import ClassVar

from workers.agents.adapters.events import UNSIGNALLED, Event, Result
from workers.agents.adapters.launches import Launch
from workers.agents.adapters.reader import LineReader
from workers.agents.adapters.signals import Signals


class PlainAdapter:
    """Turns the stdout of one turn into events: feed it bytes in any pieces, then finish."""

    launch: ClassVar[Launch] = Launch(command=())

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None:
        self._signals = Signals(nonce, ticket)
        self._reader = LineReader(offset)

    def feed(self, data: bytes) -> list[Event]:
        """Return what the lines completed by these bytes mean."""
        return [self._signals.read(line) for line in self._reader.feed(data)]

    def finish(self) -> list[Event]:
        """Return what is left, then the one Result: a text alone proves nothing, so it needs the signal."""
        events: list[Event] = [self._signals.read(line) for line in self._reader.finish()]
        match self._signals.count:
            case 0:
                result = UNSIGNALLED
            case 1:
                result = Result(True, "The output holds one valid signal.")
            case count:
                result = Result(False, f"Protocol error: the output holds {count} valid signals.")
        return [*events, result]

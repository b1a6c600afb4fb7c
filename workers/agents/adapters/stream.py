"""One reader for every agent that prints a JSON object per line; an adapter says what each object means.

Whatever comes (cut lines, joined lines, bad UTF-8, escape sequences, floods, types that nobody knows) gives
events and never an exception. What is kept between lines is bounded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from workers.agents.adapters.events import Error, Event, Other, Refused, Result, Scope, Signal, Text, Usage
from workers.agents.adapters.launches import Launch
from workers.agents.adapters.parsing import Json, objects
from workers.agents.adapters.reader import Line, LineReader
from workers.agents.adapters.signals import Signals

JSON_LINE_LIMIT: Final = 16 * 1024 * 1024  # Gemini CLI prints a tool's output whole
SHOWN_CHARS: Final = 2000
ANSWER_CHARS: Final = 1024 * 1024
MOST_IDS: Final = 10_000


class StreamAdapter(ABC):
    """Base of the adapters. They override `read`, which yields the events of one object, and perhaps `close`.

    `at` is the offset of the line being read. The agent's good end is told by `succeed`, its failure by
    `fail`; the later word counts. What it says for people goes through `say`, which looks for the signal line.
    """

    launch: ClassVar[Launch]

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None:
        self.at = offset
        self.outcome: Result | None = None
        self._reader = LineReader(offset, JSON_LINE_LIMIT)
        self._signals = Signals(nonce, ticket)
        self._spoken = LineReader()
        self._answer: list[str] = []
        self._answered = 0
        self._ids: set[str] = set()

    def feed(self, data: bytes) -> list[Event]:
        """Return what the lines completed by these bytes mean; they may be cut anywhere."""
        return [event for line in self._reader.feed(data) if line.data for event in self._line(line)]

    def finish(self) -> list[Event]:
        """Return what is left and exactly one Result, last."""
        events = [event for line in self._reader.finish() for event in self._line(line)]
        events += [*self._signalled(self._spoken.finish()), *self.close()]
        return [*events, self.outcome or Result(False, "The output ends without the agent's own result.")]

    @abstractmethod
    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object; `kind` is its type. Nothing means Other."""

    def close(self) -> Iterable[Event]:
        """Yield what only the end of the output can tell."""
        return ()

    def say(self, text: str, *, delta: bool = False) -> Iterator[Event]:
        """Yield what the agent says, and a signal that its words complete."""
        if not delta:
            yield from self.pause()
        if not text:
            return
        yield Text(self.at, text, delta)
        if self._answered < ANSWER_CHARS:
            self._answer.append(text[: ANSWER_CHARS - self._answered])
            self._answered += len(text)
        yield from self._signalled(self._spoken.feed(text.encode()))
        if not delta:
            yield from self._signalled(self._spoken.finish())

    def pause(self) -> Iterator[Event]:
        """The agent begins another message: its last line is over, and what it said was not its last word."""
        yield from self._signalled(self._spoken.finish())
        self._answer, self._answered = [], 0

    def answer(self) -> str:
        """Return the message that is being said, or was said last."""
        return "".join(self._answer)

    def succeed(self, text: str = "") -> None:
        """The agent says that its run ended well."""
        self.outcome = Result(True, text or self.answer())

    def fail(self, message: str, status: int | None = None) -> Iterator[Event]:
        """Yield the error for which the agent gave up, once however often it says it."""
        result = Result(False, message or "The agent reports a failure and no reason.")
        if self.outcome != result:
            self.outcome = result
            yield Error(self.at, result.text, status, fatal=True)

    def usage_of(self, counts: Iterable[int | None], cost: float | None, scope: Scope) -> Usage:
        """Return the usage with these tokens: read, written, and read from a cache."""
        read, written, cached = counts
        return Usage(self.at, read, written, cached, cost, scope)

    def first(self, name: str) -> bool:
        """Say whether this name was not met before. Beyond a bound of names everything is new."""
        new = name not in self._ids
        if len(self._ids) < MOST_IDS:
            self._ids.add(name)
        return new

    def _line(self, line: Line) -> Iterator[Event]:
        if line.data.isspace():
            return
        self.at = line.offset
        found, rest = objects(line)
        shown = Line(line.offset, line.data[:SHOWN_CHARS]).text
        for said in found:
            kind = said.get("type")
            events = list(self.read(kind, said)) if isinstance(kind, str) else self._raw(line)
            yield from events or [Other(self.at, shown)]
        if rest:
            yield Other(self.at, rest[:SHOWN_CHARS])

    def _raw(self, line: Line) -> list[Event]:
        """A program around the agent can print the signal line itself."""
        return list(self._signalled([line]))

    def _signalled(self, lines: Iterable[Line]) -> Iterator[Event]:
        for line in lines:
            event = self._signals.read(Line(self.at, line.data, line.cut))
            if isinstance(event, Signal | Refused):
                yield event

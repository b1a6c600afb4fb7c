"""The verdict over a turn: what it said, what its agent's own result was, and how its process ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from portal.core.redaction import redact
from workers.agents.adapters.events import (
    UNSIGNALLED,
    Error,
    ErrorCode,
    Event,
    Refused,
    Result,
    Signal,
    Text,
    ToolCall,
    ToolResult,
)
from workers.agents.adapters.signals import same
from workers.supervision.child import ExitRecord

SHOWN_CHARS: Final = 200
# Too many requests, and a provider that is overloaded: who comes later is let through.
_LIMITED: Final = {429, 529}


class State(StrEnum):
    """How a turn ended, as far as the process and its output tell."""

    SIGNALLED = "signalled"
    COULD_NOT_START = "could_not_start"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    HELD_BY_NOBODY = "held_by_nobody"  # the worker died or hung, or the supervisor was lost
    KILLED = "killed"  # by a signal that was not ours
    EXIT_CODE = "exit_code"
    TWO_SIGNALS = "two_signals"
    FORGED = "forged"
    NO_SIGNAL = "no_signal"
    BAD_RESULT = "bad_result"  # its own result is a failure or is missing


@dataclass(frozen=True)
class Verdict:
    """Whether the turn ended by its own word (`signal.kind` is what it said), and a sentence for people."""

    ok: bool
    state: State
    text: str
    signal: Signal | None = None
    # the last that its provider answered: not now, too many ask
    limited: bool = False


def verdict(
    events: Iterable[Event], record: ExitRecord, nonce: str, ticket: str, told: Signal | None = None
) -> Verdict:
    """Judge a turn: exactly one valid signal, a good result, exit code 0, and nobody on our side ended it.

    Of a run that was told more, the last round that signalled counts. ``told`` is the signal that the agent gave
    by a tool: a line of the same kind beside it says the same twice, one of another kind is a second signal.
    """
    heard = _hear(events, nonce, ticket)
    if told:
        heard.tell(told)
    found = _judge(heard, record)
    return replace(found, limited=heard.limited and not found.ok and found.signal is None)


def _judge(heard: _Heard, record: ExitRecord) -> Verdict:
    signal = heard.signals[0] if heard.signals else None
    reported = f" It reported: {heard.reason}" if heard.reason else ""
    said = f" It had signalled {signal.kind}." if signal else reported
    if ending := judge_process(record, said):
        return Verdict(False, *ending, signal)
    if len(heard.signals) > 1 or ErrorCode.SECOND_SIGNAL in heard.codes:
        text = "Protocol error: the agent signalled more than once."
        return Verdict(False, State.TWO_SIGNALS, text, signal)
    if signal and heard.ended_well:
        return Verdict(True, State.SIGNALLED, f"The agent signalled {signal.kind}.", signal)
    if signal:
        text = f"The agent signalled {signal.kind}, but its own result is not good.{reported}"
        return Verdict(False, State.BAD_RESULT, text, signal)
    if heard.codes & {ErrorCode.FORGED_SIGNAL, ErrorCode.WRONG_TICKET}:
        text = "The agent's only signal was not this turn's: its nonce or its ticket is another."
        return Verdict(False, State.FORGED, text)
    if ErrorCode.BAD_SIGNAL in heard.codes:
        return Verdict(False, State.NO_SIGNAL, "The agent exited with code 0 and a malformed signal line.")
    if heard.reason:
        return Verdict(False, State.BAD_RESULT, f"The agent exited with code 0 and a failure.{reported}")
    return Verdict(False, State.NO_SIGNAL, "The agent exited with code 0 without a signal.")


@dataclass
class _Heard:
    signals: list[Signal] = field(default_factory=list)
    codes: set[ErrorCode] = field(default_factory=set)
    reason: str = ""  # for which the agent gave up, in one line
    ended_well: bool = True
    limited: bool = False  # the last that its provider answered
    unsignalled: bool = False  # nothing is wrong with its result but the signal that it did not print

    def take(self, signal: Signal) -> None:
        if self.signals and self.signals[-1].round < signal.round:
            self.signals, self.codes = [], set()
        self.signals.append(signal)

    def tell(self, told: Signal) -> None:
        self.signals = [told, *(signal for signal in self.signals if signal.kind is not told.kind)]
        self.ended_well = self.ended_well or self.unsignalled


def _hear(events: Iterable[Event], nonce: str, ticket: str) -> _Heard:
    """Take what a verdict needs out of the events, in bounded room."""
    heard = _Heard()
    for event in events:
        match event:
            case Signal() if same(event.nonce, nonce) and same(event.ticket, ticket) and len(heard.signals) < 2:
                heard.take(event)
            case Refused():
                heard.codes.add(event.code)
            case Error():
                heard.limited = heard.limited if event.status is None else event.status in _LIMITED
                if event.fatal:
                    heard.reason = redact(" ".join(event.message[:SHOWN_CHARS].split()))
            case Text() | ToolCall() | ToolResult():
                heard.limited = False
            case Result():
                heard.ended_well, heard.unsignalled = event.ok, event == UNSIGNALLED
                heard.reason = "" if event.ok else heard.reason
    return heard


def with_exit_code(events: Iterable[Event], exit_code: int | None) -> Iterator[Event]:
    """Yield the events with their Result judged by the exit code too, where it is known."""
    for event in events:
        if isinstance(event, Result) and event.ok and exit_code not in (None, 0):
            event = Result(False, f"The agent exited with code {exit_code}.")
        yield event


def judge_process(record: ExitRecord, said: str) -> tuple[State, str] | None:
    """Return why the process's end alone refuses the turn, or None for its own exit with code 0."""
    match record.ended_by:
        case "could_not_start":
            return State.COULD_NOT_START, f"The {record.message}."
        case "stopped":
            return State.STOPPED, f"The agent was stopped before it ended ({record.message}).{said}"
        case "wall_limit" | "silence_limit":
            return State.TIMED_OUT, f"The agent timed out: {record.message}.{said}"
        case "orphaned" | "deadline" | "lost":
            return State.HELD_BY_NOBODY, f"The agent lost its worker: {record.message}.{said}"
        case "exited" if record.signal is not None:
            return State.KILLED, f"The agent was killed by signal {record.signal}, not by us.{said}"
        case "exited" if record.exit_code != 0:
            return (
                State.EXIT_CODE,
                f"The agent exited with code {record.exit_code}.{said or ' It gave no signal.'}",
            )
    return None

"""The verdict over a turn: what it said, what its agent's own result was, and how its process ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from portal.core.redaction import redact
from workers.agents.adapters.events import Error, ErrorCode, Event, Refused, Result, Signal
from workers.agents.adapters.signals import same
from workers.supervision.child import ExitRecord

SHOWN_CHARS: Final = 200


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


def verdict(events: Iterable[Event], record: ExitRecord, nonce: str, ticket: str) -> Verdict:
    """Judge a turn: exactly one valid signal, a good result, exit code 0, and nobody on our side ended it."""
    heard = _hear(events, nonce, ticket)
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


def _hear(events: Iterable[Event], nonce: str, ticket: str) -> _Heard:
    """Take what a verdict needs out of the events, in bounded room."""
    heard = _Heard()
    for event in events:
        match event:
            case Signal() if same(event.nonce, nonce) and same(event.ticket, ticket) and len(heard.signals) < 2:
                heard.signals.append(event)
            case Refused():
                heard.codes.add(event.code)
            case Error(fatal=True):
                heard.reason = redact(" ".join(event.message[:SHOWN_CHARS].split()))
            case Result():
                heard.ended_well = event.ok
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

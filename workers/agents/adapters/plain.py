"""Plain text with one signal line: the protocol that any program can speak.

    {"mc_signal": "DONE", "ticket": "MC-294", "nonce": "...", "payload": "what was done"}

A line that is such an object, with this turn's nonce and ticket, ends the turn by its word. The payload is
text or an object. Everything else is text. Output is untrusted: an old log that is printed again holds
signals of other turns.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from workers.agents.adapters.events import Error, ErrorCode, Event, Result, Signal, SignalKind, Text
from workers.agents.adapters.reader import Line, LineReader
from workers.supervision.child import ExitRecord

SIGNAL_KEY = "mc_signal"


class PlainAdapter:
    """Turns the stdout of one turn into events: feed it bytes in any pieces, then finish."""

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None:
        self.nonce, self.ticket = nonce, ticket
        self._reader = LineReader(offset)
        self._signals = 0

    def feed(self, data: bytes) -> list[Event]:
        """Return what the lines completed by these bytes mean."""
        return [self._read(line) for line in self._reader.feed(data)]

    def finish(self) -> list[Event]:
        """Return what is left, then the one Result."""
        events = [self._read(line) for line in self._reader.finish()]
        match self._signals:
            case 0:
                result = Result(False, "The output holds no valid signal.")
            case 1:
                result = Result(True, "The output holds one valid signal.")
            case count:
                result = Result(False, f"Protocol error: the output holds {count} valid signals.")
        return [*events, result]

    def _read(self, line: Line) -> Event:
        event = read_line(line, self.nonce, self.ticket)
        if isinstance(event, Signal):
            self._signals += 1
            if self._signals > 1:
                return Error(line.offset, ErrorCode.SECOND_SIGNAL, "Protocol error: a second valid signal.")
        return event


def read_line(line: Line, nonce: str, ticket: str) -> Text | Error | Signal:
    """Say what one line means to the turn with this nonce and ticket."""
    fields = signal_fields(line)
    if fields is None:
        return Text(line.offset, line.text)
    try:
        event = parse_signal(line.offset, fields)
    except BadSignal as error:
        return Error(line.offset, ErrorCode.BAD_SIGNAL, f"Not a signal: {error}.")
    except RecursionError:
        return Error(line.offset, ErrorCode.BAD_SIGNAL, "Not a signal: it is nested too deeply.")
    if not same(event.nonce, nonce):
        return Error(line.offset, ErrorCode.FORGED_SIGNAL, f"A {event.kind} signal of another nonce.")
    if not same(event.ticket, ticket):
        return Error(line.offset, ErrorCode.WRONG_TICKET, f"A {event.kind} signal for another ticket.")
    return event


class BadSignal(Exception):
    """The line has the signal's key and not its form."""


def signal_fields(line: Line) -> Members | None:
    """Return the members of the line's object, in order, if it has the signal's key; else None."""
    data = line.data.strip()
    if line.cut or not data.startswith(b"{") or SIGNAL_KEY.encode() not in data:
        return None
    text = data.decode("utf-8", "replace")
    try:
        # Pairs, not a dict: of two equal keys a dict would silently believe the second.
        members = json.loads(text, object_pairs_hook=Members, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, Members):
        return None
    return members if any(name == SIGNAL_KEY for name, _ in members) else None


class Members(list[tuple[str, object]]):
    """A JSON object as read, repeated keys included."""

    def as_dict(self) -> dict[str, object]:
        """Return it as a dict, inner objects too; raise BadSignal if a key is repeated."""
        plain = {storable(name): plain_value(value) for name, value in self}
        if len(plain) < len(self):
            raise BadSignal("a key is repeated")
        return plain


def plain_value(value: object) -> object:
    """Return a JSON value with its objects as dicts and its text storable."""
    match value:
        case Members():
            return value.as_dict()
        case list():
            return [plain_value(item) for item in value]
        case str():
            return storable(value)
        case _:
            return value


def storable(text: str) -> str:
    """Return the text without what a database refuses: NUL, and the half surrogate pairs of JSON escapes."""
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def refuse_constant(name: str) -> object:
    """NaN and Infinity are no JSON, though Python would read them."""
    raise ValueError(name)


def parse_signal(offset: int, members: Members) -> Signal:
    """Return the signal that the members spell, whoever's it is; raise BadSignal if they spell none."""
    fields = members.as_dict()
    name, ticket, nonce = (fields.get(key) for key in (SIGNAL_KEY, "ticket", "nonce"))
    payload = fields.get("payload", "")
    if not isinstance(name, str) or name not in SignalKind.__members__:
        raise BadSignal(f"its kind is not one of {', '.join(SignalKind)}")
    if not isinstance(ticket, str) or not isinstance(nonce, str):
        raise BadSignal("it lacks a ticket or a nonce")
    if not isinstance(payload, str | dict):
        raise BadSignal("its payload is neither text nor an object")
    return Signal(offset, SignalKind(name), ticket, nonce, payload)


def same(said: str, expected: str) -> bool:
    """Compare in constant time; an empty expectation matches nothing."""
    pair = said.encode("utf-8", "replace"), expected.encode("utf-8", "replace")
    return bool(expected) and hmac.compare_digest(*pair)


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


@dataclass(frozen=True)
class Verdict:
    """Whether the turn ended by its own word (`signal.kind` is what it said), and a sentence for people."""

    ok: bool
    state: State
    text: str
    signal: Signal | None = None


def verdict(events: Iterable[Event], record: ExitRecord, nonce: str, ticket: str) -> Verdict:
    """Judge a turn: exactly one valid signal, exit code 0, and nobody on our side ended it."""
    signals: list[Signal] = []
    codes: set[ErrorCode] = set()
    for event in events:
        if isinstance(event, Signal) and same(event.nonce, nonce) and same(event.ticket, ticket):
            signals.append(event)
        elif isinstance(event, Error):
            codes.add(event.code)
    signal = signals[0] if signals else None
    said = f" It had signalled {signal.kind}." if signal else ""
    if ending := judge_process(record, said):
        return Verdict(False, *ending, signal)
    if len(signals) > 1 or ErrorCode.SECOND_SIGNAL in codes:
        text = "Protocol error: the agent signalled more than once."
        return Verdict(False, State.TWO_SIGNALS, text, signal)
    if signal:
        return Verdict(True, State.SIGNALLED, f"The agent signalled {signal.kind}.", signal)
    if codes & {ErrorCode.FORGED_SIGNAL, ErrorCode.WRONG_TICKET}:
        text = "The agent's only signal was not this turn's: its nonce or its ticket is another."
        return Verdict(False, State.FORGED, text)
    if ErrorCode.BAD_SIGNAL in codes:
        return Verdict(False, State.NO_SIGNAL, "The agent exited with code 0 and a malformed signal line.")
    return Verdict(False, State.NO_SIGNAL, "The agent exited with code 0 without a signal.")


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

"""The signal line: how a turn says that it ended, whatever else its agent speaks.

    {"mc_signal": "DONE", "ticket": "MC-294", "nonce": "...", "payload": "what was done"}

A line that is such an object, with this turn's nonce and ticket, ends the turn by its word. The payload is
text or an object. Output is untrusted: an old log that is printed again holds signals of other turns.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import replace

from portal.core.storable import storable
from workers.agents.adapters.events import ErrorCode, Refused, Signal, SignalKind, Text
from workers.agents.adapters.reader import Line, without_ansi

SIGNAL_KEY = "mc_signal"


def asked_for(ticket: str, nonce: str) -> str:
    """The signal line as a prompt shows it. No valid signal itself: an agent that echoes it has not signalled."""
    words = " or ".join(SignalKind)
    example = {SIGNAL_KEY: words, "ticket": ticket, "nonce": nonce, "payload": "what you did, in one line"}
    return json.dumps(example)


class Signals:
    """Reads lines for the turn with this nonce and ticket, which signals once in each round."""

    def __init__(self, nonce: str, ticket: str) -> None:
        self.nonce, self.ticket = nonce, ticket
        self.count = self.round = 0

    def begin_round(self) -> None:
        """The agent was told more and begins anew: it signals again."""
        self.round, self.count = self.round + 1, 0

    def read(self, line: Line) -> Text | Refused | Signal:
        """Say what one line means to the turn."""
        event = read_line(line, self.nonce, self.ticket)
        if isinstance(event, Signal):
            self.count += 1
            event = replace(event, round=self.round)
            if self.count > 1:
                return Refused(line.offset, ErrorCode.SECOND_SIGNAL, "Protocol error: a second valid signal.", event)
        return event


def read_line(line: Line, nonce: str, ticket: str) -> Text | Refused | Signal:
    """Say what one line means to the turn with this nonce and ticket."""
    fields = signal_fields(line)
    if fields is None:
        return Text(line.offset, without_ansi(line.text))
    try:
        event = parse_signal(line.offset, fields)
    except BadSignal as error:
        return Refused(line.offset, ErrorCode.BAD_SIGNAL, f"Not a signal: {error}.")
    except RecursionError:
        return Refused(line.offset, ErrorCode.BAD_SIGNAL, "Not a signal: it is nested too deeply.")
    if not same(event.nonce, nonce):
        return Refused(line.offset, ErrorCode.FORGED_SIGNAL, f"A {event.kind} signal of another nonce.", event)
    if not same(event.ticket, ticket):
        return Refused(line.offset, ErrorCode.WRONG_TICKET, f"A {event.kind} signal for another ticket.", event)
    return event


class BadSignal(Exception):
    """The line has the signal's key and not its form."""


def signal_fields(line: Line) -> Members | None:
    """Return the members of the line's object, in order, if it has the signal's key; else None."""
    if line.cut or SIGNAL_KEY.encode() not in line.data:
        return None
    text = without_ansi(line.data.decode("utf-8", "replace")).strip()
    if not text.startswith("{"):
        return None
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

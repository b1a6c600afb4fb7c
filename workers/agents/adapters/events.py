"""What a turn's output means, in the same five words for every agent. Offsets are bytes of its spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class SignalKind(StrEnum):
    """How a turn says that it ended."""

    DONE = "DONE"
    NEEDS_INPUT = "NEEDS_INPUT"
    BLOCKED = "BLOCKED"
    FAILED = "FAILED"


class ErrorCode(StrEnum):
    """Why a line that wants to be a signal is none."""

    BAD_SIGNAL = "bad_signal"  # an unknown kind, a missing or wrongly typed field, a key twice
    FORGED_SIGNAL = "forged_signal"  # not this turn's nonce
    WRONG_TICKET = "wrong_ticket"
    SECOND_SIGNAL = "second_signal"  # a protocol error: a turn ends once


@dataclass(frozen=True)
class Text:
    """A line for the conversation, without its line end."""

    offset: int
    text: str


@dataclass(frozen=True)
class Error:
    """Something wrong in the output; what it says is shown, never obeyed."""

    offset: int
    code: ErrorCode
    text: str


@dataclass(frozen=True)
class Signal:
    """A signal that was valid when it was read: this turn's nonce and ticket."""

    offset: int
    kind: SignalKind
    ticket: str
    nonce: str
    payload: str | Mapping[str, object]


@dataclass(frozen=True)
class Result:
    """The end of the output: whether it held exactly one valid signal, and a sentence."""

    ok: bool
    text: str


@dataclass(frozen=True)
class Other:
    """A line of an agent's protocol that means nothing to us; kept, so that nothing is skipped silently."""

    offset: int
    text: str


Event = Text | Error | Signal | Result | Other

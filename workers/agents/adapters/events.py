"""What a turn's output means, in the same words for every agent. Offsets are bytes of its spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final


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


class Scope(StrEnum):
    """What a usage counts. Figures of runs add up; of a session's figures the last one holds all before it."""

    RUN = "run"  # this run of the command alone
    SESSION = "session"  # the session since it began, earlier runs and the session it was forked from included


@dataclass(frozen=True)
class SessionStarted:
    """The session that a later run can resume, and the model where the agent names it."""

    offset: int
    session_id: str
    model: str | None = None


@dataclass(frozen=True)
class Text:
    """What the agent says. Pieces have `delta`; one without is whole, and replaces the pieces before it."""

    offset: int
    text: str
    delta: bool = False


@dataclass(frozen=True)
class ToolCall:
    """The agent uses a tool. A call whose result never comes was interrupted."""

    offset: int
    id: str
    name: str
    input: object


@dataclass(frozen=True)
class ToolResult:
    """What the tool with that call's id gave, and whether it succeeded as far as the agent tells."""

    offset: int
    id: str
    ok: bool
    output: str


@dataclass(frozen=True)
class Permission:
    """The agent asks whether it may, or was refused without being asked; `request` is in its own words."""

    offset: int
    id: str
    request: Mapping[str, object]


@dataclass(frozen=True)
class Usage:
    """Tokens as the agent counts them, and US dollars; None is what it does not tell."""

    offset: int
    input: int | None
    output: int | None
    cached: int | None
    cost: float | None
    scope: Scope


@dataclass(frozen=True)
class Error:
    """Trouble that the agent reports: `status` of HTTP, `retry` if it tries again itself, `fatal` if it gave up."""

    offset: int
    message: str
    status: int | None = None
    retry: bool = False
    fatal: bool = False


@dataclass(frozen=True)
class Signal:
    """A signal that was valid when it was read: this turn's nonce and ticket.

    `round` counts the prompts of one run: who is told more begins anew, and its last word counts.
    """

    offset: int
    kind: SignalKind
    ticket: str
    nonce: str
    payload: str | Mapping[str, object]
    round: int = 0


@dataclass(frozen=True)
class Refused:
    """A line that wants to be a signal and is none; what it says is shown, never obeyed."""

    offset: int
    code: ErrorCode
    text: str
    signal: Signal | None = None


@dataclass(frozen=True)
class Other:
    """The start of what means nothing to us; told, so that nothing is skipped silently."""

    offset: int
    text: str


@dataclass(frozen=True)
class Result:
    """The end of the output: whether the agent reached its own good end, and its answer or the reason."""

    ok: bool
    text: str


# The result of a program whose signal is its result, and which printed none.
UNSIGNALLED: Final = Result(False, "The output holds no valid signal.")

Event = SessionStarted | Text | ToolCall | ToolResult | Permission | Usage | Error | Signal | Refused | Other | Result

_NAMES = {
    SessionStarted: "session_started",
    Text: "text",
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    Permission: "permission",
    Usage: "usage",
    Error: "error",
    Other: "other",
    Result: "result",
}


def described(event: Event) -> dict[str, object]:
    """Return the event as JSON says it: its type and its fields, without offset and nonce."""
    if isinstance(event, Signal):
        event = Other(event.offset, f"signal {event.kind} for {event.ticket}: {event.payload}")
    elif isinstance(event, Refused):
        event = Error(event.offset, event.text)
    fields = {name: value for name, value in asdict(event).items() if name != "offset"}
    return {"type": _NAMES[type(event)], **fields}

"""Speaking with a running Claude Code: it asks on its output what it may do, and is answered and steered on its input.

The protocol is known here, and nobody who answers: that is the desk, which
the caller hands in. What the agent asks is put to the desk one by one, in
order. A wait is bounded: when it is over, everything asked is denied, the
agent is interrupted, and the dialogue is ``parked``.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from portal.core import limits
from workers.agents.adapters.launches import PERMISSIONS_ON_STDIO
from workers.agents.adapters.parsing import Json, name_of, objects, record, words
from workers.agents.adapters.reader import LineReader
from workers.agents.adapters.stream import JSON_LINE_LIMIT
from workers.supervision.child import Child
from workers.supervision.inlet import Inlet

ASKS: Final = "AskUserQuestion"
READ_BYTES: Final = 1024 * 1024  # of the output, at one look
LOOK_SECONDS: Final = 0.5  # between two looks for an answer, or for messages
ROUND_SECONDS: Final = 3.0  # for the agent to begin with what it was told last
PARTING_SECONDS: Final = 5.0  # for an interrupted agent to say its result; then its input ends, and later it is stopped
MOST_WAITING: Final = 50
INPUT_CHARS: Final = 200_000  # of a tool's input: more than this nobody can judge
# Every line that means something here holds one of these.
_TELLING: Final = (b"control_request", b"control_cancel_request", b'"result"', b'"init"')
NOT_NOW: Final = "Nobody answered in time. This turn ends now; it goes on when somebody has answered."


class Request(NamedTuple):
    """What the agent asks: whether it may use a tool with this input, or, with ``ASKS``, its questions to a person."""

    id: str
    tool: str
    input: Json


@dataclass(frozen=True)
class Answer:
    """What it is told. ``message`` says why not; ``answers`` are by the text of each question."""

    allowed: bool
    message: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


class Note(NamedTuple):
    """Messages to the running agent as it reads them, and what the desk knows them by."""

    keys: tuple[int, ...]
    text: str


class Desk(Protocol):
    """Who answers. Each call may be repeated after a failure of the database."""

    def answer(self, request: Request) -> Answer | None:
        """The answer, if there is one; what was not asked yet is asked."""

    def give_up(self, request: Request) -> Answer | None:
        """The wait is over: the answer that came in the last moment, or None; the question then waits without us."""

    def drop(self, request: Request) -> None:
        """The agent does not want to know it any more."""

    def delivered(self, request: Request) -> None:
        """The agent has read the answer."""

    def note(self) -> Note | None:
        """The messages that wait for the agent now, each given once."""

    def ended(self, read: Sequence[int]) -> None:
        """The agent has ended. Of the messages given it has read these."""


def speaks(adapter: str, argv: Sequence[str]) -> bool:
    """Whether this command asks on its output, and is answered on its standard input."""
    pairs = zip(argv, argv[1:], strict=False)
    option = "=".join(PERMISSIONS_ON_STDIO)
    return adapter == "claude" and (PERMISSIONS_ON_STDIO in pairs or option in argv)


def user_line(text: str) -> str:
    """A prompt, or a message, as the agent reads it."""
    return _line({"type": "user", "message": {"role": "user", "content": [{"type": "text", "text": text}]}})


class Dialogue:
    """The partner of one child, see ``children.run``. ``parked``: it ended because nobody answered in time."""

    def __init__(self, desk: Desk) -> None:
        self.parked = False
        self._desk = desk
        self._offset = 0
        self._lines = LineReader(limit=JSON_LINE_LIMIT)
        self._heard: deque[Json] = deque()
        self._asked: deque[Request] = deque()
        self._known: set[str] = set()
        self._since: float | None = None  # when the first of them was put to the desk
        self._next_look = self._next_notes = 0.0
        # where in the input each answer, and each message, ends
        self._answered: deque[tuple[int, Request]] = deque()
        self._told: deque[tuple[int, Note]] = deque()
        self._read: list[int] = []
        self._result_at: float | None = None  # of the round that is over; None: one is under way
        self._told_since = False  # whether it was told something that no round began with
        self._parked_at = 0.0

    # The child's partner ------------------------------------------------------------

    def look(self, child: Child) -> None:
        """Hear what it said, and say what it is to hear."""
        inlet = child.inlet
        if inlet is None:
            return
        self._hear(child, inlet)
        self._receipts(inlet)
        if not inlet.open:
            self._part(child)
            return
        if self._asked:
            # It waits for us: that is no silence of its own.
            child.hear()
            self._answer(inlet)
        if self.parked:
            self._part(child)
            return
        self._tell(inlet)
        self._end_round(inlet)

    def ended(self, child: Child) -> None:
        """Whatever of its input it has not read, it was not told."""
        if child.inlet is None:
            return
        self._receipts(child.inlet)
        self._desk.ended(self._read)

    # What it says ---------------------------------------------------------------------

    def _hear(self, child: Child, inlet: Inlet) -> None:
        data = _read(child, self._offset)
        self._offset += len(data)
        for line in self._lines.feed(data):
            if any(mark in line.data for mark in _TELLING):
                self._heard += objects(line)[0]
        while self._heard:
            # Only then forgotten: the desk may have to be asked again.
            self._take(self._heard[0], inlet)
            self._heard.popleft()
        if self._offset >= child.spec.output_cap:
            # No more of its output is kept, so no question would be heard: it goes on alone.
            inlet.end()

    def _take(self, said: Json, inlet: Inlet) -> None:
        match said.get("type"), words(said, "subtype"):
            case "control_request", _:
                self._take_request(said, inlet)
            case "control_cancel_request", _:
                self._drop(name_of(said, "request_id"))
            case "system", "init":
                self._result_at, self._told_since = None, False
            case "result", _ if not said.get("parent_tool_use_id"):
                self._result_at = time.monotonic()
                self._next_notes = 0.0

    def _take_request(self, said: Json, inlet: Inlet) -> None:
        request, name = record(said, "request"), name_of(said, "request_id")
        if words(request, "subtype") != "can_use_tool":
            inlet.write(_control_error(name, "This is not served here.").encode())
            return
        asked = Request(name, words(request, "tool_name"), record(request, "input"))
        if not name or name in self._known:
            return
        self._known.add(name)
        if self.parked:
            self._reply(inlet, asked, Answer(False, NOT_NOW))
        elif len(self._asked) >= MOST_WAITING or len(_json(asked.input)) > INPUT_CHARS:
            self._reply(inlet, asked, Answer(False, "This is more than a person can look at. Ask for less at once."))
        else:
            self._asked.append(asked)

    def _drop(self, name: str) -> None:
        for place, asked in enumerate(self._asked):
            if asked.id == name:
                if place == 0 and self._since is not None:
                    self._desk.drop(asked)
                    self._since = None
                del self._asked[place]
                return

    # What it is told ------------------------------------------------------------------

    def _answer(self, inlet: Inlet) -> None:
        """Answer what was asked first, once the desk has an answer; give up when its time is over."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        asked = self._asked[0]
        answer = self._desk.answer(asked)
        self._since = now if self._since is None else self._since
        if answer is None and now - self._since >= limits.value("PERMISSION_WAIT_SECONDS"):
            answer = self._desk.give_up(asked)
            if answer is None:
                self._park(inlet, now)
                return
        if answer is not None and self._reply(inlet, asked, answer):
            self._asked.popleft()
            self._since, self._next_look = None, 0.0
            self._answered.append((inlet.written, asked))

    def _park(self, inlet: Inlet, now: float) -> None:
        self.parked, self._parked_at = True, now
        while self._asked:
            self._reply(inlet, self._asked.popleft(), Answer(False, NOT_NOW))
        interrupt = {"type": "control_request", "request_id": "shiproom-1", "request": {"subtype": "interrupt"}}
        inlet.write(_line(interrupt).encode())

    def _part(self, child: Child) -> None:
        """Carry a parked dialogue to its end: the result, the end of the input, and then no more patience."""
        if not self.parked or child.inlet is None:
            return
        late = time.monotonic() - self._parked_at
        if self._result_at is not None or late > PARTING_SECONDS:
            child.inlet.end()
        if late > 2 * PARTING_SECONDS:
            child.stop()

    def _reply(self, inlet: Inlet, asked: Request, answer: Answer) -> bool:
        said: Json = {"behavior": "deny", "message": answer.message}
        if answer.allowed:
            given = asked.input | ({"answers": dict(answer.answers)} if answer.answers else {})
            said = {"behavior": "allow", "updatedInput": given}
        response = {"subtype": "success", "request_id": asked.id, "response": said}
        return inlet.write(_line({"type": "control_response", "response": response}).encode())

    def _tell(self, inlet: Inlet) -> None:
        """Messages, once it has read all that it was given before: who does not read is given no more."""
        now = time.monotonic()
        if now < self._next_notes or inlet.read < inlet.written:
            return
        self._next_notes = now + LOOK_SECONDS
        note = self._desk.note()
        if note is not None and inlet.write(user_line(note.text).encode()):
            self._told.append((inlet.written, note))
            self._told_since = True
            if self._result_at is not None:
                self._result_at = now

    def _end_round(self, inlet: Inlet) -> None:
        """Its result was said and nothing waits: the input ends, and so does the agent."""
        if self._result_at is None or self._asked:
            return
        # What it read in its last round may be what it begins another one with.
        patience = ROUND_SECONDS if self._told_since else 0.0
        if inlet.read >= inlet.written and time.monotonic() - self._result_at >= patience:
            inlet.end()

    def _receipts(self, inlet: Inlet) -> None:
        read = inlet.read
        while self._answered and self._answered[0][0] <= read:
            self._desk.delivered(self._answered[0][1])
            self._answered.popleft()
        while self._told and self._told[0][0] <= read:
            self._read += self._told.popleft()[1].keys


def _read(child: Child, offset: int) -> bytes:
    try:
        descriptor = os.open(child.stdout, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(descriptor, READ_BYTES, offset)
    finally:
        os.close(descriptor)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(said: Json) -> str:
    # ASCII: a lone surrogate in a tool's input must not stop the answer.
    return json.dumps(said) + "\n"


def _control_error(name: str, why: str) -> str:
    return _line({"type": "control_response", "response": {"subtype": "error", "request_id": name, "error": why}})


class Unattended:
    """The desk of a run that nobody attends, with a harmless prompt of ours: what it asks for is allowed."""

    def answer(self, request: Request) -> Answer | None:
        """Yes, but there is nobody to be asked a question."""
        if request.tool == ASKS:
            return Answer(False, "Nobody answers here. Do as you think best.")
        return Answer(True)

    def give_up(self, request: Request) -> Answer | None:
        """Never: it answers at once."""
        return self.answer(request)

    def drop(self, request: Request) -> None:
        """Nothing is kept."""

    def delivered(self, request: Request) -> None:
        """Nothing is kept."""

    def note(self) -> Note | None:
        """Nobody writes."""

    def ended(self, read: Sequence[int]) -> None:
        """Nobody wrote."""

"""What an agent says and does in a turn, read out of the newest part of its output by its adapter.

A view of the stored output and nothing else: read anew whenever it is shown.
Everything in it is an agent's text and is never trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from tickets import output
from tickets.models import Turn, TurnState
from workers.agents.adapters import UnknownAdapter, adapter_named, events

# Of a turn's output: what agents print around their words is many times as long as these.
READ_BYTES: Final = 500_000
SHOWN: Final = 100
TEXT_CHARS: Final = 20_000
HEAD_CHARS: Final = 1_500
TAIL_CHARS: Final = 3_000
ARGUMENT_CHARS: Final = 200
NOTE_CHARS: Final = 600
CHANGE_LINES: Final = 200
USE_ICON: Final = "measured"
RAW_CHARS: Final = 20_000

# What tells most of a call, the first that it has.
_TELLING: Final = ("file_path", "path", "command", "cmd", "pattern", "query", "url", "description", "prompt")
_SIGNAL_LINE: Final = re.compile(r'^[ \t]*\{.*"mc_signal".*\}[ \t]*$\n?', re.MULTILINE)


@dataclass(slots=True)
class Said:
    """Its words. ``pieces``: they came in pieces so far, and the whole may come in their place."""

    kind: ClassVar[str] = "said"
    id: str
    text: str
    pieces: bool = False

    @property
    def shown(self) -> str:
        return _SIGNAL_LINE.sub("", self.text)[:TEXT_CHARS].strip()

    @property
    def more(self) -> int:
        return max(0, len(self.text) - TEXT_CHARS)


@dataclass(slots=True)
class Did:
    """A tool that it used. ``outcome``: ok, failed, running, or interrupted where no result came."""

    kind: ClassVar[str] = "did"
    id: str
    name: str
    given: object
    output: str = ""
    outcome: str = "running"

    @property
    def argument(self) -> str:
        """The one thing that tells which call it is."""
        values = self.given if isinstance(self.given, Mapping) else {"": self.given}
        known = [values[name] for name in _TELLING if values.get(name)]
        found = next(iter([*known, *(value for value in values.values() if isinstance(value, str))]), "")
        words = " ".join(map(str, found)) if isinstance(found, list) else str(found)
        return cut(" ".join(words[: 2 * ARGUMENT_CHARS].split()), ARGUMENT_CHARS)

    @property
    def input(self) -> str:
        if isinstance(self.given, str):
            return bounded(self.given)
        if isinstance(self.given, Mapping) and list(self.given.values()) == [self.argument]:
            # Its summary says all of it.
            return ""
        return bounded(json.dumps(self.given, ensure_ascii=False, indent=2)) if self.given else ""

    @property
    def change(self) -> list[tuple[str, str]]:
        """Lines taken out and put in, where the call replaces text: ``del`` or ``add``, and the line."""
        values = self.given if isinstance(self.given, Mapping) else {}
        old, new = values.get("old_string"), values.get("new_string")
        if not isinstance(old, str) or not isinstance(new, str):
            return []
        lines = [("del", f"-{line}") for line in old.split("\n")] + [("add", f"+{line}") for line in new.split("\n")]
        left = len(lines) - CHANGE_LINES
        return [*lines[:CHANGE_LINES], *([("", f"… {left} more lines are left out here")] if left > 0 else [])]

    @property
    def result(self) -> str:
        return bounded(self.output)


@dataclass(slots=True)
class Noted:
    """One line beside the talk: a beginning, an error, a refusal, a signal, what it cost."""

    kind: ClassVar[str] = "noted"
    id: str
    icon: str
    words: str
    tone: str = ""


@dataclass(slots=True)
class Raw:
    """What means nothing to its adapter, as it was printed."""

    kind: ClassVar[str] = "raw"
    id: str
    lines: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        return bounded("\n".join(self.lines), RAW_CHARS // 2, RAW_CHARS // 2)


Entry = Said | Did | Noted | Raw


@dataclass(frozen=True, slots=True)
class Transcript:
    """``left_out``: entries before these; ``source.cut``: bytes before what was read."""

    source: output.Output
    entries: list[Entry]
    left_out: int


def is_structured(adapter: str) -> bool:
    """Whether the output of an agent with this adapter is more than plain text."""
    try:
        adapter_named(adapter)
    except UnknownAdapter:
        return False
    return adapter != "plain"


def of(turn: Turn) -> Transcript:
    """The newest part of what the agent of ``turn`` said and did; its adapter is one that ``is_structured``."""
    running = turn.state == TurnState.RUNNING
    source = output.newest(turn.attempt_id, running=running, most_bytes=READ_BYTES)
    begin, data = source.cut, source.text.encode("utf-8", "replace")
    if begin:
        # The middle of an object means nothing: reading begins with the first whole line.
        skipped = data.find(b"\n") + 1 or len(data)
        begin, data = begin + skipped, data[skipped:]
    adapter = adapter_named(turn.agent_version.adapter)(turn.nonce, turn.ticket.key, begin)
    found = adapter.feed(data)
    if not running:
        # While it runs, the last line may still be half written.
        found += adapter.finish()
    entries = Reading(f"turn-{turn.seq}").read(found, ended=not running)
    return Transcript(source, entries[-SHOWN:], max(0, len(entries) - SHOWN))


class Reading:
    """Entries out of events, in their order. Ids are made of the place in the output, so that they stay."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self._calls: dict[str, Did] = {}
        self._pieces: Said | None = None
        self._at = (-1, 0)

    def read(self, found: Iterable[events.Event], *, ended: bool) -> list[Entry]:
        for event in found:
            self._take(event)
        for entry in self.entries:
            if ended and isinstance(entry, Did) and entry.outcome == "running":
                entry.outcome = "interrupted"
        return [entry for entry in self.entries if not isinstance(entry, Said) or entry.shown]

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Result):
            self._end(event)
            return
        name = self._id(event.offset)
        match event:
            case events.Text():
                self._say(event, name)
            case events.Other(text=text):
                self._raw(text, name)
            case events.ToolResult(id=call, ok=ok, output=said):
                self._answer(call, ok, said, name)
            case events.ToolCall(id=call, name=tool, input=given):
                self._pieces = None
                self._calls[call] = did = Did(name, cut(tool, ARGUMENT_CHARS) or "tool", given)
                self.entries.append(did)
            case events.Usage():
                self._use(spent(event), name)
            case _:
                self._pieces = None
                self.entries.append(_note(event, name))

    def _id(self, offset: int) -> str:
        place, n = self._at
        self._at = (offset, n + 1 if offset == place else 0)
        return f"{self.name}-{offset}-{self._at[1]}"

    def _say(self, event: events.Text, name: str) -> None:
        if self._pieces is None:
            said = Said(name, event.text, event.delta)
            self.entries.append(said)
            self._pieces = said if event.delta else None
        elif event.delta:
            self._pieces.text += event.text
        else:
            self._pieces.text, self._pieces.pieces, self._pieces = event.text, False, None

    def _use(self, words: str, name: str) -> None:
        # Agents that tell tokens and cost apart tell them one after the other.
        last = self.entries[-1] if self.entries else None
        if isinstance(last, Noted) and last.icon == USE_ICON:
            last.words += f" · {words}"
        else:
            self.entries.append(Noted(name, USE_ICON, words))

    def _raw(self, text: str, name: str) -> None:
        # One fold for what comes together, also where words in pieces run on between.
        before = [entry for entry in self.entries[-2:] if entry is not self._pieces]
        if before and isinstance(before[-1], Raw):
            before[-1].lines.append(text)
        else:
            self.entries.append(Raw(name, [text]))

    def _answer(self, call: str, ok: bool, said: str, name: str) -> None:
        self._pieces = None
        did = self._calls.get(call)
        if did is None:
            # Its call lies before the part that was read.
            did = Did(name, "tool", None)
            self.entries.append(did)
        did.output, did.outcome = said, "ok" if ok else "failed"

    def _end(self, event: events.Result) -> None:
        said = [entry.text.strip() for entry in self.entries if isinstance(entry, Said)]
        last = self.entries[-1] if self.entries else None
        if event.ok and event.text.strip() and event.text.strip() not in said:
            self.entries.append(Said(f"{self.name}-result", event.text))
        elif not event.ok and not (isinstance(last, Noted) and event.text[:NOTE_CHARS] in last.words):
            self.entries.append(Noted(f"{self.name}-result", "fail", cut(event.text, NOTE_CHARS), "bad"))


def _note(event: events.Event, name: str) -> Noted:
    match event:
        case events.SessionStarted(model=model):
            return Noted(name, "agent", f"Session began{f', {cut(model, 80)}' if model else ''}")
        case events.Permission(request=request):
            return Noted(name, "lock", _permission(request), "warn")
        case events.Error(message=message, status=status, retry=retry):
            words = f"{cut(message, NOTE_CHARS)}{f' (status {status})' if status else ''}"
            if retry:
                return Noted(name, "retry", f"{words} It tries again.", "warn")
            return Noted(name, "fail", words, "bad")
        case events.Signal(kind=kind):
            return Noted(name, "claimed", f"Says {kind}.", "warn")
        case events.Refused(text=text):
            return Noted(name, "block", f"A signal that does not count. {cut(text, NOTE_CHARS)}", "bad")
    raise AssertionError(event)


def _permission(request: Mapping[str, Any]) -> str:
    names = [request[name] for name in ("tool_name", "tool", "permission", "title") if request.get(name)]
    reasons = [request[name] for name in ("message", "reason") if request.get(name)]
    told = [cut(str(found[0]), NOTE_CHARS) for found in (names, reasons) if found]
    words = ": ".join(told) or cut(json.dumps(dict(request), ensure_ascii=False), NOTE_CHARS)
    return f"Asks for permission, or was refused it: {words}"


def spent(usage: events.Usage) -> str:
    """What a usage counts, in words; what the agent does not tell is left out."""
    counts = ((usage.input, "in"), (usage.output, "out"), (usage.cached, "cached"))
    parts = [f"{number:,} {word}" for number, word in counts if number is not None]
    tokens = f"Tokens: {', '.join(parts)}" if parts else ""
    cost = f"${usage.cost:,.2f}" if usage.cost is not None else ""
    scope = "in this session so far" if usage.scope is events.Scope.SESSION else ""
    return " · ".join(filter(None, (tokens, cost, scope))) or "It told no figures of its use"


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def bounded(text: str, head: int = HEAD_CHARS, tail: int = TAIL_CHARS) -> str:
    """The beginning and the end of a long text, with how much is left out between them."""
    left = len(text) - head - tail
    return text if left <= 0 else f"{text[:head]}\n… {left:,} characters are left out here …\n{text[-tail:]}"

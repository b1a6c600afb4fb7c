"""Codex: `codex exec --json`. Its stream is no full log: a denied quick command may not appear at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.agents.adapters.events import Error, Event, Permission, Scope, SessionStarted, ToolCall, ToolResult
from workers.agents.adapters.launches import CODEX
from workers.agents.adapters.parsing import Json, count, flat, name_of, record, status_in, words
from workers.agents.adapters.stream import StreamAdapter

# The kinds of items that are a tool's, and what of them is its input.
_TOOLS = {
    "command_execution": ("command",),
    "file_change": ("changes",),
    "mcp_tool_call": ("arguments",),
    "collab_tool_call": ("tool", "prompt", "receiver_thread_ids"),
    "web_search": ("query", "action"),
}


class CodexAdapter(StreamAdapter):
    """Its figures run on over the session and have no cost. Items of kind error are warnings."""

    launch = CODEX

    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object."""
        message = words(said, "message") or words(said, "error", "message")
        match kind:
            case "thread.started":
                yield SessionStarted(self.at, words(said, "thread_id"))
            case "turn.started":
                self.outcome = None
            case "item.started" | "item.completed":
                yield from self._item(record(said, "item"), done=kind == "item.completed")
            case "error" if message.startswith("Reconnecting"):
                yield Error(self.at, message, status_in(message), retry=True)
            case "error" | "turn.failed":
                yield from self.fail(message, status_in(message))
            case "request_user_input":
                yield Permission(self.at, name_of(said, "call_id"), said)
            case "turn.completed":
                names = ("input_tokens", "output_tokens", "cached_input_tokens")
                yield self.usage_of((count(said, "usage", name) for name in names), None, Scope.SESSION)
                self.succeed()

    def _item(self, item: Json, *, done: bool) -> Iterator[Event]:
        kind, called = words(item, "type"), name_of(item, "id")
        if kind == "agent_message" and done:
            yield from self.say(words(item, "text"))
        if kind not in _TOOLS:
            return
        if self.first(called):
            served = kind == "mcp_tool_call"
            name = f"{words(item, 'server')}.{words(item, 'tool')}" if served else kind
            given = item.get("arguments") if served else {part: item.get(part) for part in _TOOLS[kind]}
            yield ToolCall(self.at, called, name, given)
        if done:
            ok = item.get("status", "completed") == "completed" and item.get("exit_code") in (None, 0)
            output = words(item, "aggregated_output") or words(item, "error", "message")
            if item.get("status") == "declined" or (not ok and "approval" in words(item, "error", "message")):
                yield Permission(self.at, called, item)
            yield ToolResult(self.at, called, ok, output or flat(record(item, "result").get("content")))

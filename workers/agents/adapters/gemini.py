"""Gemini CLI: `gemini --output-format stream-json`. It loses the end of its output where that is a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.agents.adapters.events import Error, Event, Scope, SessionStarted, ToolCall, ToolResult
from workers.agents.adapters.launches import GEMINI
from workers.agents.adapters.parsing import Json, count, name_of, status_in, words
from workers.agents.adapters.stream import StreamAdapter


class GeminiAdapter(StreamAdapter):
    """Its figures count this run and have no cost. A command that failed is told as a success, without its code."""

    launch = GEMINI

    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object."""
        message = words(said, "error", "message") or words(said, "message")
        match kind:
            case "init":
                yield SessionStarted(self.at, words(said, "session_id"), words(said, "model") or None)
            case "message" if said.get("role") == "assistant":
                yield from self.say(words(said, "content"), delta=said.get("delta") is True)
            case "tool_use":
                yield from self.pause()
                called = name_of(said, "tool_id")
                yield ToolCall(self.at, called, words(said, "tool_name"), said.get("parameters"))
            case "tool_result":
                ok = said.get("status") == "success" and not said.get("error")
                yield ToolResult(self.at, name_of(said, "tool_id"), ok, words(said, "output") or message)
            case "error":
                self._reason = message
                yield Error(self.at, message, status_in(message))
            case "result":
                yield from self._result(said, message or self._reason)

    _reason = ""  # of a result that gives none itself

    def _result(self, said: Json, message: str) -> Iterator[Event]:
        if isinstance(said.get("stats"), dict):
            names = ("input_tokens", "output_tokens", "cached")
            yield self.usage_of((count(said, "stats", name) for name in names), None, Scope.RUN)
        if said.get("status") == "success":
            self.succeed()
        else:
            yield from self.fail(message, status_in(message))

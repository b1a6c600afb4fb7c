"""opencode: `opencode run --format json`. No object ends the run: its last step and its exit do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.agents.adapters.events import Event, Permission, Result, Scope, SessionStarted, ToolCall, ToolResult
from workers.agents.adapters.launches import OPENCODE
from workers.agents.adapters.parsing import Json, amount, count, flat, name_of, record, words
from workers.agents.adapters.stream import StreamAdapter

_REFUSALS = ("rejected permission", "a rule which prevents you from using")


class OpencodeAdapter(StreamAdapter):
    """Each step has its own figures; their sum is this run's. A tool appears when it is finished."""

    launch = OPENCODE

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None:
        super().__init__(nonce, ticket, offset)
        self._reason = ""  # for which the last step finished; empty while one is under way
        self._steps, self._tokens, self._cost = 0, [0, 0, 0], 0.0

    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object."""
        if (session := words(said, "sessionID")) and self.first("session"):
            yield SessionStarted(self.at, session)
        part = record(said, "part")
        match kind:
            case "text":
                yield from self.say(words(part, "text"))
            case "tool_use":
                yield from self._tool(part, record(part, "state"))
            case "step_start" | "step_finish":
                self._reason = words(part, "reason")
                self._add(part)
            case "error":
                data = record(said, "error", "data")
                yield from self.fail(words(data, "message") or words(said, "error", "name"), count(data, "statusCode"))

    def close(self) -> Iterable[Event]:
        """Yield the sum of the steps, and judge the run by the last of them unless an error did."""
        if self._steps:
            yield self.usage_of(self._tokens, self._cost, Scope.RUN)
        if self.outcome is None and self._reason == "stop":
            self.succeed()
        elif self.outcome is None and self._reason:
            self.outcome = Result(False, f"The run ended at a step of reason {self._reason}, without an answer.")

    def _tool(self, part: Json, state: Json) -> Iterator[Event]:
        yield from self.pause()
        called, name, error = name_of(part, "callID"), words(part, "tool"), words(state, "error")
        yield ToolCall(self.at, called, name, state.get("input"))
        if any(sign in error for sign in _REFUSALS):
            yield Permission(self.at, called, {"tool": name, "input": state.get("input"), "message": error})
        # A command that failed is "completed" all the same; one that was cut off has an exit of null.
        ok = state.get("status") == "completed" and record(state, "metadata").get("exit", 0) == 0
        yield ToolResult(self.at, called, ok, flat(state.get("output")) or error)

    def _add(self, part: Json) -> None:
        tokens = part.get("tokens")
        if isinstance(tokens, dict):
            for number, path in enumerate((("input",), ("output",), ("cache", "read"))):
                self._tokens[number] += count(tokens, *path) or 0
            self._steps += 1
            self._cost = round(self._cost + (amount(part, "cost") or 0), 12)

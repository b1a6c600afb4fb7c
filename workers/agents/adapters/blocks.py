"""Messages of content blocks with a closing result, as Claude Code and Qwen Code print them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from workers.agents.adapters.events import Event, Permission, Scope, SessionStarted, Text, ToolCall, ToolResult, Usage
from workers.agents.adapters.parsing import Json, at, count, flat, name_of, record, records, status_in, words
from workers.agents.adapters.stream import StreamAdapter


class BlockAdapter(StreamAdapter):
    """What the two have in common. A sub-agent's tools are told; its words are not the agent's own."""

    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object."""
        match kind:
            case "system":
                return (
                    self._started(said) if said.get("subtype") == "init" else self.system(words(said, "subtype"), said)
                )
            case "assistant" | "user":
                return self._message(kind, said)
            case "stream_event":
                return self._piece(said)
            case "control_request":
                return self._asked(said)
            case "result" if not said.get("parent_tool_use_id"):
                return self._result(said)
        return ()

    @abstractmethod
    def system(self, subtype: str, said: Json) -> Iterable[Event]:
        """Yield the events of a system message other than the first."""

    @abstractmethod
    def usage(self, said: Json) -> Iterable[Event]:
        """Yield the usage that a result tells."""

    def tokens(self, usage: Json, scope: Scope) -> Usage:
        """Return the tokens of a usage object."""
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens")
        return self.usage_of((count(usage, name) for name in names), None, scope)

    def _started(self, said: Json) -> Iterator[Event]:
        # Several prompts in one process: each has its own beginning, signal and result.
        if self.outcome is not None:
            self._signals.begin_round()
        self.outcome = None
        if self.first(f"session {words(said, 'session_id')}"):
            yield SessionStarted(self.at, words(said, "session_id"), words(said, "model") or None)

    def _message(self, kind: str, said: Json) -> Iterator[Event]:
        content = at(said, "message", "content")
        own = kind == "assistant" and not said.get("parent_tool_use_id")
        if own and (said.get("is_api_error_message") or isinstance(said.get("error"), str)):
            message = flat(content)
            yield from self.fail(message, count(said, "api_error_status") or status_in(message))
            return
        for block in records(said, "message", "content"):
            block_kind = words(block, "type")
            if block_kind == "text" and own:
                yield from self.say(words(block, "text"))
            elif block_kind.endswith("tool_use"):
                yield from self.pause()
                yield ToolCall(self.at, name_of(block, "id"), words(block, "name"), block.get("input"))
            elif block_kind.endswith("tool_result"):
                output = flat(block.get("content"))
                yield ToolResult(self.at, name_of(block, "tool_use_id"), block.get("is_error") is not True, output)

    def _piece(self, said: Json) -> Iterator[Event]:
        delta = record(said, "event", "delta")
        if delta.get("type") == "text_delta" and words(delta, "text") and not said.get("parent_tool_use_id"):
            yield Text(self.at, words(delta, "text"), delta=True)  # the whole message follows and is said

    def _asked(self, said: Json) -> Iterator[Event]:
        request = record(said, "request")
        if request.get("subtype") == "can_use_tool":
            self.first(name_of(request, "tool_use_id"))
            yield Permission(self.at, name_of(said, "request_id"), request)

    def _result(self, said: Json) -> Iterator[Event]:
        for denial in records(said, "permission_denials"):
            if self.first(called := name_of(denial, "tool_use_id")):
                yield Permission(self.at, called, denial)
        yield from self.usage(said)
        text = words(said, "result")
        if not said.get("is_error") and said.get("subtype") == "success":
            self.succeed(text)
            return
        reasons = [text, flat(said.get("errors")), words(said, "error", "message"), words(said, "subtype")]
        message = next((reason for reason in reasons if reason), "")
        yield from self.fail(message, count(said, "api_error_status") or status_in(message))

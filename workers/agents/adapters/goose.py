"""Goose: `goose run -q --output-format stream-json`. Its session has the name that it was started with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.agents.adapters.events import Event, Permission, Scope, ToolCall, ToolResult
from workers.agents.adapters.launches import GOOSE
from workers.agents.adapters.parsing import Json, amount, at, count, flat, name_of, record, records, status_in, words
from workers.agents.adapters.stream import StreamAdapter

# Goose ends a run with these words of its own, as if the model had said them, and with exit code 0.
_RETRY = "Please retry if you think this is a transient or recoverable error."
_RESEND = "Please resend your message to try again."
_OUT_OF_TURNS = "I've reached the maximum number of actions I can do without user input."
_OUT_OF_CONTEXT = "Unable to continue: Context limit"
# What it makes of a 429, before the provider's own words; those may name no status.
_RATE_LIMITED = "Ran into this error: Rate limit exceeded"


class GooseAdapter(StreamAdapter):
    """Its figures run on over the session and have no cost. It does not print the session's name."""

    launch = GOOSE

    def __init__(self, nonce: str, ticket: str, offset: int = 0) -> None:
        super().__init__(nonce, ticket, offset)
        self._message = ""

    def read(self, kind: str, said: Json) -> Iterable[Event]:
        """Yield the events of one object."""
        match kind:
            case "message":
                message = record(said, "message")
                for part in records(message, "content"):
                    yield from self._part(message, words(part, "type"), part)
            case "error":
                error = words(said, "error")
                yield from self.fail(error, status_in(error))
            case "complete":
                names = ("input_tokens", "output_tokens", "cache_read_input_tokens")
                yield self.usage_of((count(said, name) for name in names), amount(said, "cost"), Scope.SESSION)
                if self.outcome is None:
                    self.succeed()

    def _part(self, message: Json, kind: str, part: Json) -> Iterator[Event]:
        called = name_of(part, "id")
        match kind:
            case "text" if message.get("role") == "assistant":
                yield from self._text(message, words(part, "text"))
            case "toolRequest" | "frontendToolRequest":
                yield from self.pause()
                value = record(part, "toolCall", "value")
                yield ToolCall(self.at, called, words(value, "name"), value.get("arguments"))
            case "toolResponse":
                value = at(part, "toolResult", "value")
                ok = at(part, "toolResult", "status") == "success" and not at(value, "isError")
                ok = ok and at(value, "structuredContent", "exit_code") in (None, 0)
                content = at(value, "content") if isinstance(value, dict) else value
                yield ToolResult(self.at, called, ok, flat(content) or words(part, "toolResult", "error"))
            case "toolConfirmationRequest" | "actionRequired":
                data = record(part, "data") or part
                yield Permission(self.at, name_of(data, "id") or called, data)
            case "error":
                yield from self.fail(words(part, "message"), status_in(words(part, "message")))

    def _text(self, message: Json, text: str) -> Iterator[Event]:
        if at(message, "metadata", "userVisible") is False:
            return
        if (name := name_of(message, "id")) != self._message:
            self._message = name
            yield from self.pause()
        if not record(message, "metadata", "inference") and self._is_end(text):
            yield from self.fail(text, 429 if text.startswith(_RATE_LIMITED) else status_in(text))
        else:
            yield from self.say(text, delta=True)

    def _is_end(self, text: str) -> bool:
        failed = text.startswith("Ran into this error: ") and text.endswith(_RETRY)
        return failed or text.endswith(_RESEND) or text.startswith((_OUT_OF_TURNS, _OUT_OF_CONTEXT))

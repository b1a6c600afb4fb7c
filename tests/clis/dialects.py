"""What the command lines and their models say to each other: three dialects, each as one conversation and one reply."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Json = dict[str, Any]
Events = Iterator[tuple[str, Json | str]]
INPUT, OUTPUT, CACHED = 1000, 20, 100
_numbers = itertools.count(1)


class Said(NamedTuple):
    """A text of the conversation. ``role``: user, assistant, or result, which is what a tool gave."""

    role: str
    text: str


class Call(NamedTuple):
    name: str
    arguments: Json
    namespace: str = ""


class Fault(NamedTuple):
    status: int

    @property
    def kind(self) -> str:
        return {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, "api_error")

    @property
    def message(self) -> str:
        return f"The scripted API answers {self.status}."


@dataclass(frozen=True)
class Reply:
    text: str
    call: Call | None = None
    fault: Fault | None = None


class Dialect(Protocol):
    def read(self, body: Json) -> tuple[list[Said], list[Json]]:
        """The conversation, and the tools as ``name``, ``schema`` and perhaps ``namespace``."""

    def stream(self, reply: Reply, model: str) -> Events: ...

    def whole(self, reply: Reply, model: str) -> Json: ...

    def fault(self, fault: Fault) -> Json: ...


def of(path: str) -> Dialect | None:
    found: dict[str, Dialect] = {"/messages": Messages(), "/responses": Responses(), "/chat/completions": Chat()}
    return next((dialect for end, dialect in found.items() if path.endswith(end)), None)


def _new(kind: str) -> str:
    return f"{kind}_{next(_numbers)}"


def _words(content: Any) -> str:
    """The text of what may be a text, a list of parts, or one of them."""
    if isinstance(content, list):
        return "\n".join(_words(part) for part in content)
    if isinstance(content, dict):
        return _words(next((content[name] for name in ("text", "content", "output") if name in content), ""))
    return "" if content is None else str(content)


class Messages:
    """Anthropic's."""

    def read(self, body: Json) -> tuple[list[Said], list[Json]]:
        said: list[Said] = []
        for message in body.get("messages", []):
            content = message["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] == "tool_result":
                    said.append(Said("result", _words(part)))
                elif part["type"] == "text":
                    said.append(Said(message["role"], part["text"]))
        tools = [{"name": tool["name"], "schema": tool.get("input_schema", {})} for tool in body.get("tools") or []]
        return said, tools

    def whole(self, reply: Reply, model: str) -> Json:
        content: list[Json] = [{"type": "text", "text": reply.text}]
        if reply.call:
            content.append(
                {"type": "tool_use", "id": _new("toolu"), "name": reply.call.name, "input": reply.call.arguments}
            )
        usage = {"input_tokens": INPUT, "output_tokens": OUTPUT, "cache_read_input_tokens": CACHED}
        return {
            "id": _new("msg"),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": content,
            "stop_reason": "tool_use" if reply.call else "end_turn",
            "stop_sequence": None,
            "usage": {**usage, "cache_creation_input_tokens": 0},
        }

    def stream(self, reply: Reply, model: str) -> Events:
        whole = self.whole(reply, model)
        yield _event("message_start", message={**whole, "content": [], "stop_reason": None})
        for index, part in enumerate(whole["content"]):
            if part["type"] == "text":
                begun, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": part["text"]}
            else:
                begun = {**part, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}
            yield _event("content_block_start", index=index, content_block=begun)
            yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        stopped = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield _event("message_delta", delta=stopped, usage=whole["usage"])
        yield _event("message_stop")

    def fault(self, fault: Fault) -> Json:
        return {"type": "error", "error": {"type": fault.kind, "message": fault.message}}


class Responses:
    """OpenAI's newer one."""

    def read(self, body: Json) -> tuple[list[Said], list[Json]]:
        said: list[Said] = []
        for item in body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]:
            kind = item.get("type", "message")
            if kind == "message":
                said.append(Said(item["role"], _words(item["content"])))
            elif kind.endswith("_output"):
                said.append(Said("result", _words(item["output"])))
        return said, list(_offered(body.get("tools") or [], ""))

    def whole(self, reply: Reply, model: str) -> Json:
        text = {"type": "output_text", "text": reply.text, "annotations": []}
        items: list[Json] = [
            {"type": "message", "id": _new("msg"), "role": "assistant", "status": "completed", "content": [text]}
        ]
        if call := reply.call:
            named = {"name": call.name, **({"namespace": call.namespace} if call.namespace else {})}
            given = {"call_id": _new("call"), "arguments": json.dumps(call.arguments), "status": "completed"}
            items.append({"type": "function_call", "id": _new("fc"), **named, **given})
        usage = {
            "input_tokens": INPUT,
            "input_tokens_details": {"cached_tokens": CACHED},
            "output_tokens": OUTPUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT + OUTPUT,
        }
        base = {"id": _new("resp"), "object": "response", "created_at": 1, "model": model, "error": None}
        return {**base, "status": "completed", "output": items, "usage": usage}

    def stream(self, reply: Reply, model: str) -> Events:
        whole = self.whole(reply, model)
        yield _event("response.created", response={**whole, "status": "in_progress", "output": [], "usage": None})
        for index, item in enumerate(whole["output"]):
            begun = {**item, "status": "in_progress"}
            begun |= {"content": []} if item["type"] == "message" else {"arguments": ""}
            yield _event("response.output_item.added", output_index=index, item=begun)
            place = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                text = {**place, "content_index": 0}
                yield _event("response.output_text.delta", **text, delta=item["content"][0]["text"])
                yield _event("response.output_text.done", **text, text=item["content"][0]["text"])
            else:
                yield _event("response.function_call_arguments.done", **place, arguments=item["arguments"])
            yield _event("response.output_item.done", output_index=index, item=item)
        yield _event("response.completed", response=whole)

    def fault(self, fault: Fault) -> Json:
        return {"error": {"message": fault.message, "type": fault.kind, "param": None, "code": None}}


class Chat:
    """OpenAI's older one."""

    def read(self, body: Json) -> tuple[list[Said], list[Json]]:
        said = [
            Said("result" if message["role"] == "tool" else message["role"], _words(message.get("content")))
            for message in body.get("messages", [])
        ]
        functions = [tool["function"] for tool in body.get("tools") or [] if "function" in tool]
        return said, [{"name": found["name"], "schema": found.get("parameters", {})} for found in functions]

    def whole(self, reply: Reply, model: str) -> Json:
        message: Json = {"role": "assistant", "content": reply.text}
        if call := reply.call:
            function = {"name": call.name, "arguments": json.dumps(call.arguments)}
            message["tool_calls"] = [{"id": _new("call"), "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.call else "stop"}
        base = {"id": _new("chatcmpl"), "object": "chat.completion", "created": 1, "model": model}
        return {**base, "choices": [choice], "usage": self._usage()}

    def stream(self, reply: Reply, model: str) -> Events:
        (choice,) = self.whole(reply, model)["choices"]
        calls = [{**call, "index": index} for index, call in enumerate(choice["message"].get("tool_calls", []))]
        base = {"id": _new("chatcmpl"), "object": "chat.completion.chunk", "created": 1, "model": model}
        deltas: list[Json] = [{"role": "assistant", "content": ""}, {"content": reply.text}]
        for delta in [*deltas, *([{"tool_calls": calls}] if calls else [])]:
            yield "", {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield "", {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
        yield "", {**base, "choices": [], "usage": self._usage()}
        yield "", "[DONE]"

    def fault(self, fault: Fault) -> Json:
        return {"error": {"message": fault.message, "type": fault.kind, "param": None, "code": None}}

    def _usage(self) -> Json:
        details = {"cached_tokens": CACHED}
        return {
            "prompt_tokens": INPUT,
            "completion_tokens": OUTPUT,
            "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": details,
        }


def _offered(tools: list[Json], namespace: str) -> Iterator[Json]:
    """Codex groups the tools of a server under its name."""
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from _offered(tool.get("tools") or [], tool["name"])
        elif "name" in tool:
            yield {"name": tool["name"], "schema": tool.get("parameters") or {}, "namespace": namespace}


def _event(kind: str, **fields: Any) -> tuple[str, Json]:
    return kind, {"type": kind, **fields}

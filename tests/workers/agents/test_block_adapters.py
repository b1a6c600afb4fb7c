"""What Claude Code and Qwen Code print, in the forms that their own types describe."""

from __future__ import annotations

import pytest

from tests.workers.agents.build import NONCE, TICKET, events, only, signal, stream, told
from workers.agents.adapters.events import (
    Error,
    Other,
    Permission,
    Result,
    Scope,
    SessionStarted,
    Signal,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

pytestmark = pytest.mark.once

INIT = {"type": "system", "subtype": "init", "session_id": "s-1", "model": "m-1"}
GOOD = {"type": "result", "subtype": "success", "is_error": False, "result": "All done."}
BOTH = pytest.mark.parametrize("name", ["claude", "qwen"])


def assistant(*content: dict, **fields: object) -> dict:
    return {"message": {"id": "m", "role": "assistant", "content": list(content)}, "type": "assistant", **fields}


def said(text: str) -> dict:
    return {"type": "text", "text": text}


def piece(text: str, **fields: object) -> dict:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return {"type": "stream_event", "event": delta, **fields}


@BOTH
def test_a_run_is_read_from_its_first_line_to_its_result(name):
    call = {"type": "tool_use", "id": "t-1", "name": "Bash", "input": {"command": "ls"}}
    output = [{"type": "text", "text": "a"}, {"type": "image", "source": {"data": "x"}}, {"type": "text", "text": "b"}]
    answer = {"type": "tool_result", "tool_use_id": "t-1", "content": output, "is_error": True}
    user = {"type": "user", "message": {"content": [answer]}}
    found = told(name, INIT, assistant(said("Looking."), call), user, assistant(said("All done.")), GOOD)
    assert [type(event) for event in found] == [SessionStarted, Text, ToolCall, ToolResult, Text, Result]
    assert (found[0].session_id, found[0].model) == ("s-1", "m-1")
    assert (found[2].id, found[2].name, found[2].input) == ("t-1", "Bash", {"command": "ls"})
    assert (found[3].id, found[3].ok, found[3].output) == ("t-1", False, "a\n[image]\nb")
    assert found[-1] == Result(True, "All done.")


@BOTH
def test_thoughts_and_prompts_are_not_what_the_agent_says(name):
    prompt = {"type": "user", "message": {"content": "do it"}}
    found = events(name, stream(INIT, prompt, assistant({"type": "thinking", "thinking": "hm"}), GOOD))
    assert only(Text, found) == []
    assert len(only(Other, found)) == 3  # and the result, of which the last event tells


@BOTH
def test_pieces_come_before_the_whole_and_are_no_second_signal(name):
    line = signal()
    parts = [piece(line[:20]), piece(line[20:]), {"type": "stream_event", "event": {"type": "message_stop"}}]
    found = told(name, INIT, *parts, assistant(said("Now:\n" + line)), {**GOOD, "result": "Now:\n" + line})
    assert [(event.text, event.delta) for event in only(Text, found)] == [
        (line[:20], True),
        (line[20:], True),
        ("Now:\n" + line, False),
    ]
    assert [event.kind for event in only(Signal, found)] == ["DONE"]


@BOTH
def test_a_sub_agents_words_are_neither_the_answer_nor_a_signal(name):
    call = {"type": "tool_use", "id": "t-2", "name": "Read", "input": {}}
    inner = assistant(said(signal()), call, parent_tool_use_id="t-1")
    failed = {"type": "result", "subtype": "error_during_execution", "is_error": True, "parent_tool_use_id": "t-1"}
    found = told(name, INIT, piece("inner", parent_tool_use_id="t-1"), inner, failed, GOOD)
    assert only((Text, Signal, Error), found) == []
    assert [event.id for event in only(ToolCall, found)] == ["t-2"]
    assert found[-1] == Result(True, "All done.")


@BOTH
@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"subtype": "success", "is_error": True, "result": "API Error: 529 overloaded"}, "API Error: 529 overloaded"),
        ({"subtype": "error_max_turns", "is_error": True, "errors": ["Reached 3 turns"]}, "Reached 3 turns"),
        ({"subtype": "error_max_turns", "is_error": False}, "error_max_turns"),
        ({"subtype": "error_during_execution", "is_error": True, "errors": ["a", "b"]}, "a\nb"),
        ({"subtype": "error_during_execution", "is_error": True, "error": {"message": "cut"}}, "cut"),
        ({}, "The agent reports a failure and no reason."),
    ],
    ids=range(6),
)
def test_a_failed_result_is_one_fatal_error_whatever_its_subtype(name, result, text):
    found = told(name, INIT, {"type": "result", **result})
    (error,) = only(Error, found)
    assert (error.message, error.fatal, error.retry) == (text, True, False)
    assert error.status == (529 if "529" in text else None)
    assert found[-1] == Result(False, text)


def test_claude_tells_retries_and_then_one_failure():
    retry = {
        "type": "system",
        "subtype": "api_retry",
        "attempt": 1,
        "error_status": 401,
        "error": "authentication_failed",
    }
    text = "Failed to authenticate."
    last = assistant(said(text), error="authentication_failed", api_error_status=401, is_api_error_message=True)
    bad = {"type": "result", "subtype": "success", "is_error": True, "result": text, "api_error_status": 401}
    found = told("claude", INIT, retry, {**retry, "error_status": None}, last, bad)
    errors = [(event.message, event.status, event.retry, event.fatal) for event in only(Error, found)]
    assert errors == [
        ("authentication_failed", 401, True, False),
        ("authentication_failed", None, True, False),
        (text, 401, False, True),
    ]
    assert only(Text, found) == []
    assert found[-1] == Result(False, text)


def test_qwen_tells_retries():
    retry = {"type": "system", "subtype": "retry", "data": {"reason": "rate limit"}}
    (error,) = only(Error, told("qwen", INIT, retry, GOOD))
    assert (error.message, error.retry, error.fatal) == ("rate limit", True, False)


def test_claude_asks_and_is_refused_once_each():
    ask = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "rm"}, "tool_use_id": "t-1"}
    denied = {
        "type": "system",
        "subtype": "permission_denied",
        "tool_name": "Edit",
        "tool_use_id": "t-2",
        "message": "no",
    }
    denials = [{"tool_name": "Bash", "tool_use_id": name, "tool_input": {}} for name in ("t-1", "t-2", "t-3")]
    lines = [{"type": "control_request", "request_id": "r-1", "request": ask}, denied]
    hook = {"type": "control_request", "request_id": "r-2", "request": {"subtype": "hook_callback"}}
    asked = only(Permission, told("claude", INIT, *lines, hook, {**GOOD, "permission_denials": denials}))
    assert [event.id for event in asked] == ["r-1", "t-2", "t-3"]
    assert asked[0].request == ask
    assert asked[1].request == {"tool_name": "Edit", "message": "no"}


@BOTH
def test_each_prompt_of_one_process_has_its_own_end_and_the_last_counts(name):
    bad = {"type": "result", "subtype": "error_during_execution", "is_error": True, "errors": ["interrupted"]}
    again = told(name, INIT, bad, INIT, assistant(said("x")), GOOD)
    assert len(only(SessionStarted, again)) == len(only(Result, again)) == 1
    assert again[-1].ok
    cut = told(name, INIT, GOOD, INIT, assistant(said("x")))
    assert cut[-1] == Result(False, "The output ends without the agent's own result.")


def test_claude_counts_what_its_models_used_over_the_session():
    models = {
        "big": {"inputTokens": 100, "outputTokens": 10, "cacheReadInputTokens": 5, "costUSD": 0.5},
        "small": {"inputTokens": 20, "outputTokens": 2, "cacheReadInputTokens": None},
        "odd": 7,
    }
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 1}
    (found,) = only(Usage, told("claude", INIT, {**GOOD, "usage": usage, "modelUsage": models, "total_cost_usd": 0.75}))
    assert (found.input, found.output, found.cached, found.cost, found.scope) == (120, 12, 5, 0.75, Scope.SESSION)


def test_an_older_claude_counts_tokens_of_the_run_and_the_cost_of_the_session():
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 1}
    tokens, cost = only(Usage, told("claude", INIT, {**GOOD, "usage": usage, "total_cost_usd": 0.75}))
    assert (tokens.input, tokens.output, tokens.cached, tokens.cost, tokens.scope) == (3, 2, 1, None, Scope.RUN)
    assert (cost.input, cost.output, cost.cached, cost.cost, cost.scope) == (None, None, None, 0.75, Scope.SESSION)


def test_qwen_counts_tokens_of_the_session():
    (found,) = only(Usage, told("qwen", INIT, {**GOOD, "usage": {"input_tokens": 3, "output_tokens": "many"}}))
    assert (found.input, found.output, found.cached, found.cost, found.scope) == (3, None, None, None, Scope.SESSION)


@BOTH
def test_a_signal_in_a_tools_output_is_not_the_agents(name):
    output = {"type": "tool_result", "tool_use_id": "t", "content": signal()}
    found = told(name, INIT, {"type": "user", "message": {"content": [output]}}, assistant(said("ok")), GOOD)
    assert only(Signal, found) == []


@BOTH
def test_a_wrapper_around_the_agent_can_print_the_signal_itself(name):
    found = told(name, INIT, GOOD, signal("NEEDS_INPUT", payload={"text": "Which?"}))
    (heard,) = only(Signal, found)
    assert (heard.kind, heard.nonce, heard.ticket, heard.payload) == ("NEEDS_INPUT", NONCE, TICKET, {"text": "Which?"})

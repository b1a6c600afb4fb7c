"""What Codex, Gemini CLI, opencode and Goose print, in the forms that their sources describe."""

from __future__ import annotations

import pytest

from tests.workers.agents.build import events, only, signal, stream, told
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


def item(done: bool = True, **fields: object) -> dict:
    return {"type": "item.completed" if done else "item.started", "item": fields}


def spoken(text: str) -> dict:
    return item(id="item_9", type="agent_message", text=text)


TURN_DONE = {"type": "turn.completed", "usage": {"input_tokens": 9, "cached_input_tokens": 4, "output_tokens": 2}}
THREAD = {"type": "thread.started", "thread_id": "th-1"}


def test_codex_answers_with_its_last_message_and_counts_the_session():
    thought = item(id="item_1", type="reasoning", text="hm")
    warning = item(id="item_0", type="error", message="Model metadata not found.")
    found = told("codex", THREAD, {"type": "turn.started"}, warning, thought, spoken("one"), spoken("two"), TURN_DONE)
    assert [type(event) for event in found] == [SessionStarted, Text, Text, Usage, Result]
    assert (found[0].session_id, found[0].model) == ("th-1", None)
    usage = found[3]
    assert (usage.input, usage.output, usage.cached, usage.cost, usage.scope) == (9, 2, 4, None, Scope.SESSION)
    assert found[-1] == Result(True, "two")


@pytest.mark.parametrize(
    ("fields", "ok", "output"),
    [
        ({"status": "completed", "exit_code": 0, "aggregated_output": "hi\n"}, True, "hi\n"),
        ({"status": "failed", "exit_code": 3, "aggregated_output": "no"}, False, "no"),
        ({"status": "completed", "exit_code": 1, "aggregated_output": ""}, False, ""),
        ({"status": "declined", "exit_code": None, "aggregated_output": ""}, False, ""),
    ],
    ids=range(4),
)
def test_codex_commands_are_judged_by_status_and_code(fields, ok, output):
    command = {"id": "item_1", "type": "command_execution", "command": "ls"}
    found = told("codex", item(False, **command, status="in_progress"), item(**command, **fields), TURN_DONE)
    call, result = only((ToolCall, ToolResult), found)
    assert (call.id, call.name, call.input) == ("item_1", "command_execution", {"command": "ls"})
    assert (result.id, result.ok, result.output) == ("item_1", ok, output)


def test_codex_tools_need_not_have_begun():
    changes = [{"path": "a", "kind": "update"}]
    content = {"content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}], "structured_content": None}
    served = {"type": "mcp_tool_call", "server": "tickets", "tool": "get", "arguments": {"id": 1}}
    found = told(
        "codex",
        item(id="item_1", type="file_change", changes=changes, status="completed"),
        item(id="item_2", **served, status="completed", result=content, error=None),
        item(id="item_3", **served, status="failed", result=None, error={"message": "requires approval"}),
        item(id="ws_1", type="web_search", query="q"),
        item(id="item_5", type="todo_list", items=[{"text": "t", "completed": False}]),
        TURN_DONE,
    )
    calls = [(event.id, event.name, event.input) for event in only(ToolCall, found)]
    assert calls == [
        ("item_1", "file_change", {"changes": changes}),
        ("item_2", "tickets.get", {"id": 1}),
        ("item_3", "tickets.get", {"id": 1}),
        ("ws_1", "web_search", {"query": "q", "action": None}),
    ]
    results = [(event.ok, event.output) for event in only(ToolResult, found)]
    assert results == [(True, ""), (True, "x\ny"), (False, "requires approval"), (True, "")]


def test_codex_says_its_failure_once_and_its_retries_each():
    again = {"type": "error", "message": "Reconnecting... 1/5 (unexpected status 500 Internal Server Error)"}
    last = "exceeded retry limit, last status: 429 Too Many Requests"
    found = told(
        "codex",
        THREAD,
        again,
        again,
        {"type": "error", "message": last},
        {"type": "turn.failed", "error": {"message": last}},
    )
    errors = [(event.status, event.retry, event.fatal) for event in only(Error, found)]
    assert errors == [(500, True, False), (500, True, False), (429, False, True)]
    assert found[-1] == Result(False, last)


def test_codex_asks_by_an_event_of_its_own():
    request = {"type": "request_user_input", "id": "turn", "call_id": "c-1", "questions": [{"question": "Which?"}]}
    (asked,) = only(Permission, told("codex", request))
    assert (asked.id, asked.request["questions"]) == ("c-1", [{"question": "Which?"}])


def test_codex_is_refused_without_being_asked():
    declined = item(id="item_1", type="command_execution", command="rm", status="declined", exit_code=None)
    error = {"message": "MCP tool call requires approval"}
    served = item(id="item_2", type="mcp_tool_call", server="s", tool="t", arguments={}, status="failed", error=error)
    failed = item(id="item_3", type="command_execution", command="grep approval", status="failed", exit_code=1)
    found = told("codex", declined, served, failed)
    assert [event.id for event in only(Permission, found)] == ["item_1", "item_2"]
    assert [event.ok for event in only(ToolResult, found)] == [False, False, False]


def delta(text: str) -> dict:
    return {"type": "message", "role": "assistant", "content": text, "delta": True}


def test_gemini_answers_with_what_it_says_after_its_last_tool():
    found = told(
        "gemini",
        {"type": "init", "session_id": "g-1", "model": "gem"},
        {"type": "message", "role": "user", "content": signal()},
        delta("Looking."),
        {"type": "tool_use", "tool_name": "shell", "tool_id": "t-1", "parameters": {"command": "ls"}},
        {"type": "tool_result", "tool_id": "t-1", "status": "success", "output": "a"},
        {"type": "tool_use", "tool_name": "read", "tool_id": "t-2", "parameters": {}},
        {"type": "tool_result", "tool_id": "t-2", "status": "error", "error": {"type": "x", "message": "no file"}},
        delta("All "),
        delta("done."),
        {"type": "result", "status": "success", "stats": {"input_tokens": 7, "output_tokens": 3, "cached": 1}},
    )
    assert found[0] == SessionStarted(0, "g-1", "gem")
    assert [(event.ok, event.output) for event in only(ToolResult, found)] == [(True, "a"), (False, "no file")]
    (usage,) = only(Usage, found)
    assert (usage.input, usage.output, usage.cached, usage.cost, usage.scope) == (7, 3, 1, None, Scope.RUN)
    assert found[-1] == Result(True, "All done.")
    assert only(Signal, found) == []


def test_a_signal_is_heard_in_pieces_and_without_a_last_newline():
    line = signal()
    parts = [delta("Done.\n" + line[:30]), delta(line[30:60]), delta(line[60:])]
    for lines in (parts, [*parts, {"type": "result", "status": "success", "stats": {}}]):
        assert [event.kind for event in only(Signal, told("gemini", *lines))] == ["DONE"]
    tool = {"type": "tool_use", "tool_name": "shell", "tool_id": "t", "parameters": {}}
    assert only(Signal, told("gemini", parts[0], tool, *parts[1:])) == []


def test_gemini_warns_and_fails():
    loop = {"type": "error", "severity": "warning", "message": "Loop detected, stopping execution"}
    empty = {"type": "error", "severity": "error", "message": "The model returned an empty response."}
    api = {"type": "unknown", "message": '[API Error: {"error":{"code":429,"message":"slow down"}}]'}
    found = told("gemini", loop, empty, {"type": "result", "status": "error", "stats": {}})
    assert [(event.fatal, event.status) for event in only(Error, found)] == [(False, None), (False, None), (True, None)]
    assert found[-1] == Result(False, "The model returned an empty response.")
    (error,) = only(Error, told("gemini", {"type": "result", "status": "error", "error": api, "stats": {}}))
    assert (error.status, error.fatal) == (429, True)


def part(kind: str, session: str = "ses_1", **fields: object) -> dict:
    return {"type": kind, "sessionID": session, "part": fields}


def step(reason: str, cost: object = 0.25) -> dict:
    tokens = {"input": 10, "output": 2, "reasoning": 0, "cache": {"read": 3, "write": 0}}
    return part("step_finish", type="step-finish", reason=reason, tokens=tokens, cost=cost)


def used(status: str, **state: object) -> dict:
    return part(
        "tool_use", type="tool", tool="bash", callID="c-1", state={"status": status, "input": {"x": 1}, **state}
    )


def test_opencode_adds_its_steps_up_and_is_judged_by_the_last():
    start = part("step_start", type="step-start")
    done = part("text", type="text", text="Done.")
    found = told(
        "opencode",
        start,
        used("completed", output="a", metadata={"exit": 0}),
        step("tool-calls"),
        start,
        done,
        step("stop", "?"),
    )
    assert len(only(SessionStarted, found)) == 1
    (usage,) = only(Usage, found)
    assert (usage.input, usage.output, usage.cached, usage.cost, usage.scope) == (20, 4, 6, 0.25, Scope.RUN)
    assert found[-1] == Result(True, "Done.")
    assert not told("opencode", start, done, step("stop"), start)[-1].ok
    for reason in ("tool-calls", "length", "error", ""):
        assert not told("opencode", start, done, step(reason))[-1].ok


@pytest.mark.parametrize(
    ("line", "ok", "output"),
    [
        (used("completed", output="a", metadata={"exit": 0}), True, "a"),
        (used("completed", output="a", metadata={"exit": 3}), False, "a"),
        (used("completed", output="a", metadata={"exit": None}), False, "a"),
        (used("completed", output="a", metadata={}), True, "a"),
        (used("completed", output="a"), True, "a"),
        (used("error", error="no such tool"), False, "no such tool"),
    ],
    ids=range(6),
)
def test_opencode_tools_are_judged_by_their_exit(line, ok, output):
    call, result = only((ToolCall, ToolResult), told("opencode", line))
    assert (call.id, call.name, call.input) == ("c-1", "bash", {"x": 1})
    assert (result.id, result.ok, result.output) == ("c-1", ok, output)


def test_opencode_is_refused_and_fails():
    refused = used("error", error="The user rejected permission to use this specific tool call.")
    (asked,) = only(Permission, told("opencode", refused))
    assert (asked.id, asked.request["tool"]) == ("c-1", "bash")
    problem = {"name": "APIError", "data": {"message": "slow down", "statusCode": 429, "isRetryable": True}}
    found = told("opencode", {"type": "error", "sessionID": "ses_1", "error": problem}, step("stop"))
    (error,) = only(Error, found)
    assert (error.message, error.status, error.retry, error.fatal) == ("slow down", 429, False, True)
    assert found[-1] == Result(False, "slow down")
    (error,) = only(Error, told("opencode", {"type": "error", "error": {"name": "MessageAbortedError"}}))
    assert error.message == "MessageAbortedError"


def message(*content: dict, name: str = "m-1", role: str = "assistant", **metadata: object) -> dict:
    return {"type": "message", "message": {"id": name, "role": role, "content": list(content), "metadata": metadata}}


def words(text: str) -> dict:
    return {"type": "text", "text": text}


COMPLETE = {"type": "complete", "input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 4}


def test_goose_answers_with_its_last_message_and_counts_the_session():
    found = told(
        "goose",
        "    __( O)>  new session",
        message(words("prompt"), role="user"),
        message(words("Looking.")),
        message({"type": "thinking", "thinking": "hm"}, words("All "), name="m-2"),
        message(words("done."), name="m-2"),
        message(words("hidden"), name="m-3", userVisible=False),
        COMPLETE,
    )
    assert [event.text for event in only(Text, found)] == ["Looking.", "All ", "done."]
    (usage,) = only(Usage, found)
    assert (usage.input, usage.output, usage.cached, usage.cost, usage.scope) == (9, 2, 4, None, Scope.SESSION)
    assert found[-1] == Result(True, "All done.")


@pytest.mark.parametrize(
    ("result", "ok", "output"),
    [
        ({"status": "success", "value": {"content": [words("a")], "isError": False}}, True, "a"),
        ({"status": "success", "value": {"content": [words("a")], "isError": True}}, False, "a"),
        ({"status": "success", "value": {"content": [], "structuredContent": {"exit_code": 3}}}, False, ""),
        ({"status": "success", "value": [words("a")]}, True, "a"),
        ({"status": "error", "error": "no such tool"}, False, "no such tool"),
    ],
    ids=range(5),
)
def test_goose_tools_are_judged_by_all_that_is_told(result, ok, output):
    call = {
        "type": "toolRequest",
        "id": "c-1",
        "toolCall": {"status": "success", "value": {"name": "shell", "arguments": {"x": 1}}},
    }
    answer = {"type": "toolResponse", "id": "c-1", "toolResult": result}
    called, given = told("goose", message(call), message(answer, role="user"))[:2]
    assert (called.id, called.name, called.input) == ("c-1", "shell", {"x": 1})
    assert (given.id, given.ok, given.output) == ("c-1", ok, output)


RETRY = "\n\nPlease retry if you think this is a transient or recoverable error."


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Ran into this error: Rate limit exceeded. Status: 429 Too Many Requests." + RETRY, 429),
        ("Network error: cut\n\nPlease resend your message to try again.", None),
        (
            "I've reached the maximum number of actions I can do without user input. Would you like me to continue?",
            None,
        ),
    ],
    ids=range(3),
)
def test_goose_says_its_failures_as_if_the_model_had(text, status):
    found = told("goose", message(words(text), userVisible=True), COMPLETE)
    (error,) = only(Error, found)
    assert (error.message, error.status, error.fatal) == (text, status, True)
    assert only(Text, found) == []
    assert found[-1] == Result(False, text)
    inference = {"provider": "openai", "requestedModel": "m"}
    assert told("goose", message(words(text), inference=inference), COMPLETE)[-1] == Result(True, text)


def test_goose_errors_are_told_once():
    text = "Ran into this error: Authentication failed. Status: 401 Unauthorized."
    found = told(
        "goose", message({"type": "error", "kind": "authentication", "message": text}), {"type": "error", "error": text}
    )
    assert [(event.status, event.fatal) for event in only(Error, found)] == [(401, True)]
    assert found[-1] == Result(False, text)


def test_goose_asks():
    data = {"actionType": "toolConfirmation", "id": "c-1", "toolName": "shell", "arguments": {}}
    (asked,) = only(Permission, told("goose", message({"type": "actionRequired", "data": data})))
    assert (asked.id, asked.request) == ("c-1", data)


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "goose", "opencode", "qwen"])
def test_an_output_without_an_end_is_a_failure(name):
    for data in (b"", b"Session not found\n", stream({"type": "news", "of": "tomorrow"})):
        assert events(name, data)[-1] == Result(False, "The output ends without the agent's own result.")
    assert only(Other, events(name, stream({"type": "news"}))) == [Other(0, '{"type": "news"}')]

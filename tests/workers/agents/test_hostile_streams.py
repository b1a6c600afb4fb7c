"""Whatever a program prints gives events, in bounded room and time, and never an exception."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.agents.build import NONCE, TICKET, events, only, signal, stream, told
from workers.agents.adapters import ADAPTERS, adapter_named
from workers.agents.adapters.events import Other, Result, Signal, Text, ToolCall, ToolResult, described
from workers.agents.adapters.parsing import flat, objects
from workers.agents.adapters.reader import Line
from workers.agents.adapters.stream import ANSWER_CHARS, JSON_LINE_LIMIT, SHOWN_CHARS

pytestmark = pytest.mark.once

ALL = sorted(ADAPTERS)
JSON = [name for name in ALL if name != "plain"]

# Words that the protocols use, so that what is drawn gets past the first comparison.
KINDS_SAID = """
system assistant user result stream_event control_request init message tool_use tool_result error complete text
thread.started turn.started turn.completed turn.failed item.started item.completed step_start step_finish
request_user_input command_execution mcp_tool_call agent_message toolRequest toolResponse actionRequired
"""
KINDS = st.sampled_from(KINDS_SAID.split())
NAMES_SAID = """
type subtype message content text id name input output status error part state item event delta role usage
stats tokens cache cost reason result is_error errors permission_denials modelUsage total_cost_usd session_id
sessionID thread_id model request request_id tool_use_id metadata exit exit_code toolCall toolResult value
mc_signal
"""
NAMES = st.sampled_from(NAMES_SAID.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    KINDS,
    st.just(signal()),
    st.just("\ud800\0"),
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6))
LINES = st.builds(lambda kind, rest: json.dumps({**rest, "type": kind}), KINDS | LEAVES, st.dictionaries(NAMES, VALUES))
NOISE = st.binary(max_size=30) | st.sampled_from(
    [b"\n", b"\r\n", b"\x1b[31m", b"\x1b]0;t\x07", b"{", b"}", b"[", b"\xff"]
)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(ALL), pieces=st.lists(LINES.map(str.encode) | NOISE, max_size=12), size=st.integers(1, 50))
def test_any_stream_ends_with_one_result_and_can_be_told(name, pieces, size):
    data = b"\n".join(pieces)
    found = events(name, data, size)
    assert only(Result, found) == found[-1:]
    assert found == events(name, data)
    for event in found:
        json.dumps(described(event), allow_nan=False, ensure_ascii=False).encode()
        assert "\0" not in repr(described(event).get("text", ""))


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"[" * 3_000_000,
        b'{"type":' * 100_000,
        b'{"type":"text","part":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"type":"text","part":' + b'{"a":' * 300 + b"1" + b"}" * 301,
        b'{"type":"text","n":' + b"9" * 10_000 + b"}",
        b'{"type":"text"' + b',"a":1' * 2_500_000 + b"}",
        b'{"type":"text","text":NaN}{"type":"text","text":1e999}{"type":"text","text":-Infinity}',
        b"{}" * 500_000,
        b'{"type": "a"} \x1b[0m {"type": "b"}' * 3,
        b"\n" * 100_000,
        b'null\n7\n[]\n"{"\n',
    ],
    ids=range(12),
)
def test_what_is_no_protocol_is_told_as_such_and_soon(name, data):
    began = time.monotonic()
    found = events(name, data)
    assert time.monotonic() - began < 10
    assert {type(event) for event in found[:-1]} <= {Other}
    assert len(found) < 400
    assert all(len(event.text) < SHOWN_CHARS + 100 for event in found[:-1])


def answer(text: str) -> dict:
    return {"type": "item.completed", "item": {"id": "i", "type": "agent_message", "text": text}}


def test_objects_without_a_newline_between_and_behind_a_banner_are_all_read():
    line = json.dumps(answer("one")) + "\x1b[0m " + json.dumps(answer("two")) + " bye"
    found = events("codex", b"\x1b]0;title\x07\x1b[1mwelcome\x1b[0m " + line.encode())
    assert [event.text for event in only(Text, found)] == ["one", "two"]
    assert [event.text for event in only(Other, found)] == ["welcome bye"]


def test_the_inside_of_a_cut_object_is_not_taken_for_a_message():
    good = json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "hidden"})
    cut = '{"type":"assistant","message":{"content":[{"type":"tool_use","input":' + good
    assert events("claude", cut.encode() + b"\n")[-1].ok is False
    assert events("claude", (cut + good).encode() + b"\n")[-1].ok is False


def test_raw_control_characters_in_a_string_lose_nothing():
    found = events("codex", json.dumps(answer("@")).replace("@", "a\tb\x1b[1mc\0").encode())
    assert only(Text, found)[0].text == "a\tb\x1b[1mc\ufffd"


def test_a_line_up_to_the_limit_is_read_and_one_more_byte_is_cut():
    room = JSON_LINE_LIMIT - len(json.dumps(answer("")))
    for size, text in ((room, [room]), (room + 1, [])):
        found = events("codex", stream(answer("x" * size)))
        assert [len(event.text) for event in only(Text, found)] == text
    assert len(found) == 2


def test_a_flood_is_read_in_bounded_room():
    block = stream(*({"type": "message", "role": "assistant", "content": "x" * 90, "delta": True} for _ in range(500)))
    adapter = adapter_named("gemini")(NONCE, TICKET)
    tool = {"type": "tool_use", "tool_name": "shell", "parameters": {}}
    tracemalloc.start()
    for number in range(100):  # about 7 MB
        adapter.feed(block)
        adapter.feed(stream({**tool, "tool_id": f"t-{number}"}) if number == 10 else b"")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 1024 * 1024
    assert len(adapter.answer()) == ANSWER_CHARS


def called(text: str) -> list:
    line = '{"type":"tool_use","tool_id":"t","tool_name":"n","parameters":' + text + "}"
    return only(ToolCall, events("gemini", line.encode()))


def test_numbers_that_json_does_not_know_are_none():
    (call,) = called('{"a": 1e999, "b": NaN, "c": [-Infinity, 1.5]}')
    assert call.input == {"a": None, "b": None, "c": [None, 1.5]}


def test_what_could_not_be_stored_again_is_not_read():
    assert called('{"a":' * 90 + "1" + "}" * 90)
    assert called('{"a":' * 300 + "1" + "}" * 300) == []
    assert called("[" + "0," * 1_900_000 + "0]")
    assert called("[" + "0," * 2_000_000 + "0]") == []


def test_a_line_that_never_ends_is_held_up_to_the_limit():
    adapter = adapter_named("claude")(NONCE, TICKET)
    tracemalloc.start()
    for _ in range(40):
        assert adapter.feed(b"x" * 1_000_000) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * JSON_LINE_LIMIT
    assert len(adapter.finish()) == 2


def test_many_names_of_tools_are_bounded():
    adapter = adapter_named("codex")(NONCE, TICKET)
    for number in range(30):
        items = ({"id": f"i-{number}-{n}", "type": "web_search", "query": "q"} for n in range(1000))
        found = adapter.feed(stream(*({"type": "item.completed", "item": item} for item in items)))
        assert len(only(ToolResult, found)) == 1000
    assert len(adapter._ids) == 10_000


def test_a_signal_is_the_agents_only_where_it_is_a_line_of_its_words():
    quoted = f"End with `{signal()}` please."
    for text in (quoted, "x" + signal(), signal(nonce="another"), json.dumps({"note": signal()})):
        assert only(Signal, told("codex", answer(text))) == []
    for text in (signal(), "Done.\n\n" + signal() + "\n", "```json\n" + signal() + "\n```"):
        assert len(only(Signal, told("codex", answer(text)))) == 1


def test_an_offset_is_where_the_line_begins_in_the_spool():
    data = stream(answer("one"), answer("two"))
    adapter = adapter_named("codex")(NONCE, TICKET, 1000)
    first, second = adapter.feed(data)
    assert (first.offset, second.offset) == (1000, 1000 + data.index(b"\n") + 1)


def test_content_of_any_form_is_text():
    assert flat(None) == ""
    assert flat([{"type": "text", "text": "a"}, "b", {"type": "image", "data": "AAAA"}, [7]]) == "a\nb\n[image]\n7"


def test_objects_are_found_without_being_believed():
    assert objects(Line(0, b'{"a": 1}, {"b": 2}')) == ([{"a": 1}], ', {"b": 2}')
    assert objects(Line(0, b'{"a": 1}', 5))[0] == []

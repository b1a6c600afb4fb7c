"""Recorded outputs of the real command lines, read whole, in pieces of 777 bytes and byte by byte."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workers.agents.build import NONCE, TICKET, events, only
from workers.agents.adapters import adapter_named, read_all
from workers.agents.adapters.events import Error, Event, Permission, Result, Scope, SessionStarted, ToolCall, ToolResult
from workers.agents.adapters.events import Usage as UsageEvent
from workers.agents.adapters.verdict import with_exit_code
from workers.agents.usage import Meter, Spent

pytestmark = pytest.mark.once

NAMES = ["aider", "claude", "codex", "gemini", "goose", "opencode", "qwen"]
# Cut by its pipe; ended by a refused permission; and what a text alone never proves.
BAD = {"gemini/b_bigtool", "opencode/f_ask_bash", "goose/f_approve"}
RECOVERED = {"claude/c_midcut"}

Transcripts = Callable[[str], list[tuple[str, bytes, int | None]]]


@pytest.fixture
def transcripts(shared_dir: Path) -> Transcripts:
    """Return the recordings of one command line: its name and case, the output, the exit code."""

    def load(name: str) -> list[tuple[str, bytes, int | None]]:
        found = []
        for path in sorted((shared_dir / "agents" / "transcripts" / name).glob("*.jsonl")):
            if path.name.endswith(".stdin.jsonl"):
                continue
            code = path.with_suffix(".exit")
            found.append((f"{name}/{path.stem}", path.read_bytes(), int(code.read_text()) if code.is_file() else None))
        if not found:
            pytest.skip("the recordings are not there")
        return found

    return load


def adapter_of(name: str) -> str:
    return "plain" if name == "aider" else name


def is_good(case: str) -> bool:
    kind = case.split("/")[1][0]
    return case in RECOVERED or (kind in "abdfm" and case not in BAD and not case.startswith("aider/"))


@pytest.mark.parametrize("name", NAMES)
def test_each_recording_reads_the_same_in_any_pieces_and_ends_as_it_did(transcripts: Transcripts, name: str) -> None:
    for case, data, code in transcripts(name):
        whole = list(with_exit_code(events(adapter_of(name), data), code))
        for size in (777, 1):
            assert list(with_exit_code(events(adapter_of(name), data, size), code)) == whole, (case, size)
        assert [type(event) for event in whole].index(Result) == len(whole) - 1, case
        assert whole[-1].ok is is_good(case), (case, whole[-1])
        if is_good(case):
            assert list(with_exit_code(whole, 1))[-1].ok is False


@pytest.mark.parametrize("name", NAMES[1:])
def test_sessions_tools_and_errors_of_the_recordings_are_told(transcripts: Transcripts, name: str) -> None:
    for case, data, _ in transcripts(name):
        found = events(name, data)
        kind = case.split("/")[1]
        started = only(SessionStarted, found)
        assert len(started) == (0 if name == "goose" else 1), case
        assert all(event.session_id for event in started), case
        calls = [event.id for event in only(ToolCall, found)]
        results = [event.id for event in only(ToolResult, found)]
        assert len(set(calls)) == len(calls), case
        assert set(results) <= set(calls), case
        assert bool(calls) is (kind.startswith(("b_", "m_")) and case != "goose/m_mcp") or kind[0] in "ef", case
        fatal = [event for event in only(Error, found) if event.fatal]
        assert len(fatal) == (1 if kind[0] == "c" and case not in RECOVERED | {"opencode/c_midcut"} else 0), case
        if kind == "c_401":
            assert fatal[0].status == 401, case
        if kind == "b_shell_fail" and name != "gemini":
            assert [event.ok for event in only(ToolResult, found)] == [False], case
        elif kind == "b_shell":
            assert [event.ok for event in only(ToolResult, found)] == [True], case


def test_permissions_of_the_recordings_are_told(transcripts: Transcripts) -> None:
    asked = {
        case: len(only(Permission, events(name, data))) for name in NAMES[1:] for case, data, _ in transcripts(name)
    }
    assert {case: count for case, count in asked.items() if count} == {
        "claude/f_bidir_allow": 1,
        "claude/f_bidir_ask": 1,
        "claude/f_shell_noperm": 1,
        "opencode/f_ask_bash": 1,
    }


@pytest.mark.parametrize(
    ("name", "tokens", "cost"),
    [
        ("claude", (1200, 25, 200), 0.00534),
        ("codex", (1200, 25, 200), 0.0),
        ("gemini", (1200, 25, 200), 0.0),
        ("goose", (1200, 25, 200), 0.0),
        ("opencode", (1000, 25, 200), 0.00105),
        ("qwen", (2400, 50, 400), 0.0),  # without --bare a hidden call doubles it
    ],
)
def test_a_resumed_recording_is_booked_once(transcripts: Transcripts, name: str, tokens: tuple, cost: float) -> None:
    recorded = {case.split("/")[1]: events(name, data) for case, data, _ in transcripts(name)}
    first, again = Meter(), Meter()
    book(first, recorded["a_plain"])
    again = Meter(first.session)
    book(again, recorded["d_resume"])
    for meter in (first, again):
        assert (meter.spent.input, meter.spent.output, meter.spent.cached) == tokens
        assert meter.spent.cost == pytest.approx(cost)


def book(meter: Meter, found: list[Event]) -> None:
    for event in only(UsageEvent, found):
        meter.add(event)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_recordings_read_the_same_wherever_they_are_cut(transcripts: Transcripts, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    _, output, _ = data.draw(st.sampled_from([each for each in transcripts(name) if len(each[1]) < 100_000]))
    edges = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=8)))
    adapter = adapter_named(adapter_of(name))(NONCE, TICKET)
    found = [
        event for a, b in zip([0, *edges], [*edges, len(output)], strict=True) for event in adapter.feed(output[a:b])
    ]
    assert found + adapter.finish() == events(adapter_of(name), output)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_recording_is_never_an_exception(transcripts: Transcripts, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    _, output, _ = data.draw(st.sampled_from([each for each in transcripts(name) if len(each[1]) < 20_000]))
    damaged = bytearray(output)
    for place in data.draw(st.lists(st.integers(0, len(output) - 1), max_size=30)):
        damaged[place : place + 1] = data.draw(
            st.sampled_from([b"", b"\n", b"\xff", b'"', b"}", b"{", b"\x1b[1m", b"0"])
        )
    for other in (adapter_of(name), data.draw(st.sampled_from(NAMES[1:]))):
        found = list(read_all(adapter_named(other)(NONCE, TICKET), io.BytesIO(bytes(damaged))))
        assert [event for event in found if isinstance(event, Result)] == found[-1:]


def test_spending_is_counted_once_through_forks_restarts_and_failed_starts() -> None:
    def session(tokens: int | None, cost: float | None = None) -> UsageEvent:
        return UsageEvent(0, tokens, None, None, cost, Scope.SESSION)

    meter = Meter(Spent(input=100, cost=1.0))
    for usage in (session(0, 0.0), session(150, 1.5), session(150, 1.5), session(None, None)):
        meter.add(usage)
    assert (meter.spent.input, meter.spent.cost) == (50, 0.5)
    fork = Meter(meter.session)
    fork.add(session(160, 1.75))
    assert (fork.spent.input, fork.spent.cost) == (10, 0.25)
    fork.add(session(30, 0.25))  # the session was cleared: its figures began again
    assert (fork.spent.input, fork.spent.cost, fork.session) == (40, 0.5, Spent(input=30, cost=0.25))
    runs = Meter(fork.session)
    for _ in range(2):
        runs.add(UsageEvent(0, 7, 2, 1, None, Scope.RUN))
    assert (runs.spent, runs.session) == (Spent(14, 4, 2), fork.session)

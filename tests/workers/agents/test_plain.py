"""Signals, forgeries and verdicts of the plain adapter."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.agents.adapters import ADAPTERS, UnknownAdapter, adapter_named
from workers.agents.adapters.events import Error, ErrorCode, Refused, Result, Signal, SignalKind, Text
from workers.agents.adapters.plain import PlainAdapter
from workers.agents.adapters.verdict import State, verdict
from workers.supervision.child import ExitRecord

pytestmark = pytest.mark.once

NONCE, TICKET = "MC_TICKET_TURN:4460:1780141953862:e1f59bec", "MC-4456"


def line(kind="DONE", ticket=TICKET, nonce=NONCE, payload="did it") -> bytes:
    fields = {"mc_signal": kind, "ticket": ticket, "nonce": nonce, "payload": payload}
    return json.dumps(fields).encode() + b"\n"


def events(*pieces: bytes):
    adapter = PlainAdapter(NONCE, TICKET)
    return [event for piece in pieces for event in adapter.feed(piece)] + adapter.finish()


def exited(code: int | None = 0, **fields) -> ExitRecord:
    usual = {"ended_by": "exited", "message": f"exited with code {code}", "exit_code": code}
    return ExitRecord(**{**usual, **fields})


def judged(*pieces: bytes, record: ExitRecord | None = None):
    return verdict(events(*pieces), record or exited(), NONCE, TICKET)


@pytest.mark.parametrize("kind", list(SignalKind))
def test_each_kind_is_a_signal(kind):
    text, signal, result = events(b"working\n", line(kind))
    assert text == Text(0, "working")
    assert signal == Signal(8, kind, TICKET, NONCE, "did it")
    assert result == Result(True, "The output holds one valid signal.")
    assert judged(line(kind)).signal.kind is kind


def test_a_signal_line_may_lack_its_newline_and_hold_an_object():
    question = {"text": "Which?", "options": ["a", "b"], "more": [{"x": 1}]}
    signal, result = events(line("NEEDS_INPUT", payload=question).rstrip())
    assert (signal.payload, result.ok) == (question, True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (line(nonce="another"), ErrorCode.FORGED_SIGNAL),
        (line(nonce=""), ErrorCode.FORGED_SIGNAL),
        (line(nonce=NONCE + "x"), ErrorCode.FORGED_SIGNAL),
        (line(nonce="é\u0000"), ErrorCode.FORGED_SIGNAL),
        (line(ticket="MC-1"), ErrorCode.WRONG_TICKET),
        (line(kind="FINISHED"), ErrorCode.BAD_SIGNAL),
        (line(kind=["DONE"]), ErrorCode.BAD_SIGNAL),
        (line(nonce=None), ErrorCode.BAD_SIGNAL),
        (line(payload=7), ErrorCode.BAD_SIGNAL),
        (b'{"mc_signal": "DONE"}\n', ErrorCode.BAD_SIGNAL),
        (line().replace(b'{"mc', b'{"mc_signal": "FAILED", "mc'), ErrorCode.BAD_SIGNAL),
        (line(payload={"a": 1}).replace(b'"a": 1', b'"a": 1, "a": 2'), ErrorCode.BAD_SIGNAL),
    ],
)
def test_what_is_almost_a_signal_is_an_error(data, code):
    error, result = events(data)
    assert isinstance(error, Refused)
    assert error.code is code
    assert result == Result(False, "The output holds no valid signal.")


@pytest.mark.parametrize(
    "data",
    [
        b"x" + line(),
        b"[" + line().strip() + b"]\n",
        b'{"about": "mc_signal"}\n',
        b'{"mc_signal": NaN}\n',
        b'{"mc_signal"' + b"[" * 100_000 + b"\n",
        b'{"mc_signal":' + b"[" * 100_000 + b"\n",
        b'{"mc_signal": ' + b"9" * 10_000 + b"}\n",
        line(payload="x" * 2_000_000),
    ],
    ids=range(8),
)
def test_what_is_no_signal_is_text(data):
    text, result = events(data)
    assert isinstance(text, Text)
    assert not result.ok


def test_deep_nesting_is_refused_and_not_obeyed():
    depth = 700
    data = line(payload="@").replace(b'"@"', b'{"a":' * depth + b"1" + b"}" * depth)
    first, _ = events(data)
    assert isinstance(first, Signal | Refused | Text)


def test_a_payload_is_storable():
    signal, _ = events(line(payload={"k\0": ["a\0b\ud800"]}))
    ((key, (value,)),) = signal.payload.items()
    (key + value).encode()
    assert "\0" not in key + value


def test_a_second_valid_signal_is_a_protocol_error():
    _, second, result = events(line(), line("FAILED"))
    assert second.code is ErrorCode.SECOND_SIGNAL
    assert not result.ok
    assert judged(line(), line()).state is State.TWO_SIGNALS


def test_an_old_log_printed_again_does_not_hide_the_real_signal():
    judgement = judged(line(nonce="of-another-turn"), line())
    assert (judgement.ok, judgement.text) == (True, "The agent signalled DONE.")


def test_each_bad_ending_has_a_text_of_its_own():
    refused = {
        State.NO_SIGNAL: judged(b"hello\n"),
        State.KILLED: judged(line(), record=exited(None, signal=9)),
        State.TIMED_OUT: judged(record=exited(None, ended_by="wall_limit", message="ended at its limit")),
        State.STOPPED: judged(line(), record=exited(0, ended_by="stopped", message="stopped on request")),
        State.FORGED: judged(line(nonce="forged")),
        State.COULD_NOT_START: judged(
            record=exited(None, ended_by="could_not_start", message="agent could not start: not found")
        ),
        State.EXIT_CODE: judged(line(), record=exited(3)),
        State.HELD_BY_NOBODY: judged(line(), record=exited(None, ended_by="orphaned", message="worker died")),
        State.TWO_SIGNALS: judged(line(), line()),
        State.BAD_RESULT: verdict(
            [Error(0, "no key", 401, fatal=True), Result(False, "no key")], exited(), NONCE, TICKET
        ),
    }
    for state, judgement in refused.items():
        assert (judgement.ok, judgement.state) == (False, state)
    assert len({judgement.text for judgement in refused.values()}) == len(refused)
    assert refused[State.KILLED].text == "The agent was killed by signal 9, not by us. It had signalled DONE."
    assert refused[State.COULD_NOT_START].text == "The agent could not start: not found."
    assert refused[State.NO_SIGNAL].text == "The agent exited with code 0 without a signal."
    assert refused[State.BAD_RESULT].text == "The agent exited with code 0 and a failure. It reported: no key"


def test_a_signal_beside_a_bad_result_is_not_believed():
    (signal, _), error = events(line()), Error(0, "sk-" + "a" * 30 + " is wrong\n" + "x" * 999, 401, fatal=True)
    judgement = verdict([signal, error, Result(False, "wrong")], exited(), NONCE, TICKET)
    assert (judgement.ok, judgement.state, judgement.signal) == (False, State.BAD_RESULT, signal)
    assert judgement.text.startswith(
        "The agent signalled DONE, but its own result is not good. It reported: [redacted] is"
    )
    assert len(judgement.text) < 300
    coded = verdict([error, Result(False, "wrong")], exited(1), NONCE, TICKET)
    assert coded.text.startswith("The agent exited with code 1. It reported: [redacted] is wrong x")


def test_an_error_that_the_agent_recovered_from_is_no_failure():
    (signal, _), error = events(line()), Error(0, "once", 500, fatal=True)
    assert verdict([error, signal, Result(True, "")], exited(), NONCE, TICKET).ok


def test_a_coloured_signal_is_a_signal_and_coloured_text_is_plain():
    text, signal, _ = events(b"\x1b[1mbold\x1b[0m\n", b"\x1b[32m" + line().strip() + b"\x1b[0m\n")
    assert (text.text, signal.kind) == ("bold", "DONE")


def test_a_result_and_then_a_hang_is_told_apart():
    judgement = judged(line(), record=exited(None, ended_by="silence_limit", message="ended after 9 s"))
    assert judgement.text == "The agent timed out: ended after 9 s. It had signalled DONE."


def test_a_signal_of_another_turn_is_not_believed_by_the_verdict_either():
    forged = [Signal(0, SignalKind.DONE, TICKET, "other", ""), Signal(0, SignalKind.DONE, "MC-1", NONCE, "")]
    assert not verdict(forged, exited(), NONCE, TICKET).ok
    assert not verdict([Signal(0, SignalKind.DONE, TICKET, "", "")], exited(), "", TICKET).ok


@given(cuts=st.lists(st.integers(0, 600), max_size=12))
def test_events_are_the_same_whatever_the_chunking(cuts):
    data = b"\xe2\x82\xac\n\n" + line(nonce="x") + b"text\r\n" + line() + line("FAILED") + b"end"
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert events(*(data[a:b] for a, b in zip(edges, edges[1:], strict=False))) == events(data)


def test_adapters_are_found_by_name():
    assert adapter_named("plain") is ADAPTERS["plain"] is PlainAdapter
    with pytest.raises(UnknownAdapter, match="unknown adapter 'telepathy'; there are: claude, codex, gemini, "):
        adapter_named("telepathy")

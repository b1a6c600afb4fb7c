"""A signal that the agent gave by a tool, judged with what its output and its process say."""

from __future__ import annotations

import pytest

from tests.workers.agents.build import NONCE, TICKET, events, signal, stream
from workers.agents.adapters.events import Result, Signal, SignalKind
from workers.agents.adapters.verdict import State, Verdict, verdict
from workers.supervision.child import ExitRecord

pytestmark = pytest.mark.once
OTHER = "MC_TICKET_TURN:4460:0:00000000"


def exited(code: int = 0) -> ExitRecord:
    return ExitRecord(ended_by="exited", message="", exit_code=code)


def judged(*lines: str, told: str = "DONE", record: ExitRecord | None = None, adapter: str = "plain") -> Verdict:
    said = Signal(-1, SignalKind(told), TICKET, NONCE, "by a tool")
    return verdict(events(adapter, stream(*lines)), record or exited(), NONCE, TICKET, said)


def test_a_program_that_said_it_by_a_tool_needs_no_line() -> None:
    found = judged("Working.")
    assert (found.ok, found.text) == (True, "The agent signalled DONE.")
    assert found.signal is not None and found.signal.payload == "by a tool"


def test_a_line_of_the_same_kind_says_the_same_twice() -> None:
    found = judged(signal("DONE"))
    assert found.ok and found.signal is not None and found.signal.payload == "by a tool"


@pytest.mark.parametrize("lines", [(signal("FAILED"),), (signal("DONE"), signal("DONE"))])
def test_another_signal_beside_it_is_a_second_one(lines: tuple[str, ...]) -> None:
    assert judged(*lines).state is State.TWO_SIGNALS


def test_a_line_of_another_turn_beside_it_is_nothing() -> None:
    assert judged(signal("FAILED", nonce=OTHER)).ok


def test_it_saves_no_bad_exit_and_no_bad_result() -> None:
    assert judged(record=exited(3)).state is State.EXIT_CODE
    assert judged(record=ExitRecord(ended_by="wall_limit", message="it took too long")).state is State.TIMED_OUT
    assert judged(adapter="codex").state is State.BAD_RESULT
    bad = verdict([Result(False, "It broke.")], exited(), NONCE, TICKET, Signal(-1, SignalKind.DONE, TICKET, NONCE, ""))
    assert bad.state is State.BAD_RESULT

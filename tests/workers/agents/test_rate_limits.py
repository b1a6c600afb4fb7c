"""A provider that lets nobody through: told apart from an agent that fails."""

from __future__ import annotations

import pytest

from tests.workers.agents.build import NONCE, TICKET, events, signal, stream
from workers.agents.adapters.verdict import State, Verdict, verdict
from workers.supervision.child import ExitRecord

pytestmark = pytest.mark.once
INIT = {"type": "system", "subtype": "init", "session_id": "s-1", "model": "m"}
RETRY = {"type": "system", "subtype": "api_retry", "error_status": 429, "error": "rate_limit_error"}
ANSWER = {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": "On it."}]}}
CUT = ExitRecord(ended_by="silence_limit", message="no line for 900 s")


def failed(status: int | None) -> dict[str, object]:
    result = {"type": "result", "subtype": "success", "is_error": True, "result": "API Error"}
    return {**result, "api_error_status": status}


def judged(*lines: dict[str, object] | str, adapter: str = "claude", record: ExitRecord | None = None) -> Verdict:
    ended = record or ExitRecord(ended_by="exited", message="", exit_code=1)
    return verdict(events(adapter, stream(*lines)), ended, NONCE, TICKET)


@pytest.mark.parametrize("status", [429, 529])
def test_the_last_that_the_provider_said_decides(status: int) -> None:
    assert judged(INIT, failed(status)).limited


@pytest.mark.parametrize("status", [401, 400, 500, None])
def test_another_failure_of_the_provider_is_the_agents_to_count(status: int | None) -> None:
    assert not judged(INIT, failed(status)).limited


def test_codex_says_it_in_words() -> None:
    words = "exceeded retry limit, last status: 429 Too Many Requests"
    assert judged({"type": "turn.failed", "error": {"message": words}}, adapter="codex").limited


@pytest.mark.parametrize("told", ["exceeded. Status: 429 Too Many Requests.", "exceeded: Not so fast.."])
def test_goose_says_it_in_words_that_may_name_no_status(told: str) -> None:
    again = "Please retry if you think this is a transient or recoverable error."
    text = {"type": "text", "text": f"Ran into this error: Rate limit {told}\n\n{again}"}
    message = {"id": "m1", "role": "assistant", "content": [text], "metadata": {"userVisible": True}}
    exited = ExitRecord(ended_by="exited", message="", exit_code=0)
    said = {"type": "message", "message": message}
    assert judged(said, {"type": "complete"}, adapter="goose", record=exited).limited


def test_one_that_was_still_trying_when_its_time_was_over_was_not_slow() -> None:
    found = judged(INIT, RETRY, RETRY, record=CUT)
    assert (found.state, found.limited) == (State.TIMED_OUT, True)


def test_one_that_got_through_again_is_judged_as_ever() -> None:
    assert not judged(INIT, RETRY, ANSWER, record=CUT).limited
    assert not judged(INIT, RETRY, ANSWER).limited


def test_who_signalled_was_not_kept_from_its_work() -> None:
    line = {"type": "assistant", "message": {"id": "m2", "content": [{"type": "text", "text": signal("DONE")}]}}
    assert not judged(INIT, line, failed(429)).limited

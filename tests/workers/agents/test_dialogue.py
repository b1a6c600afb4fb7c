"""The protocol of Claude's permissions, held against what was recorded of the real one."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from workers.agents.adapters.claude import ClaudeAdapter
from workers.agents.adapters.events import Signal
from workers.agents.adapters.launches import CLAUDE
from workers.agents.adapters.verdict import verdict
from workers.agents.dialogue import Answer, Dialogue, Note, Request, Unattended, speaks, user_line
from workers.supervision.child import Child, ChildSpec, ExitRecord

pytestmark = pytest.mark.once
# Prints a recording, then keeps what it is given.
RECORDED = "import sys; print(open(sys.argv[1]).read(), flush=True); open(sys.argv[2], 'w').write(sys.stdin.read())"


class Decided:
    """A desk whose answers are known."""

    def __init__(self, answer: Answer | None) -> None:
        self.known, self.asked, self.told, self.read = answer, list[Request](), list[Request](), list[int]()
        self.waiting: list[Note] = []

    def answer(self, request: Request) -> Answer | None:
        self.asked.append(request)
        return self.known

    def give_up(self, request: Request) -> Answer | None:
        return None

    def drop(self, request: Request) -> None:
        self.asked.remove(request)

    def delivered(self, request: Request) -> None:
        self.told.append(request)

    def note(self) -> Note | None:
        return self.waiting.pop(0) if self.waiting else None

    def ended(self, read: Sequence[int]) -> None:
        self.read += read


def converse(folder: Path, desk: Any, *argv: str, seconds: float = 20) -> tuple[Dialogue, ExitRecord, str]:
    """Run the child to its end in conversation with the desk."""
    talk = Dialogue(desk)
    spec = ChildSpec(
        argv=(sys.executable, "-I", "-S", "-c", *argv),
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        marker=f"test-{uuid.uuid4().hex}",
        open_stdin=True,
    )
    with Child.start(spec, folder / "attempt") as child:
        until = time.monotonic() + seconds
        while (record := child.wait(0.05)) is None:
            assert time.monotonic() < until
            talk.look(child)
        talk.ended(child)
        return talk, record, child.stdout.read_text()


@pytest.mark.parametrize(
    ("case", "answer"),
    [("f_bidir_allow", Answer(True)), ("f_bidir_ask", Answer(True, answers={"Which environment?": "Option 1"}))],
)
def test_an_answer_is_what_the_real_one_was_given(shared_dir: Path, tmp_path: Path, case: str, answer: Answer) -> None:
    path = shared_dir / "agents" / "transcripts" / "claude" / f"{case}.jsonl"
    if not path.is_file():
        pytest.skip("the recordings are not there")
    data = path.read_bytes()
    recording, kept = tmp_path / "recording", tmp_path / "kept"
    recording.write_bytes(data)
    desk = Decided(answer)
    talk, record, _ = converse(tmp_path, desk, RECORDED, str(recording), str(kept))
    assert (record.exit_code, talk.parked, len(desk.told)) == (0, False, 1)
    given = [json.loads(line) for line in kept.read_text().splitlines()]
    (asked,) = [json.loads(line) for line in data.splitlines() if b'"can_use_tool"' in line]
    inside = asked["request"]["input"] | ({"answers": dict(answer.answers)} if answer.answers else {})
    response = {"behavior": "allow", "updatedInput": inside}
    assert given == [
        {
            "type": "control_response",
            "response": {"subtype": "success", "request_id": asked["request_id"], "response": response},
        }
    ]


def request(name: str, subtype: str = "can_use_tool", **fields: Any) -> str:
    return json.dumps({"type": "control_request", "request_id": name, "request": {"subtype": subtype, **fields}})


def test_what_is_taken_back_too_large_or_not_served_is_never_asked(tmp_path: Path) -> None:
    lines = [
        request("large", tool_name="Write", input={"content": "x" * 300_000}),
        request("hook", "hook_callback"),
        request("first", tool_name="Bash", input={"command": "a"}),
        request("first", tool_name="Bash", input={"command": "another under the same name"}),
        request("gone", tool_name="Bash", input={"command": "b"}),
        json.dumps({"type": "control_cancel_request", "request_id": "gone"}),
        json.dumps({"type": "result", "subtype": "success"}),
    ]
    recording, kept = tmp_path / "recording", tmp_path / "kept"
    recording.write_text("\n".join(lines))
    desk = Decided(Answer(False, "No."))
    converse(tmp_path, desk, RECORDED, str(recording), str(kept))
    assert [(asked.id, asked.input) for asked in desk.asked] == [("first", {"command": "a"})]
    said = [json.loads(line)["response"] for line in kept.read_text().splitlines()]
    assert [(one["request_id"], one["subtype"]) for one in said] == [
        ("large", "success"),
        ("hook", "error"),
        ("first", "success"),
    ]
    assert said[0]["response"]["behavior"] == "deny" == said[2]["response"]["behavior"]


def test_a_run_without_anybody_allows_tools_and_answers_no_question() -> None:
    desk = Unattended()
    assert desk.answer(Request("1", "Bash", {})) == Answer(True)
    asked = desk.answer(Request("2", "AskUserQuestion", {}))
    assert asked is not None and not asked.allowed


def test_only_claude_with_its_permissions_on_stdio_is_spoken_with() -> None:
    asking = [*CLAUDE.command, *CLAUDE.asking]
    assert speaks("claude", asking) and speaks("claude", [*CLAUDE.command, "--permission-prompt-tool=stdio"])
    assert not speaks("claude", CLAUDE.command) and not speaks("plain", asking) and not speaks("qwen", asking)
    assert json.loads(user_line("Mend \ud800 it"))["message"]["content"][0]["text"] == "Mend \ud800 it"


def test_the_last_round_that_signals_counts_and_two_signals_in_one_do_not() -> None:
    def said(kind: str) -> str:
        return text(json.dumps({"mc_signal": kind, "ticket": "MC-1", "nonce": "n", "payload": ""}))

    def text(words: str) -> str:
        return json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": words}]}})

    begins = json.dumps({"type": "system", "subtype": "init", "session_id": "s"})
    ends = json.dumps({"type": "result", "subtype": "success", "result": ""})

    def judged(*lines: str) -> tuple[bool, Signal | None]:
        adapter = ClaudeAdapter("n", "MC-1")
        events = [*adapter.feed("\n".join(lines).encode()), *adapter.finish()]
        found = verdict(events, ExitRecord(ended_by="exited", message="", exit_code=0), "n", "MC-1")
        return found.ok, found.signal

    ok, signal = judged(begins, said("DONE"), ends, begins, said("BLOCKED"), ends)
    assert ok and signal is not None and signal.kind == "BLOCKED"
    ok, signal = judged(begins, said("DONE"), ends, begins, text("Noted."), ends)
    assert ok and signal is not None and signal.kind == "DONE"
    assert not judged(begins, said("DONE"), said("BLOCKED"), ends)[0]
    assert not judged(begins, said("DONE"), ends, begins, said("DONE"), said("DONE"), ends)[0]


def test_who_reads_nothing_is_given_no_second_message_and_has_read_none(tmp_path: Path) -> None:
    desk = Decided(None)
    desk.waiting = [Note((1,), "Mind the hinge."), Note((2,), "And the lock.")]
    converse(tmp_path, desk, "import time; time.sleep(1.5)")
    assert ([note.keys for note in desk.waiting], desk.read) == ([(2,)], [])

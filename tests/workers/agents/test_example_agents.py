"""The example agents, run as real children under a supervisor and judged by the plain adapter."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from workers.agents.adapters.plain import PlainAdapter
from workers.agents.adapters.verdict import State, verdict
from workers.supervision.child import Child, ChildSpec

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).resolve().parents[3] / "workers" / "agents" / "examples"
NONCE, TICKET = "nonce-of-the-turn", "MC-7"


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@shiproom.invalid"]
    return subprocess.check_output([*command, *arguments], text=True).strip()


@pytest.fixture
def repository(tmp_path):
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "--quiet")
    git(path, "commit", "--quiet", "--allow-empty", "--message=first")
    return path


@pytest.fixture
def turn(tmp_path, repository):
    """Run one turn of an example in the repository; return the verdict, the text, the exit record."""

    def run(name: str, *arguments: str, prompt: str = "", **changes):
        file = tmp_path / "prompt"
        file.write_text(prompt)
        fields = {
            "argv": (sys.executable, "-I", str(EXAMPLES / name), *arguments),
            "cwd": repository,
            "env": {"PATH": os.environ["PATH"], "SHIPROOM_TICKET": TICKET, "SHIPROOM_NONCE": NONCE},
            "marker": f"test-{uuid.uuid4().hex}",
            "stdin": file,
        }
        with Child.start(ChildSpec(**{**fields, **changes}), tmp_path / uuid.uuid4().hex) as child:
            record = child.wait(30)
        adapter = PlainAdapter(NONCE, TICKET)
        data = child.stdout.read_bytes()
        events = adapter.feed(data) + adapter.finish()
        return verdict(events, record, NONCE, TICKET), data.decode() + child.stderr.read_text(), record

    return run


def test_the_editing_agent_commits_its_work_under_its_own_name(turn, repository):
    before = git(repository, "rev-parse", "HEAD")
    judgement, text, _ = turn(
        "editing_agent.py",
        "--file=docs/notes.md",
        "--author-name=Ada",
        "--author-email=ada@shiproom.invalid",
        "--",
        "grep",
        "-q",
        "guard",
        "docs/notes.md",
        prompt="Wire the guard\nmore text",
    )
    assert judgement.ok, text
    after = git(repository, "rev-parse", "HEAD")
    assert after != before
    assert after in judgement.signal.payload
    said = git(repository, "log", "-1", "--format=%an <%ae> %s")
    assert said == "Ada <ada@shiproom.invalid> MC-7: Wire the guard"
    assert git(repository, "show", "--format=", "--name-only", "HEAD") == "docs/notes.md"
    assert (repository / "docs" / "notes.md").read_text() == "- MC-7: Wire the guard\n"
    assert git(repository, "status", "--porcelain") == ""
    assert f"Committed {after}" in text


def test_the_editing_agent_signals_failed_where_its_check_fails(turn, repository):
    before = git(repository, "rev-parse", "HEAD")
    judgement, _, _ = turn("editing_agent.py", "--", "false", prompt="x")
    assert (judgement.ok, judgement.signal.kind) == (True, "FAILED")
    assert git(repository, "rev-parse", "HEAD") == before


def test_the_editing_agent_stays_in_its_repository(turn, tmp_path):
    judgement, text, record = turn("editing_agent.py", "--file=../outside", prompt="x")
    assert (judgement.state, record.exit_code) == (State.EXIT_CODE, 1)
    assert "is not a file of this repository" in text
    assert not (tmp_path / "outside").exists()


def test_the_editing_agent_needs_its_nonce(turn):
    judgement, text, _ = turn("editing_agent.py", env={"PATH": os.environ["PATH"]})
    assert judgement.text == "The agent exited with code 2. It gave no signal."
    assert "are not set" in text


def test_the_failing_agent_fails_for_ever_or_so_many_times(turn, tmp_path):
    judgement, text, _ = turn("failing_agent.py")
    assert judgement.text == "The agent exited with code 1. It gave no signal."
    assert "the model API answered 500" in text
    state = f"--state={tmp_path / 'failures'}"
    endings = [turn("failing_agent.py", "--until=2", state)[0].ok for _ in range(4)]
    assert endings == [False, False, True, True]


def test_the_failing_agent_works_after_its_failures_and_counts_them_in_its_home(turn, repository, tmp_path):
    home = {"PATH": os.environ["PATH"], "SHIPROOM_TICKET": TICKET, "SHIPROOM_NONCE": NONCE, "HOME": str(tmp_path)}
    before = git(repository, "rev-parse", "HEAD")
    for _ in range(2):
        assert turn("failing_agent.py", "--until=2", prompt="Wire the guard", env=home)[0].state is State.EXIT_CODE
    assert git(repository, "rev-parse", "HEAD") == before
    judgement, text, _ = turn("failing_agent.py", "--until=2", prompt="Wire the guard", env=home)
    assert (judgement.ok, judgement.signal.kind) == (True, "DONE"), text
    assert git(repository, "log", "-1", "--format=%s") == "MC-7: Wire the guard"
    assert (tmp_path / "failing-agent-failures").read_text() == "2"


class TestAskingAgent:
    ANSWERED = "<<<MESSAGE-2-x\nfrom Ada\n\nAnswer to turn 1: **Long**\n\nfor the archive\nMESSAGE-2-x>>>"

    @pytest.fixture
    def ask(self, turn, tmp_path):
        env = {"PATH": os.environ["PATH"], "SHIPROOM_TICKET": TICKET, "SHIPROOM_NONCE": NONCE, "HOME": str(tmp_path)}
        return lambda *arguments, prompt="": turn("asking_agent.py", *arguments, prompt=prompt, env=env)

    def test_it_asks_first_with_options_a_default_and_a_deadline(self, ask, repository):
        before = git(repository, "rev-parse", "HEAD")
        judgement, text, _ = ask("--session=s-1", prompt="Write the note.")
        assert (judgement.ok, judgement.signal.kind) == (True, "NEEDS_INPUT")
        payload = judgement.signal.payload
        assert payload["question"] == "How should the note be written?"
        assert [option["label"] for option in payload["options"]] == ["Short", "Long"]
        assert all(option["detail"] for option in payload["options"])
        assert (payload["default"], payload["deadline_minutes"]) == (0, 60)
        assert "Session s-1, new." in text
        assert git(repository, "rev-parse", "HEAD") == before

    def test_it_does_what_was_answered_in_the_same_session(self, ask, repository):
        ask("--session=s-1")
        judgement, text, _ = ask("--resume=s-1", prompt=self.ANSWERED)
        assert (judgement.ok, judgement.signal.kind) == (True, "DONE"), text
        assert "Session s-1, resumed." in text
        assert (repository / "ANSWER.md").read_text() == "- MC-7: Long\n"
        assert git(repository, "log", "-1", "--format=%an %s") == "Asking agent MC-7: Long"
        assert git(repository, "status", "--porcelain") == ""

    @pytest.mark.parametrize(
        ("prompt", "written"),
        [
            ("Answer to turn 1:\n\nin your own words", "in your own words"),
            ("Answer to turn 1: **Short**\nx\n\nAnswer to turn 3: **Long**", "Long"),
        ],
    )
    def test_it_takes_words_for_an_answer_and_the_newest_of_several(self, ask, repository, prompt, written):
        assert ask(prompt=prompt)[0].signal.kind == "DONE"
        assert (repository / "ANSWER.md").read_text() == f"- MC-7: {written}\n"

    def test_it_cannot_go_on_with_a_session_that_it_does_not_know(self, ask):
        judgement, text, _ = ask("--resume=unknown", prompt=self.ANSWERED)
        assert judgement.state is State.EXIT_CODE
        assert "There is no session unknown." in text


def test_the_approving_agent_reads_the_work_and_approves_or_refuses_it(turn, repository):
    (repository / "note.md").write_text("one\ntwo\n")
    git(repository, "add", "note.md")
    git(repository, "commit", "--quiet", "--message=work")
    judgement, text, _ = turn("approving_agent.py")
    assert (judgement.ok, judgement.signal.kind) == (True, "DONE")
    assert judgement.signal.payload.endswith("is good: 1 changed files read")
    assert "Read note.md: 2 lines added, 0 removed" in text
    judgement, _, _ = turn("approving_agent.py", "--refuse", "It has no test.")
    assert (judgement.ok, judgement.signal.kind, judgement.signal.payload) == (True, "BLOCKED", "It has no test.")
    assert git(repository, "status", "--porcelain") == ""


def test_the_idle_agent_says_done_and_did_nothing(turn, repository):
    before = git(repository, "rev-parse", "HEAD")
    judgement, _, _ = turn("idle_agent.py")
    assert (judgement.ok, judgement.signal.kind) == (True, "DONE")
    assert git(repository, "rev-parse", "HEAD") == before


def test_the_flooding_agent_is_heard_at_its_end(turn):
    judgement, _, record = turn("flooding_agent.py", "--bytes=3000000", output_cap=100_000)
    assert judgement.ok
    assert record.stdout.dropped > 2_000_000


def test_the_stubborn_agent_times_out(turn):
    judgement, _, record = turn("stubborn_agent.py", wall_limit=0.5, grace=0.3)
    assert judgement.state is State.TIMED_OUT
    assert record.signal == 9


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_each_example_is_executable(path):
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env python3\n")

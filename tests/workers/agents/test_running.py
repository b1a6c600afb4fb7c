"""From a profile to a command, and from what came of it to what it says, costs, and can be resumed by."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from portal.core import secrets
from tests.workers.agents.build import NONCE, TICKET, signal, stream
from workers.agents import running
from workers.agents.adapters.signals import asked_for
from workers.agents.adapters.verdict import State, Verdict
from workers.agents.running import Ran
from workers.agents.usage import Spent
from workers.children import ChildResult, Command
from workers.failures import BadInput
from workers.models import Agent, AgentVersion
from workers.supervision.child import ExitRecord


def profile(**changes: Any) -> AgentVersion:
    fields: dict[str, Any] = {
        "agent": Agent(name="claude-dev"), "number": 1, "adapter": "plain", "command": ["agent", "-p"], "resume": [],
        "environment": [], "secrets": {}, "wall_seconds": 600, "silence_seconds": 60, "output_bytes": 5000,
        "trusted": True,
    }  # fmt: skip
    return AgentVersion(**fields | changes)


def command(version: AgentVersion, folder: Path, **changes: Any) -> Command:
    fields: dict[str, Any] = {
        "cwd": folder, "home": folder / "home", "prompt": "Mend it.", "nonce": NONCE, "ticket": TICKET, "name": "own-1",
    }  # fmt: skip
    return running.command(version, **fields | changes)


def judged(folder: Path, adapter: str, *lines: dict[str, Any] | str, code: int = 0, **changes: Any) -> Ran:
    spool = folder / "stdout.spool"
    spool.write_bytes(stream(*lines))
    result = ChildResult(ExitRecord(ended_by="exited", message="", exit_code=code), spool, folder / "stderr.spool")
    version = profile(adapter=adapter, **changes.pop("profile", {}))
    return running.judge(version, result, nonce=NONCE, ticket=TICKET, **{"before": None} | changes)


class TestCommand:
    def test_the_model_stands_where_the_command_has_a_place_for_it(self, tmp_path: Path) -> None:
        version = profile(model="opus-9", command=["a", "--model={model}"], resume=["a", "{model}", "{session}"])
        assert command(version, tmp_path).argv == ("a", "--model=opus-9")
        assert command(version, tmp_path, session="s").argv == ("a", "opus-9", "s")

    def test_bounds_of_its_processes_have_the_kernels_names(self, tmp_path: Path) -> None:
        bounds = {"cpu_seconds": 1, "file_bytes": 2, "open_files": 3, "processes": 4, "memory_bytes": 5}
        assert command(profile(limits=bounds), tmp_path).limits == {
            "cpu": 1, "fsize": 2, "nofile": 3, "nproc": 4, "as": 5,
        }  # fmt: skip

    def test_in_a_box_its_home_is_its_own_whatever_the_profile_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", "/home/worker")
        made = command(profile(environment=["HOME"], containment="bubblewrap"), tmp_path)
        assert made.env["HOME"] == str(tmp_path / "home")
        assert made.argv[0].endswith("bwrap")

    def test_a_fresh_session_has_our_name_where_the_command_has_a_place_for_it(self, tmp_path: Path) -> None:
        version = profile(command=["goose", "-n", "{session}", "--tag={session}"], resume=["goose", "-r", "{session}"])
        made = command(version, tmp_path)
        assert made.argv == ("goose", "-n", "own-1", "--tag=own-1")
        assert made.env["SHIPROOM_SESSION"] == ""

    def test_a_session_is_gone_on_with_where_the_profile_knows_how(self, tmp_path: Path) -> None:
        version = profile(resume=["agent", "--resume", "{session}"])
        made = command(version, tmp_path, session="0199-a1")
        assert made.argv == ("agent", "--resume", "0199-a1")
        assert made.env["SHIPROOM_SESSION"] == "0199-a1"

    def test_it_begins_afresh_where_the_profile_does_not(self, tmp_path: Path) -> None:
        made = command(profile(), tmp_path, session="0199-a1")
        assert (made.argv, made.env["SHIPROOM_SESSION"]) == (("agent", "-p"), "")

    @pytest.mark.parametrize("session", ["-x", "--config=evil", "a\0b", "a\nb", "a\x1b[2J", "x" * 201])
    def test_what_an_agent_printed_becomes_no_option_and_no_second_line(self, tmp_path: Path, session: str) -> None:
        version = profile(resume=["agent", "--resume", "{session}"])
        with pytest.raises(BadInput, match="cannot be the name of a session"):
            command(version, tmp_path, session=session)

    def test_it_sees_what_its_profile_names_and_what_every_child_gets(
        self, db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SEEN", "yes")
        monkeypatch.setenv("UNSEEN", "no")
        monkeypatch.setenv("LANG", "C.UTF-8")
        monkeypatch.delenv("TZ", raising=False)
        secrets.store("api-key", "secret-value")
        made = command(profile(environment=["SEEN", "ABSENT"], secrets={"API_KEY": "api-key"}), tmp_path)
        assert made.env == {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SEEN": "yes",
            "API_KEY": "secret-value",
            "HOME": str(tmp_path / "home"),
            "SHIPROOM_TICKET": TICKET,
            "SHIPROOM_NONCE": NONCE,
            "SHIPROOM_SESSION": "",
        }

    def test_its_home_is_its_own_and_closed_to_others(self, tmp_path: Path) -> None:
        home = tmp_path / "deep" / "home"
        old = os.umask(0)
        try:
            command(profile(), tmp_path, home=home)
        finally:
            os.umask(old)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700

    def test_a_profile_that_names_home_has_the_workers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/worker")
        assert command(profile(environment=["HOME"]), tmp_path).env["HOME"] == "/home/worker"

    def test_a_secret_that_is_missing_is_named_and_nothing_starts(self, db: None, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="There is no secret named api-key"):
            command(profile(secrets={"API_KEY": "api-key"}), tmp_path)

    def test_its_limits_are_the_tighter_of_profile_and_installation(self, tmp_path: Path, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"TURN_WALL_SECONDS": 100, "TURN_SILENCE_SECONDS": 90}
        made = command(profile(), tmp_path)
        assert (made.wall_seconds, made.silence_seconds, made.output_bytes, made.stdin) == (100, 60, 5000, "Mend it.")


class TestJudge:
    CLAUDE = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "session_id": "s-1",
        "total_cost_usd": 0.5,
        "modelUsage": {"m": {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 3}},
    }

    def said(self, text: str) -> dict[str, Any]:
        return {"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": text}]}}

    def test_verdict_session_and_cost_come_of_one_reading(self, tmp_path: Path) -> None:
        begins = {"type": "system", "subtype": "init", "session_id": "s-1", "model": "m"}
        ran = judged(tmp_path, "claude", begins, self.said(signal()), self.CLAUDE)
        assert (ran.verdict.ok, ran.verdict.state, ran.session_id, ran.exit_code) == (True, State.SIGNALLED, "s-1", 0)
        assert ran.spent == ran.session == Spent(input=10, output=5, cached=3, cost=0.5)

    def test_of_a_sessions_figures_only_the_new_part_is_spent(self, tmp_path: Path) -> None:
        begins = {"type": "system", "subtype": "init", "session_id": "s-1"}
        before = Spent(cost=0.3)
        ran = judged(tmp_path, "claude", begins, self.said(signal()), self.CLAUDE, before=before)
        assert ran.spent is not None
        assert (ran.spent.cost, ran.session and ran.session.cost) == (0.2, 0.5)

    def test_an_agent_that_tells_no_cost_has_none_and_the_session_keeps_its_figures(self, tmp_path: Path) -> None:
        before = Spent(cost=0.3)
        ran = judged(tmp_path, "plain", signal(), before=before, name="own-1")
        assert (ran.spent, ran.session, ran.session_id) == (None, before, "")

    def test_a_session_that_we_named_is_known_though_the_agent_tells_none(self, tmp_path: Path) -> None:
        named = {"command": ["goose", "-n", "{session}"], "resume": ["goose", "-r", "-n", "{session}"]}
        ran = judged(tmp_path, "goose", {"type": "complete"}, profile=named, name="own-2")
        assert ran.session_id == "own-2"
        ran = judged(tmp_path, "goose", {"type": "complete"}, profile=named, name="own-2", session="own-1")
        assert ran.session_id == "own-1"

    def test_the_calls_of_tools_are_counted(self, tmp_path: Path) -> None:
        call = {
            "type": "assistant",
            "message": {"content": [{"type": "tool_use", "id": "t", "name": "B", "input": {}}]},
        }
        assert judged(tmp_path, "claude", call, self.CLAUDE).tools == 1
        assert judged(tmp_path, "claude", self.CLAUDE).tools == 0

    @pytest.mark.parametrize("session", ["--evil", "a\nb", "x" * 201])
    def test_a_session_that_could_not_be_resumed_safely_is_none(self, tmp_path: Path, session: str) -> None:
        begins = {"type": "system", "subtype": "init", "session_id": session}
        assert judged(tmp_path, "claude", begins).session_id == ""

    def test_a_child_that_left_no_output_is_judged_too(self, tmp_path: Path) -> None:
        record = ExitRecord(ended_by="could_not_start", message="program agent was not found")
        result = ChildResult(record, tmp_path / "none", tmp_path / "none")
        ran = running.judge(profile(), result, nonce=NONCE, ticket=TICKET, before=None)
        assert ran.verdict.state is State.COULD_NOT_START
        assert running.is_sick(ran.verdict)


@pytest.mark.parametrize("state", list(State))
def test_what_is_the_agents_own_fault_is_sickness_and_the_rest_is_not(state: State) -> None:
    sick = {"could_not_start", "exit_code", "killed", "no_signal", "bad_result", "timed_out"}
    assert running.is_sick(Verdict(False, state, "")) is (state in sick)


def test_a_turn_that_signalled_is_healthy_whatever_it_said(tmp_path: Path) -> None:
    for kind in ("DONE", "NEEDS_INPUT", "BLOCKED", "FAILED"):
        assert not running.is_sick(judged(tmp_path, "plain", signal(kind)).verdict)


def test_the_example_in_a_prompt_is_no_signal_when_it_is_echoed(tmp_path: Path) -> None:
    line = asked_for(TICKET, NONCE)
    assert json.loads(line)["nonce"] == NONCE
    ran = judged(tmp_path, "plain", line)
    assert (ran.verdict.ok, ran.verdict.state) == (False, State.NO_SIGNAL)
    assert judged(tmp_path, "plain", line, signal()).verdict.ok

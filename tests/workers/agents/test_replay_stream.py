"""`manage.py replay_stream`: the events of a recorded output as JSON lines, without a database."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.workers.agents.build import NONCE, TICKET, signal, stream
from workers.agents.adapters import ADAPTERS
from workers.agents.adapters.events import (
    Error,
    ErrorCode,
    Other,
    Permission,
    Refused,
    Result,
    Scope,
    SessionStarted,
    Signal,
    SignalKind,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    described,
)

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[3]
RUN = stream(
    {"type": "thread.started", "thread_id": "th-1"},
    {"type": "item.completed", "item": {"id": "i", "type": "agent_message", "text": "Done é.\n" + signal()}},
    {"type": "turn.completed", "usage": {"input_tokens": 9, "cached_input_tokens": 4, "output_tokens": 2}},
)


def replayed(path: Path, *options: str, adapter: str = "codex") -> list[dict]:
    out = io.StringIO()
    call_command("replay_stream", "--adapter", adapter, str(path), *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    path.write_bytes(RUN)
    return path


def test_each_event_is_one_line_of_json_and_the_result_is_last(recording):
    assert replayed(recording) == [
        {"type": "session_started", "session_id": "th-1", "model": None},
        {"type": "text", "text": "Done é.\n" + signal(), "delta": False},
        {"type": "other", "text": f"signal DONE for {TICKET}: did it"},
        {"type": "usage", "input": 9, "output": 2, "cached": 4, "cost": None, "scope": "session"},
        {"type": "result", "ok": True, "text": "Done é.\n" + signal()},
    ]


@pytest.mark.parametrize(
    "options", [("--chunk", "777"), ("--chunk", "1"), ("--exit-code", "0"), ("--nonce", NONCE, "--ticket", TICKET)]
)
def test_chunks_the_good_code_and_the_known_nonce_change_nothing(recording, options):
    assert replayed(recording, *options) == replayed(recording)


@pytest.mark.parametrize("code", ["1", "-15", "143"])
def test_a_bad_exit_code_makes_the_result_bad(recording, code):
    assert replayed(recording, "--exit-code", code)[-1] == {
        "type": "result",
        "ok": False,
        "text": f"The agent exited with code {code}.",
    }


def test_a_signal_of_another_nonce_is_told_as_an_error(recording):
    error = replayed(recording, "--nonce", "other")[2]
    assert error == {
        "type": "error",
        "message": "A DONE signal of another nonce.",
        "status": None,
        "retry": False,
        "fatal": False,
    }


def test_plain_text_ends_well_by_its_own_last_signal(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_text("old: \n" + signal(nonce="of-another-turn") + "\nworking\n" + signal())
    assert [line["type"] for line in replayed(path, adapter="plain")] == ["text", "error", "text", "other", "result"]
    assert replayed(path, adapter="plain")[-1]["ok"]
    path.write_text("no signal")
    assert not replayed(path, adapter="plain")[-1]["ok"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--chunk", "0"), "a chunk has at least one byte"),
        (("--adapter", "telepathy"), "invalid choice: 'telepathy'"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(recording, options, says):
    with pytest.raises(CommandError, match=says):
        replayed(recording, *options)


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(CommandError, match=r"cannot read .*: (No such file|Is a directory)"):
            replayed(path)


def test_the_command_needs_no_database(recording, tmp_path):
    (tmp_path / "data").write_text("no directory, so no database can be in it")
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path / "other"),
        "DATABASE_URL": "postgres://no:no@127.0.0.1:1/no",
    }
    command = [sys.executable, "manage.py", "replay_stream", "--adapter", "codex", str(recording)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["ok"]


def documented() -> dict[str, list[str]]:
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8").partition("\n### Events\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
    return {name: re.findall(r"`(\w+)`", fields) for name, fields in rows}


@pytest.mark.parametrize(
    "event",
    [
        SessionStarted(0, "s"),
        Text(0, "t"),
        ToolCall(0, "i", "n", {}),
        ToolResult(0, "i", True, "o"),
        Permission(0, "i", {}),
        Usage(0, 1, 1, 1, None, Scope.RUN),
        Error(0, "m"),
        Other(0, "t"),
        Result(True, "t"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_the_agents_page_states_each_event_as_it_is(event):
    name, *fields = (described(event)["type"], *(key for key in described(event) if key != "type"))
    assert documented()[name] == fields


def test_the_agents_page_knows_no_event_that_is_not_there():
    assert len(documented()) == 9
    for event in (Signal(0, SignalKind.DONE, "T", "n", ""), Refused(0, ErrorCode.BAD_SIGNAL, "t")):
        assert described(event)["type"] in documented()


def test_the_example_of_the_agents_page_runs(tmp_path):
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    (recorded,) = re.findall(r"```jsonl\n(.*?)```", page, re.DOTALL)
    (command, printed) = re.search(
        r"```console\n\$ python manage\.py (replay_stream [^\n]+)\n(.*?)```", page, re.DOTALL
    ).groups()
    path = tmp_path / "run.jsonl"
    path.write_text(recorded)
    _, _, adapter, name, *options = command.split()
    assert name == "run.jsonl"
    out = io.StringIO()
    call_command("replay_stream", "--adapter", adapter, str(path), *options, stdout=out)
    assert out.getvalue() == printed


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_the_agents_page_states_how_each_adapter_is_started(name):
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    launch = ADAPTERS[name].launch
    command = f"`{' '.join(launch.command)}`" if launch.command else "any program"
    assert f"| `{name}` | {command} |" in page


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_session_is_resumed_by_a_command_of_its_own_or_not_at_all(name):
    launch = ADAPTERS[name].launch
    if name != "plain":
        assert "ses-1" in launch.resumed("ses-1")
        assert not any("{" in part for part in launch.resumed("ses-1"))
    for session in ("", "--dangerous") if name != "plain" else ("ses-1",):
        with pytest.raises(ValueError, match="no such session"):
            launch.resumed(session)

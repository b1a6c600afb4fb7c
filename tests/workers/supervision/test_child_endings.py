"""Every way in which a child can end, with real processes; afterwards nothing of it is left."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from workers.supervision.child import CannotSupervise, Child, ChildSpec, read_exit_record

pytestmark = pytest.mark.once

DAEMON_PRINTS = "import os,time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\nprint('done')\n"


def ended(child: Child, seconds: float = 30.0):
    record = child.wait(seconds)
    assert record is not None, "it did not end"
    return record


def test_an_exit_keeps_its_code_and_both_streams(attempt):
    record = ended(attempt.python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (record.ended_by, record.exit_code, record.signal) == ("exited", 3, None)
    assert record.message == "exited with code 3"
    assert (attempt.directory / "stdout.spool").read_bytes() == b"out\n"
    assert (attempt.directory / "stderr.spool").read_bytes() == b"err\n"
    assert (record.stdout.received, record.stderr.received) == (4, 4)
    assert record.ended_by_itself
    assert record.max_rss_kib > 1000
    assert record.ended_monotonic >= record.started_monotonic
    assert read_exit_record(attempt.directory) == record


def test_a_child_killed_by_signal_9_from_elsewhere_says_so(attempt):
    record = ended(attempt.python("import os; os.kill(os.getpid(), 9)"))
    assert (record.ended_by, record.exit_code, record.signal) == ("exited", None, 9)


def test_stop_ends_politely_within_the_grace(attempt):
    child = attempt.python(
        "import signal,sys,time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('goodbye', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    attempt.wait_until(lambda: child.stdout.exists() and b"ready" in child.stdout.read_bytes())
    assert child.poll() is None
    assert child.stop()
    record = ended(child)
    assert (record.ended_by, record.exit_code) == ("stopped", 0)
    assert b"goodbye" in child.stdout.read_bytes()
    assert not record.ended_by_itself
    assert not child.stop(), "nobody listens any more"
    assert not child.renew(10)


def test_sigterm_to_the_supervisor_means_stop(attempt):
    child = attempt.python("import time; print('ready', flush=True); time.sleep(600)")
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes())
    os.kill(child.pid, 15)
    record = ended(child)
    assert (record.ended_by, record.signal) == ("stopped", 15)


def test_a_stopped_process_takes_its_sigterm(attempt):
    child = attempt.python("import os; print('ready', flush=True); os.kill(os.getpid(), 19)", grace=20.0)
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes())
    child.stop()
    record = ended(child)
    assert record.signal == 15
    assert record.ending_seconds < 10


def test_the_stubborn_agent_and_its_daemon_are_gone_after_the_grace(attempt):
    child = attempt.example("stubborn_agent.py", grace=0.5)
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes().count(b"stays") == 2)
    assert len(attempt.left()) == 2
    child.stop()
    record = ended(child)
    assert (record.ended_by, record.signal) == ("stopped", 9)
    assert record.ending_seconds < 5
    assert record.survivors == ()
    assert attempt.left() == []


def test_a_daemon_left_by_a_normal_exit_is_swept(attempt):
    record = ended(attempt.example("stubborn_agent.py", "--leave", grace=0.5))
    assert (record.ended_by, record.exit_code) == ("exited", 0)
    assert attempt.left() == []


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_up_the_end(attempt):
    record = ended(attempt.python(DAEMON_PRINTS))
    assert (record.ended_by, record.exit_code) == ("exited", 0)
    assert record.ending_seconds < 6
    assert attempt.left() == []


def test_a_daemon_that_replaced_its_environment_is_found_by_its_parentage(attempt):
    code = (
        "import os\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.execve('/bin/sleep', ['sleep', '617.25'], {})\n"
        "    os._exit(0)\n"
    )
    ended(attempt.python(code, grace=0.5))
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert b"sleep\x00617.25\x00" not in lines


def test_the_wall_limit_ends_what_ignores_sigterm(attempt):
    record = ended(attempt.example("stubborn_agent.py", wall_limit=0.5, grace=0.3))
    assert record.ended_by == "wall_limit"
    assert record.message == "ended at its time limit of 0.5 s"
    assert attempt.left() == []


def test_the_silence_limit_spares_who_speaks_and_ends_who_does_not(attempt):
    code = "import time\nfor _ in range(8):\n    print('.', flush=True)\n    time.sleep(0.2)\ntime.sleep(600)"
    record = ended(attempt.python(code, silence_limit=1.0))
    assert record.ended_by == "silence_limit"
    assert record.run_seconds > 2.0
    assert (attempt.directory / "stdout.spool").read_bytes() == b".\n" * 8


def test_the_deadline_ends_it_and_a_renewal_prevents_that(attempt):
    child = attempt.python("import time; time.sleep(600)", lease=1.5)
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        assert child.renew(1.5)
        time.sleep(0.2)
    assert child.poll() is None
    record = ended(child)
    assert record.ended_by == "deadline"
    assert 3.0 < record.run_seconds < 10.0


@pytest.mark.parametrize("bad", ["nan", "inf", "1 2 3 nonsense", "", "x" * 200_000])
def test_nonsense_on_the_control_pipe_changes_nothing(attempt, bad):
    child = attempt.python("import time; time.sleep(600)", lease=1.0)
    child._say(f"deadline {bad}") if len(bad) < 4000 else os.write(child._control, bad[:4000].encode())
    assert ended(child).ended_by == "deadline"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("no-such-agent",), "agent could not start: command 'no-such-agent' was not found"),
        (("./absent",), "agent could not start: command './absent' was not found"),
        (("./plain.txt",), "agent could not start: './plain.txt' is not executable"),
        (("./noformat",), "agent could not start: './noformat': Exec format error"),
        (("./lost",), "agent could not start: './lost': No such file or directory"),
        ((), "agent could not start: its command line is empty"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(attempt, argv, message):
    (attempt.place / "plain.txt").write_text("text")
    for name, content in (("noformat", "text"), ("lost", "#!/no/such/interpreter\n")):
        (attempt.place / name).write_text(content)
        (attempt.place / name).chmod(0o755)
    record = ended(attempt.start(*argv))
    assert (record.ended_by, record.exit_code, record.message) == ("could_not_start", None, message)


def test_a_missing_directory_prompt_or_limit_is_said(attempt):
    gone = attempt.place / "gone"
    for changes, message in (
        ({"cwd": gone}, f"agent could not start: its working directory '{gone}' does not exist"),
        ({"stdin": gone}, "agent could not start: its prompt file cannot be read: No such file or directory"),
    ):
        attempt.directory = attempt.directory.with_name(attempt.directory.name + "x")
        assert ended(attempt.start("true", **changes)).message == message


def test_the_prompt_is_standard_input_and_else_there_is_none(attempt):
    prompt = attempt.place / "prompt"
    prompt.write_text("do this")
    ended(attempt.start("cat", stdin=prompt))
    assert (attempt.directory / "stdout.spool").read_text() == "do this"
    attempt.directory = attempt.place / "second"
    ended(attempt.start("cat"))
    assert (attempt.directory / "stdout.spool").read_text() == ""


def test_the_directory_is_private_new_and_writable(attempt):
    ended(attempt.start("true"))
    assert stat.S_IMODE(attempt.directory.stat().st_mode) == 0o700
    for file in attempt.directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    with pytest.raises(CannotSupervise, match="used before"):
        attempt.start("true")
    (attempt.place / "file").write_text("")
    with pytest.raises(CannotSupervise, match="not usable: Not a directory"):
        Child.start(attempt.spec("true"), attempt.place / "file" / "below")


def test_leaving_the_block_ends_the_child(attempt):
    with pytest.raises(RuntimeError), attempt.python("import time; time.sleep(600)") as child:
        raise RuntimeError
    assert child.poll().ended_by == "stopped"
    assert attempt.left() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"marker": "short"},
        {"marker": "with space and more"},
        {"env": {"SHIPROOM_ATTEMPT": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0"}},
        {"cwd": Path("relative")},
        {"limits": {"colour": 1}},
        {"output_cap": -1},
    ],
)
def test_a_spec_that_could_never_run_is_refused(attempt, changes):
    with pytest.raises(ValueError):
        attempt.spec("true", **changes)


def test_argv_arrives_as_it_is(attempt):
    hostile = ["-oX", "--upload-pack=x", "$(id)", "a\nb", "é\u202e"]
    ended(attempt.python("import json,sys; print(json.dumps(sys.argv[1:]))"))
    attempt.directory = attempt.place / "second"
    code = "import json,sys; print(json.dumps(sys.argv[1:]))"
    ended(attempt.start(sys.executable, "-I", "-X", "utf8", "-c", code, *hostile))
    assert json.loads((attempt.directory / "stdout.spool").read_text()) == hostile


def test_a_spec_is_a_frozen_value(attempt):
    spec = attempt.spec("true")
    with pytest.raises(AttributeError):
        spec.cwd = Path("/")
    assert isinstance(spec, ChildSpec)

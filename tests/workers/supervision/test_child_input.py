"""A standard input that stays open: written without waiting, counted as it is read, ended with its worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from workers.supervision.inlet import MOST_BYTES

pytestmark = pytest.mark.once


def test_a_child_reads_what_is_written_while_it_runs_and_the_end_when_it_comes(attempt):
    child = attempt.python("import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)", open_stdin=True)
    assert child.inlet.write(b"one\n")
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_text() == "got one\n")
    assert child.poll() is None and child.inlet.read == 4
    assert child.inlet.write(b"two\n")
    child.inlet.end()
    assert not child.inlet.write(b"late\n")
    record = child.wait(20)
    assert (record.exit_code, child.stdout.read_text(), child.inlet.read) == (0, "got one\ngot two\n", 8)


def test_a_child_that_never_reads_holds_nobody_and_what_it_left_is_known(attempt):
    child = attempt.python("import time; time.sleep(2)", open_stdin=True)
    began = time.monotonic()
    line = b"x" * (1024 * 1024)
    taken = sum(child.inlet.write(line) for _ in range(12))
    assert time.monotonic() - began < 1
    # A pipe of it at most, and the bound of what waits here.
    assert MOST_BYTES // len(line) <= taken <= MOST_BYTES // len(line) + 1
    child.inlet.push()
    child.inlet.end()
    assert child.wait(20).exit_code == 0
    child.inlet.push()
    assert child.inlet.read == 0


def test_a_child_that_waits_for_its_worker_is_not_silent(attempt):
    child = attempt.python("import sys; sys.stdin.read()", open_stdin=True, silence_limit=0.5)
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        assert child.wait(0.1) is None
        child.hear()
    assert child.wait(20).ended_by == "silence_limit"


def test_a_forked_copy_of_a_worker_keeps_no_input_open(attempt):
    child = attempt.python("import sys; sys.stdin.read()", open_stdin=True)
    copy = os.fork()
    if copy == 0:
        time.sleep(20)
        os._exit(0)
    try:
        child.inlet.end()
        assert child.wait(10).exit_code == 0
    finally:
        os.kill(copy, 9)
        os.waitpid(copy, 0)


def test_the_input_of_one_child_is_not_inherited_by_another_program(attempt):
    child = attempt.python("import sys; sys.stdin.read()", open_stdin=True)
    other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(20)"])
    try:
        child.inlet.end()
        assert child.wait(10).exit_code == 0
    finally:
        other.kill()
        other.wait()


def test_a_file_and_an_open_input_exclude_each_other(attempt, tmp_path):
    with pytest.raises(ValueError, match="not both"):
        attempt.spec("true", stdin=tmp_path / "prompt", open_stdin=True)

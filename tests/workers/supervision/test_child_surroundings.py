"""What a child is given: environment, descriptors, signals, limits, and nothing else."""

from __future__ import annotations

import json
import os
import sys

import pytest

pytestmark = pytest.mark.once

SEE = """
import json, os, resource, signal
fds = {}
for name in os.listdir('/proc/self/fd'):
    try:
        fds[name] = os.readlink('/proc/self/fd/' + name)
    except OSError:
        pass
umask = os.umask(0)
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
print(json.dumps({
    'env': dict(os.environ), 'fds': fds, 'umask': umask, 'cwd': os.getcwd(),
    'leader': os.getsid(0) == os.getpid() == os.getpgid(0),
    'core': resource.getrlimit(resource.RLIMIT_CORE), 'nofile': resource.getrlimit(resource.RLIMIT_NOFILE),
    'ignored': int(status['SigIgn'], 16), 'blocked': int(status['SigBlk'], 16),
}))
"""


def see(attempt, **changes):
    # A shell would add variables of its own; PYTHONCOERCECLOCALE keeps Python from adding LC_CTYPE.
    env = {"PATH": "/usr/bin:/bin", "PYTHONCOERCECLOCALE": "0", "GIVEN": "é=1"}
    child = attempt.start(sys.executable, "-S", "-c", SEE, env=env, **changes)
    record = child.wait(20)
    assert record.exit_code == 0, child.stderr.read_text()
    return env, json.loads(child.stdout.read_text())


def test_the_environment_is_exactly_the_list_and_the_marker(attempt, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "never")
    env, seen = see(attempt)
    assert {name: os.fsencode(value) for name, value in seen["env"].items()} == {
        name: value.encode() for name, value in {**env, "SHIPROOM_ATTEMPT": attempt.marker}.items()
    }


def test_no_descriptor_is_inherited(attempt):
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        _, seen = see(attempt)
    finally:
        os.close(read)
        os.close(write)
    fds = seen["fds"]
    listing = [name for name, target in fds.items() if target.endswith("/fd")]
    assert set(fds) - set(listing) == {"0", "1", "2"}
    assert fds["0"] == "/dev/null"
    assert fds["1"].startswith("pipe:")
    assert fds["2"].startswith("pipe:")
    assert fds["1"] != fds["2"]


def test_session_umask_signals_and_limits(attempt):
    _, seen = see(attempt, limits={"nofile": 64})
    assert seen["leader"]
    assert seen["umask"] == 0o077
    assert seen["cwd"] == str(attempt.place)
    assert seen["core"] == [0, 0]
    assert seen["nofile"] == [64, 64]
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25) when it starts, and posix_spawn (by which make starts
    # what it runs) the C library's own two, 32 and 33, which no program may set; nothing else is inherited.
    assert seen["ignored"] & ~(1 << 12 | 1 << 24 | 1 << 31 | 1 << 32) == 0
    assert seen["blocked"] == 0


def test_sigpipe_has_its_default(attempt):
    record = attempt.start("sh", "-c", "yes | head -n 1").wait(20)
    assert record.exit_code == 0
    assert (attempt.directory / "stderr.spool").read_bytes() == b""


def test_the_memory_and_cpu_limits_hold(attempt):
    limits = {"as": 200 * 1024 * 1024, "cpu": 1}
    record = attempt.python("x = bytearray(400 * 1024 * 1024)", limits=limits).wait(20)
    assert record.exit_code == 1
    assert b"MemoryError" in (attempt.directory / "stderr.spool").read_bytes()
    attempt.directory = attempt.place / "second"
    record = attempt.python("while True: pass", limits=limits).wait(30)
    # Of the kernel, not of ours; it counts the limit in ticks, which a busy machine hands out unevenly.
    assert record.ended_by_itself and record.signal in (9, 24)
    assert record.cpu_seconds >= 0.5


def test_a_limit_beyond_what_is_allowed_is_said_or_given(attempt):
    record = attempt.python("pass", limits={"nofile": 2**40}).wait(20)
    assert record.ended_by == "could_not_start"
    assert "limit" in record.message or "permitted" in record.message


def test_the_specification_is_on_no_disk_and_in_no_command_line(attempt):
    secret = "s3cret-value-of-a-token"
    child = attempt.python(
        "import time; print(1, flush=True); time.sleep(600)", env={"PATH": "/usr/bin:/bin", "TOKEN": secret}
    )
    attempt.wait_until(lambda: child.stdout.exists() and child.stdout.read_bytes())
    for file in attempt.directory.iterdir():
        assert secret.encode() not in file.read_bytes(), file
    for place in ("cmdline", "environ"):
        with open(f"/proc/{child.pid}/{place}", "rb") as file:
            assert secret.encode() not in file.read()
    child.stop()
    child.wait(20)

"""Floods, strange bytes, exact counts, bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.supervision.spool import SpoolReader

pytestmark = pytest.mark.once

MIB = 1024 * 1024


def peak_rss_kib(pid: int) -> int:
    """The highest resident size of the process so far, or 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def run_and_watch(child) -> tuple[object, int]:
    peak = 0
    while (record := child.poll()) is None:
        peak = max(peak, peak_rss_kib(child.pid))
        child.wait(0.05)
    return record, peak


@pytest.mark.parametrize("arguments", [("--no-newline",), ("--stream", "both")])
def test_a_flood_is_bounded_and_its_cut_is_exact(attempt, arguments):
    size = 200_000_000 if "--no-newline" in arguments else 50_000_000
    child = attempt.example(
        "flooding_agent.py",
        "--bytes",
        str(size),
        *arguments,
        output_cap=MIB,
        output_tail=MIB // 16,
        env={"PATH": "/usr/bin:/bin", "SHIPROOM_TICKET": "MC-1", "SHIPROOM_NONCE": "n"},
    )
    record, peak = run_and_watch(child)
    print(f"supervisor peak RSS {peak} KiB; {size / record.run_seconds / 1e6:.0f} MB/s")
    assert record.exit_code == 0
    assert 0 < peak < 64 * 1024
    spool = child.stdout.read_bytes()
    mark = b"\n[shiproom: %d bytes of stdout dropped here]\n" % record.stdout.dropped
    assert record.stdout.cut_at == MIB
    assert spool[MIB : MIB + len(mark)] == mark
    assert record.stdout.received == MIB + record.stdout.dropped + MIB // 16
    assert len(spool) == MIB + len(mark) + MIB // 16
    assert record.stdout.received > size
    assert b'"mc_signal": "DONE"' in spool.splitlines()[-1], "the signal after a flood is not lost"
    if "both" in arguments:
        assert record.stderr.received == size


@pytest.mark.parametrize(("size", "dropped"), [(99, 0), (100, 0), (101, 0), (110, 0), (111, 1), (500, 390)])
def test_the_cap_at_its_limit_and_one_more(attempt, size, dropped):
    data = bytes(33 + i % 90 for i in range(size))
    code = f"import os; [os.write(1, bytes([33 + i % 90])) for i in range({size})]"
    record = attempt.python(code, output_cap=100, output_tail=10).wait(20)
    spool = (attempt.directory / "stdout.spool").read_bytes()
    assert (record.stdout.received, record.stdout.dropped) == (size, dropped)
    assert record.stdout.cut_at == (100 if dropped else None)
    if dropped:
        mark = b"\n[shiproom: %d bytes of stdout dropped here]\n" % dropped
        assert spool == data[:100] + mark + data[-10:]
    else:
        assert spool == data


def test_300_kb_on_stderr_alone_is_drained(attempt):
    record = attempt.example("flooding_agent.py", "--bytes", "300000", "--stream", "stderr").wait(20)
    assert (record.exit_code, record.stdout.received, record.stderr.received) == (0, 0, 300_000)
    assert (attempt.directory / "stderr.spool").stat().st_size == 300_000


def test_bad_utf8_nul_ansi_and_no_newline_arrive_as_text(attempt):
    first, second = rb"\xff\xfe\x00 \x1b[31mred \xe2\x82", rb"\xac no newline \xe2\x82"
    code = f"import os; os.write(1, b'{first.decode()}'); os.write(1, b'{second.decode()}')"
    record = attempt.python(code).wait(20)
    assert record.exit_code == 0
    chunks = list(SpoolReader(attempt.directory / "stdout.spool").finish())
    assert "".join(chunk.text for chunk in chunks) == "\ufffd\ufffd\ufffd \x1b[31mred € no newline \ufffd"


def test_a_cap_of_nothing_keeps_nothing_but_the_mark(attempt):
    record = attempt.python("print('x' * 1000)", output_cap=0, output_tail=0).wait(20)
    assert (record.exit_code, record.stdout.dropped, record.stdout.cut_at) == (0, 1001, 0)
    spool = (attempt.directory / "stdout.spool").read_bytes()
    assert spool == b"\n[shiproom: 1001 bytes of stdout dropped here]\n"


def test_a_child_that_closes_its_output_may_go_on(attempt):
    record = attempt.python("import os,time; os.close(1); os.close(2); time.sleep(0.5); os._exit(4)").wait(20)
    assert (record.ended_by, record.exit_code) == ("exited", 4)
    assert record.run_seconds >= 0.5

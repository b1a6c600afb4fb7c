"""The supervisor as the program that it is, without the worker's side."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workers.supervision import supervisor

pytestmark = pytest.mark.once

PROGRAM = [sys.executable, "-I", "-S", supervisor.__file__]


def write_spec(place: Path, **changes) -> Path:
    fields = {
        "argv": ["/bin/echo", "hello"],
        "cwd": str(place),
        "env": {},
        "marker": "test-of-the-program",
        "stdout": str(place / "out"),
        "stderr": str(place / "err"),
        "record": str(place / "exit.json"),
        "output_cap": 1000,
    }
    path = place / "spec.json"
    path.write_text(json.dumps({**fields, **changes}))
    return path


def test_it_runs_from_a_file_without_a_control_pipe(tmp_path):
    began = time.monotonic()
    assert subprocess.run([*PROGRAM, str(write_spec(tmp_path))], check=False).returncode == 0
    print(f"whole run {time.monotonic() - began:.3f} s")
    assert (tmp_path / "out").read_text() == "hello\n"
    assert json.loads((tmp_path / "exit.json").read_text())["exit_code"] == 0
    assert not (tmp_path / "exit.json.part").exists()


def test_what_is_no_specification_is_said_in_one_line(tmp_path):
    for arguments in ([], [str(tmp_path / "absent")], ["--fd", "99"], [str(write_spec(tmp_path, typo=1))]):
        done = subprocess.run([*PROGRAM, *arguments], check=False, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("agent could not start: its specification is not usable: ")
        assert done.stderr.count("\n") == 1


def test_it_imports_nothing_of_the_project_and_little_else(tmp_path):
    code = f"import runpy,sys; runpy.run_path({supervisor.__file__!r}); print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True).split()
    heavy = {"workers", "django", "subprocess", "asyncio"}
    assert not heavy & {name.split(".")[0] for name in modules}


def test_a_full_disk_is_recorded_and_the_record_still_written(tmp_path):
    # A file size limit stands for the disk: writing past it fails in the same place.
    size = 20_000
    limited = (
        "import os,resource,sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    spec = write_spec(tmp_path, argv=["/usr/bin/head", "-c", "50000", "/dev/zero"], output_cap=10**6)
    done = subprocess.run([sys.executable, "-I", "-c", limited, *PROGRAM[1:], str(spec)], check=False)
    assert done.returncode == 0
    record = json.loads((tmp_path / "exit.json").read_text())
    assert record["exit_code"] == 0
    assert record["stdout"] == {
        "received": 50_000,
        "dropped": 50_000 - size,
        "cut_at": size,
        "error": "the spool could not be written: File too large",
    }
    assert (tmp_path / "out").stat().st_size == size

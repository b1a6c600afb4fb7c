"""What the tests of the core share: tickets in a state, and the settings module in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.factories import World
    from tickets.models import Ticket

ROOT = Path(__file__).resolve().parents[3]
Started = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def ticket(world: World) -> Callable[..., Ticket]:
    """``ticket("queued")`` makes a ticket of MC that is in that state."""
    from tests.portal.core.things import ticket_in

    return lambda state="open", **fields: ticket_in(world.mc, state, **fields)


# Forks for each line that it reads: what reads no setting is imported once, not for each of fifty processes.
FORKS = """
import json, os, sys, tempfile, traceback
import django.conf, django.contrib.auth.hashers, django.core.management, django.core.validators, django.db.models
for line in sys.stdin:
    asked = json.loads(line)
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.environ.clear()
        os.environ.update(asked["environment"])
        code = 0
        try:
            exec(compile(asked["code"], "<code>", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = []
    for file in (out, err):
        file.seek(0)
        said.append(file.read().decode())
        file.close()
    print(json.dumps([code, *said]), flush=True)
"""


@pytest.fixture(scope="session")
def forks() -> Iterator[subprocess.Popen[str]]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    argv = [sys.executable, "-c", FORKS]
    process = subprocess.Popen(
        argv, env=kept, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.fixture
def started(forks: subprocess.Popen[str], tmp_path: Path) -> Started:
    """``started(PORT="x")`` runs Django's setup in a process with these variables and none that bear on it."""

    def start(code: str = "import django; django.setup()", **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATA_DIR": str(tmp_path / "data"), **variables}
        assert forks.stdin and forks.stdout
        forks.stdin.write(json.dumps({"code": code, "environment": kept | environment}) + "\n")
        returned, out, err = json.loads(forks.stdout.readline())
        return subprocess.CompletedProcess([code], returned, out, err)

    return start

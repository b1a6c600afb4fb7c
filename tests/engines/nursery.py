"""Worker processes forked from one that has imported everything: a start then costs a tenth of the time.

``python -m tests.engines.nursery`` reads a JSON object a line, ``{"start":
{...}}`` or ``{"poll": pid}``, and answers each with one. Of what it forks each
runs Celery's own command line, in a session of its own. Settings are read once,
so all that come out of a nursery have the same environment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.engines import children

ROOT = Path(__file__).resolve().parent.parent.parent


class Forked:
    """A process of a nursery, as ``subprocess.Popen`` has it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery, self.pid = nursery, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.nursery.ask({"poll": self.pid})["code"]
        return self.returncode

    def send_signal(self, number: int) -> None:
        # Asked first: a pid that was reaped may be another's.
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            time.sleep(0.05)
        assert self.returncode is not None
        return self.returncode


class Nursery:
    """``start(argv)`` runs ``python -m celery ...``; ``modules`` are imported before the first one."""

    def __init__(self, environment: Mapping[str, str], log: Path, *modules: str) -> None:
        argv = [sys.executable, "-m", "tests.engines.nursery", *modules]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**environment},
                start_new_session=True,
                preexec_fn=children.tie(signal.SIGTERM),
            )
        self._lock = threading.Lock()

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the nursery ended with code {self.process.wait(5)}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def start(self, argv: Sequence[str], log: Path) -> Forked:
        """``argv`` as ``commands.worker`` gives it: the interpreter, ``-m celery``, and what celery is told."""
        assert list(argv[1:3]) == ["-m", "celery"]
        return Forked(self, self.ask({"start": list(argv[3:]), "log": str(log)})["pid"])

    def stop(self) -> None:
        """Those that it forked have to be stopped before; what still lives gets SIGTERM with its end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        children.end(self.process, seconds=5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def main(modules: list[str]) -> None:
    import importlib

    import django

    django.setup()
    from portal.celery import app

    app.finalize()
    app.loader.import_default_modules()
    for name in ("celery.__main__", "celery.bin.worker", "celery.apps.worker", "celery.concurrency.solo"):
        importlib.import_module(name)
    for name in ("kombu.transport.redis", "workers.consumer", *modules):
        importlib.import_module(name)
    codes: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {"pid": _fork(asked)} if "start" in asked else {"code": _code(codes, asked["poll"])}
        print(json.dumps(answer), flush=True)


def _code(codes: dict[int, int], pid: int) -> int | None:
    if pid not in codes:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == 0:
            return None
        codes[pid] = os.waitstatus_to_exitcode(status)
    return codes[pid]


def _fork(asked: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        children.tie(signal.SIGTERM)()
        if os.getppid() != parent:
            os._exit(1)
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, standard in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, standard)
        # Their backoffs would else be the same.
        random.seed()
        sys.argv = ["celery", *asked["start"]]
        from celery.__main__ import main as celery

        celery()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])

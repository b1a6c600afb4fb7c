"""One environment of the demo: two processes of one commit, and the proxy before them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from portal.site.demo.proxy import Backend, Proxy
from portal.site.launching.processes import Child, Program

PROCESSES: Final = 2
READY_SECONDS: Final = 15.0
DRAIN_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 2.0
REMEMBERED: Final = 20
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Say = Callable[[str], object]


class CannotRun(Exception):
    """The commit cannot run here; the message says why. What ran before runs on."""


class Process:
    """One process of the service. ``backend`` is where it listens."""

    def __init__(self, child: Child, port_file: Path) -> None:
        self.child = child
        self.port_file = port_file
        self.backend: Backend | None = None

    async def ready(self, seconds: float) -> Backend:
        """Wait until it answers. Raises ``CannotRun``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.ended() is not None:
                raise CannotRun(f"the process ended by itself (exit code {self.child.ended()})")
            if self.port_file.exists() and await _answers(port := int(self.port_file.read_text(encoding="ascii"))):
                self.backend = Backend(port)
                return self.backend
            await asyncio.sleep(0.05)
        raise CannotRun(f"the process did not answer within {seconds:g} s")

    async def stop(self) -> None:
        self.child.stop()
        deadline = time.monotonic() + GRACE_SECONDS + 1
        while self.child.ended() is None:
            if time.monotonic() > deadline:
                self.child.kill()
            await asyncio.sleep(0.02)
        self.port_file.unlink(missing_ok=True)


class Place:
    """``commit`` runs, empty where nothing does; ``before`` are those that ran before it, the newest last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = Path()
        self.port = 0
        self.commit = ""
        self.before: list[str] = []
        self._proxy = Proxy()
        self._running: list[Process] = []
        self._made = 0
        self._lock = asyncio.Lock()

    def told(self) -> dict[str, Any]:
        return {"commit": self.commit, "before": self.before, "folder": str(self.folder), "port": self.port}

    async def run(self, commit: str, folder: Path, port: int, say: Say) -> None:
        """Have the processes run ``commit`` of ``folder``, no request lost. Raises ``CannotRun``.

        All new ones answer before the first old one goes: a commit that does
        not start changes nothing.
        """
        async with self._lock:
            new = await self._start_all(commit, folder, say)
            try:
                await self._proxy.open(port)
            except OSError as problem:
                await _stop(new)
                raise CannotRun(f"port {port} cannot be listened on ({problem.strerror})") from None
            self.folder, self.port = folder, port
            old, self._running = self._running, new
            for n in range(max(len(old), len(new))):
                if n < len(new):
                    self._let_in(new[n])
                if n < len(old):
                    await self._take_out(old[n])
                    say(f"{self.name}: process {n + 1} of {PROCESSES} is {commit[:9]}, the old one has ended.")
            if self.commit and commit != self.commit:
                self.before = [*self.before, self.commit][-REMEMBERED:]
            self.commit = commit
            say(f"{self.name} runs {commit[:9]} behind http://127.0.0.1:{self.port}/")

    async def back(self, folder: Path, port: int, say: Say) -> None:
        """Run what ran before; the way back from there leads on to what ran before that. Raises ``CannotRun``."""
        known = self.before[:-1]
        await self.run(self.before[-1], folder, port, say)
        self.before = known

    async def look(self) -> None:
        """Replace a process that ended by itself."""
        if self._lock.locked():
            return
        async with self._lock:
            for n, process in enumerate(self._running):
                if process.child.ended() is None:
                    continue
                await self._take_out(process)
                with contextlib.suppress(CannotRun):
                    [self._running[n]] = await self._start_all(self.commit, self.folder, _nothing, count=1)
                    self._let_in(self._running[n])

    async def stop(self) -> None:
        async with self._lock:
            await self._proxy.close()
            await _stop(self._running)
            self._running = []

    def _let_in(self, process: Process) -> None:
        if process.backend is not None:
            self._proxy.backends.append(process.backend)

    async def _take_out(self, process: Process) -> None:
        if process.backend in self._proxy.backends:
            assert process.backend is not None
            await self._proxy.take_out(process.backend, DRAIN_SECONDS)
        await process.stop()

    async def _start_all(self, commit: str, folder: Path, say: Say, count: int = PROCESSES) -> list[Process]:
        """One after the other, each waited for. Raises ``CannotRun``; none is left then."""
        if not _COMMIT.fullmatch(commit) or not (folder / "releases" / commit).is_dir():
            raise CannotRun(f"{commit[:9] or 'no commit'} is not built in {folder}")
        started: list[Process] = []
        try:
            for _ in range(count):
                started.append(self._start(folder, commit))
                backend = await started[-1].ready(READY_SECONDS)
                say(f"{self.name}: a process of {commit[:9]} answers on port {backend.port}.")
        except BaseException:
            await _stop(started)
            raise
        return started

    def _start(self, folder: Path, commit: str) -> Process:
        self._made += 1
        port_file = folder / f"process-{os.getpid()}-{self._made}.port"
        port_file.unlink(missing_ok=True)
        # Nothing of ours but the paths: no setting, no secret, and not the folder we stand in.
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        environment |= {
            "PYTHONPATH": str(folder / "releases" / commit),
            "HARBOUR_DATABASE": str(folder / "harbour.sqlite3"),
        }
        argv = [sys.executable, "-P", "-s", "-B", "-m", "harbour", "--port-file", str(port_file)]
        child = Child(Program(f"{self.name} {self._made}", argv, environment, GRACE_SECONDS))
        child.start()
        return Process(child, port_file)


def _nothing(said: str) -> None:
    pass


async def _stop(processes: list[Process]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))


async def _answers(port: int) -> bool:
    """Whether a GET of /health is answered at all; what it says, the portal judges."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        return (await asyncio.wait_for(reader.read(64), 2)).startswith(b"HTTP/1.")
    except OSError:
        return False
    finally:
        writer.close()

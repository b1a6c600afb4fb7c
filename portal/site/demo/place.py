"""One environment on the demo's machine: two processes of one commit, and the proxy before them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from portal.site.demo import recipes
from portal.site.demo.proxy import Backend, Proxy, said
from portal.site.demo.recipes import Recipe
from portal.site.launching.processes import Child

PROCESSES: Final = 2
DRAIN_SECONDS: Final = 10.0
REMEMBERED: Final = 20
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Say = Callable[[str], object]


class CannotRun(Exception):
    """The commit cannot run here; the message says why. What ran before runs on."""


class Process:
    """One process of the service. ``backend`` is where it listens."""

    def __init__(self, child: Child, port_file: Path, recipe: Recipe) -> None:
        self.child = child
        self.port_file = port_file
        self.recipe = recipe
        self.backend: Backend | None = None

    async def ready(self) -> Backend:
        """Wait until it says so. Raises ``CannotRun``."""
        seconds = self.recipe.ready_seconds
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.ended() is not None:
                raise CannotRun(f"the process ended by itself (exit code {self.child.ended()})")
            if self.port_file.exists():
                port = int(self.port_file.read_text(encoding="ascii"))
                with contextlib.suppress(TimeoutError):
                    if (await said(port, self.recipe.asks) or b"").startswith(self.recipe.ready):
                        self.backend = Backend(port)
                        return self.backend
            await asyncio.sleep(0.05)
        raise CannotRun(f"the process was not ready within {seconds:g} s")

    async def stop(self) -> None:
        self.child.stop()
        deadline = time.monotonic() + self.recipe.grace_seconds + 1
        while self.child.ended() is None:
            if time.monotonic() > deadline:
                self.child.kill()
            await asyncio.sleep(0.02)
        self.port_file.unlink(missing_ok=True)


class Place:
    """``commit`` runs, empty where nothing does; ``before`` are those that ran before it, the newest last."""

    def __init__(self, name: str, runs: str = "harbour") -> None:
        """``runs`` names the recipe. Raises ``KeyError``."""
        self.name = name
        self.runs = runs
        self.recipe = recipes.named(runs)
        self.folder = Path()
        self.port = 0
        self.commit = ""
        self.before: list[str] = []
        self._proxy = Proxy(self.recipe.asks if self.recipe.drains else "")
        self._running: list[Process] = []
        self._made = 0
        self._lock = asyncio.Lock()

    def told(self) -> dict[str, Any]:
        here = {"commit": self.commit, "before": self.before, "folder": str(self.folder), "port": self.port}
        return {**here, "runs": self.runs}

    async def run(self, commit: str, folder: Path, port: int, say: Say) -> None:
        """Have the processes run ``commit`` of ``folder``, no request lost. Raises ``CannotRun``.

        All new ones answer before the first old one goes: a commit that does
        not start changes nothing.
        """
        async with self._lock:
            new = await self._start_all(commit, folder, port, say)
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
                    again = self._start_all(self.commit, self.folder, self.port, _nothing, count=1)
                    [self._running[n]] = await again
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
        if self.recipe.drains:
            # It says itself that it goes, and the proxy hears it: nobody takes it out by hand.
            await process.stop()
        if process.backend in self._proxy.backends:
            assert process.backend is not None
            await self._proxy.take_out(process.backend, 0 if self.recipe.drains else DRAIN_SECONDS)
        await process.stop()

    async def _start_all(self, commit: str, folder: Path, port: int, say: Say, count: int = PROCESSES) -> list[Process]:
        """One after the other, each waited for. Raises ``CannotRun``; none is left then."""
        check_built(commit, folder)
        started: list[Process] = []
        try:
            for _ in range(count):
                started.append(self._start(folder, commit, port))
                backend = await started[-1].ready()
                say(f"{self.name}: a process of {commit[:9]} is ready on port {backend.port}.")
        except BaseException:
            await _stop(started)
            raise
        return started

    def _start(self, folder: Path, commit: str, door: int) -> Process:
        self._made += 1
        port_file = folder / f"process-{os.getpid()}-{self._made}.port"
        port_file.unlink(missing_ok=True)
        known = recipes.known(folder, commit, door) | {"PORT_FILE": str(port_file)}
        if any("{PORT}" in value for value in self.recipe.environment.values()):
            known["PORT"] = str(free_port())
            port_file.write_text(known["PORT"], encoding="ascii")
        name, argv = f"{self.name} {self._made}", self.recipe.argv(known)
        child = Child(self.recipe.program(name, argv, known))
        child.start()
        return Process(child, port_file, self.recipe)


def check_built(commit: str, folder: Path) -> None:
    """Raises ``CannotRun``."""
    if not _COMMIT.fullmatch(commit) or not (folder / "releases" / commit).is_dir():
        raise CannotRun(f"{commit[:9] or 'no commit'} is not built in {folder}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        found: int = listener.getsockname()[1]
        return found


def _nothing(said: str) -> None:
    pass


async def _stop(processes: list[Process]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))

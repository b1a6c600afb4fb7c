"""The portal's own processes: started as the product does, broken by the soak, and started again when they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.site.launching import commands
from tests.engines import leaks
from tests.engines.nursery import Nursery
from tests.engines.stack import MARK, Stack
from tests.soak import agent
from tests.soak.history import History
from workers.supervision.supervisor import MARKER_VARIABLE

KINDS = "tests.soak.kinds"


@dataclass(slots=True)
class Member:
    """A place in the fleet, and the process that has it now."""

    name: str
    role: str
    process: Any = None
    stopped: bool = False
    began: float = 0.0
    log: Path = field(default_factory=Path)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Fleet:
    """``tend`` starts again whatever has ended; a thread of its own calls it until ``stop``."""

    def __init__(self, stack: Stack, history: History, workers: dict[str, int], *, beats: int, web: bool) -> None:
        self.stack, self.history = stack, history
        places = [(f"{pool}{n}", pool) for pool, most in workers.items() for n in range(1, most + 1)]
        places += [(f"beat{n}", "beat") for n in range(1, beats + 1)] + ([("web", "web")] if web else [])
        self.members = [Member(name, role) for name, role in places]
        self.restarts = 0
        # Read once: it looks at settings that other threads use.
        self._web = stack.web_argv() if web else []
        self._nursery = Nursery(stack.environment, stack.folder / "nursery.log", KINDS)
        self._lock = threading.RLock()
        self._resting = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fleet", daemon=True)

    def start(self) -> None:
        self.tend()
        self._thread.start()

    def tend(self) -> None:
        with self._lock:
            for member in self.members:
                if not member.alive and not self._resting.is_set():
                    self._begin(member)

    def of(self, role: str) -> list[Member]:
        """Those that live; ``worker`` names those of every pool."""
        with self._lock:
            roles = set(commands.POOLS) if role == "worker" else {role}
            return [member for member in self.members if member.role in roles and member.alive]

    def signal(self, member: Member, number: int) -> int | None:
        """Its pid, or None where it has ended by itself meanwhile."""
        with self._lock:
            if not member.alive:
                return None
            pid: int = member.process.pid
            member.process.send_signal(number)
            member.stopped = number == signal.SIGSTOP
            return pid

    def heal(self) -> None:
        """Whatever stands still goes on."""
        for member in self.members:
            if member.stopped:
                self.signal(member, signal.SIGCONT)

    def stop(self) -> None:
        """All end by SIGTERM, and by SIGKILL where that takes too long."""
        self._resting.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self.heal()
        living = [member for member in self.members if member.alive]
        for member in living:
            member.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        for member in living:
            with contextlib.suppress(Exception):
                member.process.wait(max(0.1, until - time.monotonic()))
            if member.alive:
                self.history.write("would_not_end", name=member.name)
                member.process.send_signal(signal.SIGKILL)
                member.process.wait(10)
        self._nursery.stop()

    def orphans(self, seconds: float = 10) -> dict[int, str]:
        """What still carries the mark of this stack, or of an attempt of this installation."""
        until = time.monotonic() + seconds
        while True:
            found = leaks.carrying(MARK, self.stack.environment[MARK]) | _of_attempts()
            found.pop(os.getpid(), None)
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def _watch(self) -> None:
        while not self._resting.wait(0.2):
            self.tend()

    def _begin(self, member: Member) -> None:
        if member.process is not None:
            self.restarts += 1
            self.history.write("ended", name=member.name, code=member.process.poll())
        member.log = self.stack.folder / f"{member.name}.log"
        environment = self.stack.environment
        if member.role in commands.POOLS:
            argv = [*commands.worker(member.role, int(member.name[len(member.role) :])), "--include", KINDS]
            member.process = self._nursery.start(argv, member.log)
        elif member.role == "beat":
            member.process = self.stack.spawn(member.log, commands.beat(), environment)
        else:
            member.process = self.stack.spawn(member.log, self._web, self.stack.web_environment())
        member.stopped, member.began = False, time.monotonic()
        self.history.write("started", name=member.name, process=member.process.pid)


def agents(*, long: bool = False) -> list[int]:
    """Living agents, by their marker; not their supervisors. ``long``: those that are at work past a lease."""
    end = f" {agent.LONG}" if long else ""
    return sorted(pid for pid, said in _of_attempts().items() if "soak/agent.py" in said and said.endswith(end))


def _of_attempts() -> dict[int, str]:
    """Every process that an attempt's marker of this installation is on."""
    from workers import children

    wanted = f"{MARKER_VARIABLE}={children._marker(0).removesuffix('0')}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            marked = any(line.startswith(wanted) for line in (entry / "environ").read_bytes().split(b"\0"))
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if marked and command:
                found[int(entry.name)] = command
    return found

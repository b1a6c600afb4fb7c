"""What is done to the portal: each kind of fault, and the failpoints, in an order that the seed decides."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from portal.core.failpoints import Failpoint
from tests.soak import fleet
from tests.soak.fleet import Fleet, Member
from tests.soak.history import History
from tests.soak.servers import Database, Store

# Of the failpoints: so that not every worker dies every few seconds, all the time.
ROUND_SECONDS = 150


class Faults:
    """``one(kind)`` does it and returns when its cause is over; ``counted`` says how often each really happened."""

    def __init__(
        self, fleet: Fleet, store: Store, database: Database | None, history: History, seed: int, *, lease: float
    ) -> None:
        self.fleet, self.store, self.database = fleet, store, database
        self.history, self.chance, self.lease = History(history.path, "faults"), random.Random(seed), lease
        self.counted: Counter[str] = Counter()
        self.kinds: dict[str, Callable[[], bool]] = {
            "web killed": lambda: self._signal("web", signal.SIGKILL),
            "web told to end": lambda: self._signal("web", signal.SIGTERM),
            "web stopped": lambda: self._stop("web", self.chance.uniform(1, 4)),
            "worker killed": lambda: self._signal("worker", signal.SIGKILL),
            "worker told to end": lambda: self._signal("worker", signal.SIGTERM),
            "worker quit": lambda: self._signal("worker", signal.SIGQUIT),
            "worker stopped past its lease": lambda: self._stop("worker", self.lease + 2),
            "worker stopped while its agent works": self._stop_over_agent,
            "agent killed": self._kill_agent,
            "beat killed": lambda: self._signal("beat", signal.SIGKILL),
            "beat stopped": lambda: self._stop("beat", self.chance.uniform(2, 4)),
            "store killed": self._kill_store,
            "store stopped": self._stop_store,
            "store flushed": self._flush_store,
        }
        if database is not None:
            self.kinds["database restarted at once"] = self._restart_database
            self.kinds["database sessions ended"] = self._end_sessions

    def one(self, kind: str) -> bool:
        """Whether there was something to break."""
        if not self.kinds[kind]():
            return False
        self.counted[kind] += 1
        return True

    def _signal(self, role: str, number: int) -> bool:
        living = self.fleet.of(role)
        if not living:
            return False
        member = self.chance.choice(living)
        pid = self.fleet.signal(member, number)
        if pid is None:
            return False
        self.history.write("fault", kind=signal.Signals(number).name, name=member.name, struck=pid)
        return True

    def _stop(self, role: str, seconds: float) -> bool:
        living = self.fleet.of(role)
        return bool(living) and self._stop_one(self.chance.choice(living), seconds)

    def _stop_over_agent(self) -> bool:
        """The agent goes on without its worker; when its lease is over, another may begin."""
        for pid in self._agents(15, long=True):
            owner = _parent(_parent(pid))
            for member in self.fleet.of("turns"):
                if member.process.pid == owner:
                    return self._stop_one(member, self.lease + 3)
        return False

    def _stop_one(self, member: Member, seconds: float) -> bool:
        pid = self.fleet.signal(member, signal.SIGSTOP)
        if pid is None:
            return False
        self.history.write("fault", kind="SIGSTOP", name=member.name, struck=pid, seconds=seconds)
        time.sleep(seconds)
        self.fleet.signal(member, signal.SIGCONT)
        self.history.write("healed", kind="SIGCONT", name=member.name, struck=pid)
        return True

    def _kill_agent(self) -> bool:
        for pid in self._agents(8, long=False):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.history.write("fault", kind="SIGKILL", name="agent", struck=pid)
                return True
        return False

    def _agents(self, seconds: float, *, long: bool) -> Iterator[int]:
        """Living agents, as they are found, for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            yield from fleet.agents(long=long)
            time.sleep(0.1)

    def _kill_store(self) -> bool:
        self.history.write("fault", kind="store killed", name="store")
        self.store.kill()
        time.sleep(self.chance.uniform(0.5, 3))
        self.store.start()
        self.history.write("healed", kind="store killed", name="store")
        return True

    def _stop_store(self) -> bool:
        self.history.write("fault", kind="store stopped", name="store")
        self.store.signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(2, 5))
        self.store.signal(signal.SIGCONT)
        self.history.write("healed", kind="store stopped", name="store")
        return True

    def _flush_store(self) -> bool:
        self.history.write("fault", kind="store flushed", name="store")
        self.store.flush()
        self.history.write("healed", kind="store flushed", name="store")
        return True

    def _restart_database(self) -> bool:
        assert self.database is not None
        self.history.write("fault", kind="database restarted", name="database")
        self.database.restart_at_once()
        self.history.write("healed", kind="database restarted", name="database")
        return True

    def _end_sessions(self) -> bool:
        assert self.database is not None
        self.history.write("fault", kind="sessions ended", name="database")
        ended = self.database.end_sessions()
        self.history.write("healed", kind="sessions ended", name="database", sessions=ended)
        return ended > 0


class Points:
    """The failpoints of a run: armed a few at a time, each until somebody has reached it."""

    def __init__(self, folder: Path, seed: int, *, at_once: int) -> None:
        self.folder, self.at_once = folder, at_once
        folder.mkdir(mode=0o700, exist_ok=True)
        self._chance = random.Random(seed)
        self._waiting = self._chance.sample(list(Failpoint), len(Failpoint))
        self._round_began = time.monotonic()

    def arm(self) -> None:
        """As many as may be armed at once; the rest follow when some are reached."""
        while self._waiting and len(self.armed()) < self.at_once:
            (self.folder / self._waiting.pop().file_name).write_text("kill", encoding="ascii")

    def arm_again(self) -> None:
        """Another round of all, some time after the last one began, once that is over."""
        if not self._waiting and not self.armed() and time.monotonic() - self._round_began > ROUND_SECONDS:
            self._waiting = self._chance.sample(list(Failpoint), len(Failpoint))
            self._round_began = time.monotonic()

    def armed(self) -> list[Failpoint]:
        return [point for point in Failpoint if (self.folder / point.file_name).exists()]

    def reached(self) -> dict[Failpoint, list[int]]:
        """By point: the processes that it ended."""
        return {point: [int(path.suffix[1:]) for path in self._taken(point)] for point in Failpoint}

    def at(self, point: Failpoint) -> list[tuple[float, int]]:
        """When each was, and which process."""
        return [(path.stat().st_mtime, int(path.suffix[1:])) for path in self._taken(point)]

    @property
    def left(self) -> list[Failpoint]:
        return [point for point, processes in self.reached().items() if not processes]

    def disarm(self) -> None:
        self._waiting.clear()
        for point in self.armed():
            (self.folder / point.file_name).unlink(missing_ok=True)

    def _taken(self, point: Failpoint) -> list[Path]:
        return sorted(self.folder.glob(f"{point.file_name}.*"))


def _parent(pid: int) -> int:
    """0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def order(kinds: list[str], seed: int, rounds: int) -> list[str]:
    """Each kind once in every round, in another order each time."""
    chance = random.Random(seed)
    found: list[str] = []
    for _ in range(rounds):
        found += chance.sample(kinds, len(kinds))
    return found

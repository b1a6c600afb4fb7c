"""``manage.py up``: starts the processes in order, watches them, stops them in reverse.

One thread that waits on sockets: each child's keeper holds one, and signals
arrive on another. No child outlives this process, however it ends: see
``keeper``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

from django.conf import settings

from portal.site.launching import doors, first_admin, plan
from portal.site.launching.lock import Held, Lock
from portal.site.launching.processes import Child, Program

READY_SECONDS = 90.0
STARTS_TRIED = 5


class Interrupted(Exception):
    """SIGTERM, SIGINT or SIGHUP asked for the end."""


class Ended(Exception):
    """The installation cannot run on; the message says why, if nobody else has."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def run() -> int:
    """Run until told to stop. Returns the exit code; 2 for a setting that cannot hold."""
    try:
        doors.check_free(settings.HOST, settings.PORT)
        with _lock(), _signals() as wake:
            return Supervisor(wake).run()
    except doors.Refused as refusal:
        _complain(str(refusal))
        return 2


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    lock = Lock(settings.DATA_DIR / "run" / "up.lock")
    try:
        lock.path.parent.mkdir(mode=0o700, exist_ok=True)
        lock.take()
    except Held as held:
        raise doors.Refused(
            "DATA_DIR", f"{settings.DATA_DIR} is already served by process {held.pid or '(unknown)'}."
        ) from None
    except OSError as error:
        raise doors.Refused("DATA_DIR", f"{lock.path} cannot be written ({error.strerror}).") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that is readable once a signal has asked for the end."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    os.set_blocking(wake, False)
    before = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(write)


class Supervisor:
    def __init__(self, wake: int) -> None:
        self.wake = wake
        self.children: list[Child] = []
        self.restarts: dict[Child, float] = {}
        self.steady: set[Child] = set()

    def run(self) -> int:
        try:
            self._start()
            _say(f"Shiproom is at {settings.BASE_URL}")
            _say_first_admin()
            for program in plan.background():
                self._launch(program)
            while True:
                self._turn(None)
        except Interrupted:
            _say("Stopping.")
            return 0
        except Ended as end:
            if str(end):
                _complain(str(end))
            return end.code
        finally:
            self._stop_all()

    def _start(self) -> None:
        store = plan.store()
        if store is not None:
            self._await(self._launch(store))
        self._finish(plan.preparation())
        if settings.DEMO:
            self._finish(plan.demo())
        self._await(self._launch(plan.web()))

    def _launch(self, program: Program) -> Child:
        child = Child(program)
        self.children.append(child)
        child.start()
        return child

    def _await(self, child: Child) -> None:
        """Return when the child is ready."""
        deadline = time.monotonic() + READY_SECONDS
        while not (child.watched and child.program.ready()):
            if time.monotonic() > deadline:
                raise Ended(1, f"{child.name} was not ready within {READY_SECONDS:g} s.")
            self._turn(0.1)
        self.steady.add(child)

    def _finish(self, program: Program) -> None:
        """Run a program to its end; a code other than 0 is the end of everything."""
        child = self._launch(program)
        while (code := child.ended()) is None:
            self._turn(None, restart=False)
        self.children.remove(child)
        if code in child.program.final:
            raise Ended(code)
        if code:
            raise Ended(1, f"{child.name} failed ({_ending(code)}); see above.")

    def _turn(self, seconds: float | None, *, restart: bool = True) -> None:
        """Wait for whatever comes first: a signal, a child's word or end, a start that is due."""
        now = time.monotonic()
        waits = [due - now for due in self.restarts.values()] + ([seconds] if seconds is not None else [])
        watched: list[int | Child] = [self.wake, *(child for child in self.children if child.watched)]
        readable, _, _ = select.select(watched, [], [], max(0.0, min(waits)) if waits else None)
        if self.wake in readable:
            os.read(self.wake, 512)
            raise Interrupted
        for child in (found for found in readable if isinstance(found, Child)):
            child.hear()
            if restart and (code := child.ended()) is not None:
                self._died(child, code)
        for child in [child for child, due in self.restarts.items() if due <= time.monotonic()]:
            del self.restarts[child]
            child.start()

    def _died(self, child: Child, code: int) -> None:
        if code in child.program.final:
            raise Ended(code, f"{child.name} refused to run ({_ending(code)}, see above): everything is stopped.")
        delay = child.delay()
        if child not in self.steady and child.failures >= STARTS_TRIED:
            raise Ended(1, f"{child.name} ended {child.failures} times while starting ({_ending(code)}).")
        _complain(f"{child.name} ended ({_ending(code)}); starting it again in {delay:g} s.")
        self.restarts[child] = time.monotonic() + delay

    def _stop_all(self) -> None:
        """In reverse order; the store last, because the others say goodbye through it."""
        stores = [child for child in self.children if child.name == "valkey"]
        others = [child for child in self.children if child not in stores]
        for group in (others, stores):
            for child in reversed(group):
                child.stop()
            self._see_off(group)

    def _see_off(self, group: list[Child]) -> None:
        deadline = time.monotonic() + max((child.program.grace for child in group), default=0) + 3
        while left := [child for child in group if child.watched and child.ended() is None]:
            wait = deadline - time.monotonic()
            watched: list[int | Child] = [self.wake, *left]
            readable, _, _ = select.select(watched, [], [], max(0.0, wait))
            if self.wake in readable or wait <= 0:
                # A second Ctrl-C, or a keeper that does not keep its word.
                for child in left:
                    child.kill()


def _ending(code: int) -> str:
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"


def _say_first_admin() -> None:
    path = first_admin.link_file()
    if not path.is_file():
        return
    _say(f"The first admin's set-password link is in {path}")
    if sys.stdout.isatty():
        _say(path.read_text(encoding="utf-8").splitlines()[-1])


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(f"shiproom: {sentence}", file=sys.stderr, flush=True)

"""The demo's host: ``python -m portal.site.demo.host SOCKET STATE LOCK``, a child of ``manage.py up``.

It runs the service's processes, two in each environment, and the proxy before
them, because a deployment's step can leave nothing running behind it: the
step asks the host instead, over a socket. The host is a machine in small:
what ran when it stopped runs again when it starts, and no process outlives it.

A request is one line of JSON, the answer a line for each thing done and a
last one for how it ended. ``do`` is run, back, probe, once or clear; ``runs``
names the recipe of an environment that is not there yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from portal.site.demo import recipes, running
from portal.site.demo.place import CannotRun, Place
from portal.site.launching.lock import Held, Lock

LOOK_SECONDS: Final = 1.0
# An earlier host whose starter was killed needs some seconds to end.
LOCK_SECONDS: Final = 20.0


class Host:
    """``state`` is the file that says what runs where."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.places: dict[str, Place] = {}

    async def begin(self) -> None:
        """Run what ran before. What cannot run any more is said and left."""
        for name, known in self._read().items():
            try:
                place = self._place(name, known.get("runs", "harbour"))
                await place.run(known["commit"], Path(known["folder"]), known["port"], _tell)
                place.before = list(known["before"])
            except (CannotRun, KeyError, TypeError) as problem:
                print(f"demo: {name} is not served: {problem}", file=sys.stderr, flush=True)

    async def end(self) -> None:
        for place in self.places.values():
            await place.stop()

    async def look(self) -> None:
        """Start again what ended by itself, for as long as the host lives."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for place in list(self.places.values()):
                await place.look()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(json.dumps({"said": text}).encode() + b"\n")

        try:
            well = await self._do(json.loads(await reader.readline()), say)
        except (CannotRun, KeyError, TypeError, ValueError) as problem:
            say(str(problem) or type(problem).__name__)
            well = False
        with contextlib.suppress(OSError):
            writer.write(json.dumps({"ended": "well" if well else "badly"}).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, asked: dict[str, Any], say: Any) -> bool:
        if asked["do"] == "clear":
            await self.end()
            self.places.clear()
            self.state.unlink(missing_ok=True)
            return True
        place = self._place(str(asked["environment"]), str(asked.get("runs", "harbour")))
        commit = str(asked["commit"])
        if asked["do"] == "probe":
            return place.commit == commit
        if asked["do"] == "back" and (place.commit != commit or not place.before):
            say(f"{commit[:9]} does not run here, or nothing ran before it.")
            return True
        folder, port = Path(str(asked["folder"])), int(asked["port"])
        if asked["do"] == "once":
            arguments = [str(argument) for argument in asked["arguments"]]
            return await running.once(place.recipe, arguments, recipes.known(folder, commit, port), say)
        if asked["do"] == "back":
            await place.back(folder, port, say)
        else:
            await place.run(commit, folder, port, say)
        self._write()
        return True

    def _place(self, name: str, runs: str) -> Place:
        return self.places.setdefault(name, Place(name, runs))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self) -> None:
        live = self._read() | {name: place.told() for name, place in self.places.items() if place.commit}
        draft = self.state.with_suffix(".draft")
        draft.write_text(json.dumps(live, indent=1), encoding="utf-8")
        draft.replace(self.state)


def _tell(text: str) -> None:
    print(f"demo: {text}", flush=True)


async def serve(socket: Path, state: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    host = Host(state)
    async with _listening(host, socket):
        looking = asyncio.create_task(host.look())
        try:
            await told.wait()
        finally:
            looking.cancel()
            await host.end()


@contextlib.asynccontextmanager
async def _listening(host: Host, socket: Path) -> AsyncIterator[None]:
    # The lock is ours, so whoever left this one behind is gone.
    socket.unlink(missing_ok=True)
    await host.begin()
    server = await asyncio.start_unix_server(host.answer, socket)
    socket.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        socket.unlink(missing_ok=True)


def take(lock: Lock) -> None:
    """Raises ``Held`` where another host has it for longer than one takes to end."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return lock.take()
        except Held:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main(argv: list[str]) -> int:
    socket, state, lock = (Path(argument) for argument in argv[1:4])
    try:
        take(Lock(lock))
    except Held as held:
        print(f"demo: process {held.pid} serves this folder already.", file=sys.stderr)
        return 1
    asyncio.run(serve(socket, state))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

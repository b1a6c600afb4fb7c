"""Running a command of a commit to its end on the demo's machine, and saying what it says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from portal.site.demo.recipes import Recipe
from portal.site.launching.processes import Child

LINE_BYTES: Final = 65_536
GRACE_SECONDS: Final = 10.0


async def once(recipe: Recipe, arguments: list[str], known: dict[str, str], say: Callable[[str], object]) -> bool:
    """Whether it ended with 0. It does not outlive the host, as nothing does."""
    argv = recipe.once_argv(arguments, known)
    if argv is None:
        say(f"Not for this machine to run: {' '.join(arguments)[:60]}. It runs: {', '.join(recipe.once) or 'nothing'}.")
        return False
    # Nothing listens there; a setting has to be a number all the same.
    program = recipe.program(" ".join(arguments), argv, {**known, "PORT": known["DOOR"]})
    child = Child(replace(program, grace=GRACE_SECONDS))
    ours, theirs = os.pipe()
    try:
        child.start(output=theirs)
    finally:
        os.close(theirs)
    try:
        await _repeat(ours, say)
        while (code := child.ended()) is None:
            await asyncio.sleep(0.02)
    finally:
        if child.ended() is None:
            child.kill()
    if code:
        say(f"{arguments[0]} ended with code {code}.")
    return code == 0


async def _repeat(descriptor: int, say: Callable[[str], object]) -> None:
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        while piece := await reader.read(LINE_BYTES):
            for line in piece.decode("utf-8", "replace").splitlines():
                say(line)
    finally:
        transport.close()

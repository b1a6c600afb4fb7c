"""Processes that a test has left behind, found by a variable of their environment."""

from __future__ import annotations

import time
from pathlib import Path


def carrying(variable: str, value: str) -> dict[int, str]:
    """Living processes with ``variable=value``: pid to command line. Zombies are not living."""
    wanted = f"{variable}={value}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marked = wanted in (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        # A program that writes itself a title may overwrite its environment.
        if command and (marked or value in command):
            found[int(entry.name)] = command
    return found


def expect_none(variable: str, value: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while left := carrying(variable, value):
        if time.monotonic() > deadline:
            raise AssertionError(f"processes were left behind: {left}")
        time.sleep(0.05)

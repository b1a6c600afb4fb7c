"""Which version of its program an agent runs with, as the program says itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from portal.core.redaction import redact
from portal.core.storable import storable
from workers import children
from workers.agents import programs
from workers.agents.adapters import ADAPTERS
from workers.children import Command
from workers.claims import Claim
from workers.failures import JobFailed
from workers.models import AgentVersion

SECONDS: Final = 10
LINE_CHARS: Final = 120
_OUTPUT_BYTES: Final = 4096
_MOST_KEPT: Final = 200

# What a program of this path, time and size said; a program that is exchanged is asked again.
_known: dict[tuple[object, ...], str] = {}


def argv(version: AgentVersion) -> tuple[str, ...]:
    """The command that prints it: the profile's own, or the adapter's; empty where there is none."""
    if version.version_command:
        return tuple(version.version_command)
    launch = ADAPTERS[version.adapter].launch if version.adapter in ADAPTERS else None
    if launch is None or not launch.command:
        return ()
    return (version.command[0], *launch.version)


def ask(claim: Claim, command: Command, asked: tuple[str, ...], program: str) -> str:
    """The first line that it prints; empty where it does not say. Asked once for each program and process.

    ``command`` is that of the run, with ``asked`` in its containment. Raises
    ``LeaseLost``, ``Cancelled`` or ``Interrupted``.
    """
    key = _key(program, command, asked)
    if key is not None and key in _known:
        return _known[key]
    try:
        result = children.run(
            claim,
            replace(
                command,
                argv=asked,
                stdin="",
                open_stdin=False,
                wall_seconds=SECONDS,
                silence_seconds=None,
                output_bytes=_OUTPUT_BYTES,
            ),
            name="version",
            stored=False,
        )
    except JobFailed:
        # It is the run itself that fails then, and says why.
        return ""
    said = _first_line(result.stdout) if result.record.exit_code == 0 else ""
    result.forget()
    if key is not None and len(_known) < _MOST_KEPT:
        _known[key] = said
    return said


def _key(program: str, command: Command, asked: tuple[str, ...]) -> tuple[object, ...] | None:
    file = programs.found(program, command.env.get("PATH", ""))
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return (str(file), found.st_mtime_ns, found.st_size, asked[-1])


def _first_line(spool: Path) -> str:
    try:
        text = spool.read_bytes()[:_OUTPUT_BYTES].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return storable(redact(" ".join(part for part in line.split() if part.isprintable())))[:LINE_CHARS]

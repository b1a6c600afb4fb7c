"""How a commit is run on the demo's machine: a command, and how one tells that its process is ready."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.site.launching.processes import Program


@dataclass(frozen=True, slots=True)
class Recipe:
    """``{RELEASE}`` is the folder of a commit's files, ``{FOLDER}`` the environment's, ``{DOOR}`` the proxy's port.

    The process listens where it likes and writes that to ``{PORT_FILE}``, or where it is told: ``{PORT}``.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    # the address that says whether it is ready, and how such an answer begins
    asks: str
    ready: bytes
    ready_seconds: float
    # from SIGTERM until it is killed
    grace_seconds: float
    # the machine's own environment, settings and all; else nothing but paths
    inherits: bool = False
    # the proxy asks each process by itself, and gives nothing to one that says no: so it is told to end, and drains
    drains: bool = False
    # what may be run once, to its end, with the files of a commit; its first word
    once: tuple[str, ...] = ()
    once_command: tuple[str, ...] = ()

    def argv(self, known: dict[str, str]) -> list[str]:
        return [_filled(argument, known) for argument in self.command]

    def once_argv(self, arguments: list[str], known: dict[str, str]) -> list[str] | None:
        """None where that is not for this recipe to run."""
        if not arguments or arguments[0] not in self.once:
            return None
        return [*(_filled(argument, known) for argument in self.once_command), *arguments]

    def program(self, name: str, argv: list[str], known: dict[str, str]) -> Program:
        """It runs in the files of its commit: Celery imports from the folder it stands in before any other."""
        return Program(name, argv, self._given(known), self.grace_seconds, folder=Path(known["RELEASE"]))

    def _given(self, known: dict[str, str]) -> dict[str, str]:
        names = tuple(os.environ) if self.inherits else ("PATH", "LANG", "TZ")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return kept | {name: _filled(value, known) for name, value in self.environment.items()}


def _filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def known(folder: Path, commit: str, door: int) -> dict[str, str]:
    return {"RELEASE": str(folder / "releases" / commit), "FOLDER": str(folder), "DOOR": str(door)}


HARBOUR: Final = Recipe(
    # Not the folder we stand in.
    command=(sys.executable, "-P", "-s", "-B", "-m", "harbour", "--port-file", "{PORT_FILE}"),
    environment={"PYTHONPATH": "{RELEASE}", "HARBOUR_DATABASE": "{FOLDER}/harbour.sqlite3"},
    asks="/health",
    # What it says, the portal judges.
    ready=b"HTTP/1.",
    ready_seconds=15.0,
    grace_seconds=2.0,
)


def portal() -> Recipe:
    """A web process of Shiproom, as ``manage.py serve web`` is one everywhere."""
    drain = os.environ.get("WEB_DRAIN_SECONDS", "3")
    return Recipe(
        command=(sys.executable, "{RELEASE}/manage.py", "serve", "web"),
        environment={
            "HOST": "127.0.0.1",
            "PORT": "{PORT}",
            "BASE_URL": "http://localhost:{DOOR}",
            "WEB_DRAIN_SECONDS": drain,
        },
        asks="/readyz",
        ready=b"HTTP/1.1 200",
        ready_seconds=90.0,
        grace_seconds=float(drain) + float(os.environ.get("GRACEFUL_STOP_SECONDS", "20")),
        inherits=True,
        drains=True,
        once=("backup", "prepare", "rehearse_migrations"),
        once_command=(sys.executable, "{RELEASE}/manage.py"),
    )


def named(name: str) -> Recipe:
    """Raises ``KeyError``."""
    return {"harbour": lambda: HARBOUR, "portal": portal}[name]()

"""Management commands stand behind the guard: deny by default.

``manage.py`` calls ``guard_command`` itself. For every other way to a command
line (``django-admin``, ``python -m django``, a script of one's own) ``install``
puts it in front of ``BaseCommand.run_from_argv``, through which each of them
goes. ``call_command`` inside a process that already runs is no entrance.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import django
from django.core.management import BaseCommand, get_commands

from portal.core.guard.entrances import stand_guard

# They read only, write no database of ours, or must run on a wrong schema.
EXEMPT: Final = frozenset(
    {
        "help",
        "version",
        "--help",
        "-h",
        "--version",
        "backup",  # reads, also what is about to be migrated or is drifted
        "check",
        "collectstatic",
        "dbshell",  # where drift is mended
        "diffsettings",
        "findstatic",
        "healthy",
        "inspectdb",
        "makemigrations",
        "migrate",
        "optimizemigration",
        "parse_review",
        "prepare",  # migrates
        "rehearse_migrations",  # reads what is about to be migrated; writes its own row at most
        "replay_stream",
        "restore",  # goes where no schema is yet
        "schema_guard",
        "serve",  # becomes web, worker or beat, which stand behind the guard themselves
        "showmigrations",
        "sqlflush",
        "sqlmigrate",
        "sqlsequencereset",
        "squashmigrations",
        "startapp",
        "startproject",
        "state_diagrams",
        "test",
        "up",  # runs prepare, then starts processes that stand behind the guard
    }
)
_passed: set[str] = set()


def guard_command(argv: Sequence[str]) -> None:
    """Stand guard before the command that ``argv`` names; at most once per command and process.

    Raises SystemExit as ``stand_guard`` does. Commands in ``EXEMPT``, no
    command, one that is asked for nothing but its help, and commands that do
    not exist pass.
    """
    name = argv[1] if len(argv) > 1 else "help"
    if name in EXEMPT or name in _passed or argv[2:] in (["--help"], ["-h"]):
        return
    django.setup()
    if name not in get_commands():
        return
    stand_guard(f"command {name}")
    _passed.add(name)


def install() -> None:
    """Put the guard in front of every command line that did not come through ``manage.py``."""
    original = BaseCommand.run_from_argv
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def guarded(self: BaseCommand, argv: list[str]) -> Any:
        guard_command(argv)
        return original(self, argv)

    BaseCommand.run_from_argv = guarded  # type: ignore[method-assign]

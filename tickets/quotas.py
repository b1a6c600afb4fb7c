"""How much of the disk a ticket has: its worktree, what was set aside of it, its agents' homes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from portal.core import limits
from tickets.models import Ticket


def over(ticket: Ticket) -> str:
    """Why a person is to look where it has more than WORKSPACE_MAX_BYTES; empty where it has not."""
    most = limits.value("WORKSPACE_MAX_BYTES")
    used = 0
    for place in _places(ticket):
        used += sum(_sizes(place))
        if used > most:
            return (
                f"{ticket.key} has more than {most:,} bytes in its worktree and its agents' homes. Its work is kept. To"
                " lift: remove files there that nobody needs, or raise WORKSPACE_MAX_BYTES."
            )
    return ""


def _places(ticket: Ticket) -> Iterator[Path]:
    data: Path = settings.DATA_DIR
    yield data / "workspaces" / ticket.key
    yield from (data / "workspaces").glob(f"{ticket.key}.set-aside-*")
    yield data / "homes" / ticket.key


def _sizes(place: Path) -> Iterator[int]:
    """What each file takes on the disk; no link is followed, and what cannot be read counts for nothing."""
    for folder, _, files in os.walk(place):
        for name in files:
            try:
                yield os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue

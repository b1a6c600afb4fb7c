"""What tickets that are done left on this machine: their worktrees, what was set aside of them, their agents' homes.

The branch stays in the clone, and the row with its host: a ticket that is
reopened is worked on where it was, in a worktree that is made anew.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from portal.core import clock, limits
from portal.core.lifecycle import Gone
from tickets import clones, git, locks
from tickets.models import Ticket, TicketState
from workers.claims import Claim
from workers.models import LIVE_STATES, Job

# A folder that has this name is only waiting to be deleted.
_GONE: Final = ".gone-"
_ASIDE: Final = ".set-aside-"
_ASKED_AT_ONCE: Final = 500


def clear_workspaces(claim: Claim) -> int:
    """Remove what tickets left here that have been done for WORKSPACE_KEEP_DAYS; returns how many.

    Raises ``LeaseLost``. Uncommitted files in them go, too. Whoever is killed in it leaves folders
    that the next run deletes.
    """
    cleared = 0
    try:
        for ticket in _done():
            cleared += _set_away(claim, ticket)
    finally:
        for folder in _folders():
            for path in folder.glob(f"{_GONE}*"):
                _delete(path)
    return cleared


def _folders() -> tuple[Path, Path]:
    data: Path = settings.DATA_DIR
    return data / "workspaces", data / "homes"


def _done() -> Iterator[Ticket]:
    """The tickets of which something lies here, and that nobody has touched for long."""
    keys = {path.name.partition(_ASIDE)[0] for folder in _folders() if folder.is_dir() for path in folder.iterdir()}
    names = sorted(keys)
    for begin in range(0, len(names), _ASKED_AT_ONCE):
        yield from _old().filter(key__in=names[begin : begin + _ASKED_AT_ONCE]).select_related("project").order_by("pk")


def _old() -> QuerySet[Ticket]:
    horizon: datetime = clock.now() - timedelta(days=limits.value("WORKSPACE_KEEP_DAYS"))
    at_work = Job.objects.filter(Q(subject=Concat(Value("ticket:"), OuterRef("key"))), state__in=LIVE_STATES)
    return Ticket.objects.filter(~Exists(at_work), state=TicketState.DONE, updated_at__lt=horizon)


def _set_away(claim: Claim, ticket: Ticket) -> bool:
    """Under the lock of the ticket: it may be reopened, and a turn may begin, at this very moment."""
    claim.check()
    with claim.fenced():
        try:
            locks.lock(ticket)
        except Gone:
            return False
        if not _old().filter(pk=ticket.pk).exists():
            return False
        workspaces, homes = _folders()
        found = [workspaces / ticket.key, *workspaces.glob(f"{ticket.key}{_ASIDE}*"), homes / ticket.key]
        there = [path for path in found if path.exists() or path.is_symlink()]
        for path in there:
            path.rename(path.with_name(f"{_GONE}{secrets.token_hex(8)}"))
    _forget_worktree(ticket)
    return bool(there)


def _forget_worktree(ticket: Ticket) -> None:
    """What the clone still knows of it; the branch stays."""
    clone = clones.path_of(ticket.project)
    if clone.is_dir():
        with clones.locked(ticket.project):
            git.run(clone, "worktree", "prune")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

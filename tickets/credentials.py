"""What opens the portal to a turn's agent: a token of its own, which is dead as soon as the turn may not go on.

256 bits, given to the child in its environment and stored as a SHA-256. It is
alive while the turn runs under its very attempt: an end, a later fence, a
lease that ran out and a job that was told to stop close it at once, and so
does the end of the agent itself, before what it left is judged.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db.models import F, QuerySet

from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.unit import UnitOfWork, unit_of_work
from tickets.models import Turn, TurnState
from workers.models import Job, JobState

# Of a shape that the redaction knows in every process.
MARK: Final = "srm_turn"
LONGEST_CHARS: Final = 200
ENDED: Final = "This turn has ended, or was told to. What it says now is not heard; nothing was changed."


class Silenced(Refused):
    """The turn may not speak any more."""

    status = 401


def mint() -> str:
    """A new token; nothing keeps it but the environment of the child that it is for."""
    return f"{MARK}_{secrets.token_hex(32)}"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def find(token: str) -> Turn | None:
    """The turn that the token opens the portal to; None for anything else, told apart by nothing."""
    sought = digest(token[:LONGEST_CHARS])
    rows = _alive().select_related("ticket__project", "agent_version__agent", "attempt__job")
    found = rows.filter(credential=sought).first()
    # The comparison is made whether or not there is a row, as with every other token.
    same = hmac.compare_digest(found.credential if found else "0" * 64, sought)
    return found if same else None


@contextmanager
def speaking(turn: Turn) -> Iterator[UnitOfWork]:
    """One transaction in which the agent of ``turn`` changes something. Raises ``Silenced``.

    The job's row is locked first, as by whoever ends the attempt: what is
    said is said before that end, or not at all.
    """
    with unit_of_work() as work:
        list(Job.objects.select_for_update(no_key=True).filter(pk=turn.attempt.job_id).values_list("pk"))
        if not _alive().filter(pk=turn.pk, credential=turn.credential).exists():
            raise Silenced(ENDED)
        yield work


def close(turn: Turn) -> None:
    """Its agent is gone: whoever has the token still says nothing more. Under the claim's fence."""
    Turn.objects.filter(pk=turn.pk).update(credential="")
    turn.refresh_from_db(fields=["credential", "signal", "signal_payload"])


def _alive() -> QuerySet[Turn]:
    return Turn.objects.filter(
        state=TurnState.RUNNING,
        attempt__job__state=JobState.RUNNING,
        attempt__job__fence=F("attempt__fence"),
        attempt__job__cancel_at__isnull=True,
        attempt__job__lease_until__gt=Wall(),
    ).exclude(credential="")

"""The breaker of a profile: while its agent cannot work at all, its turns wait and no ticket fails.

Failures of the agent itself, one after the other, open it. When its wait is
over, exactly one turn goes as a try (half open) and the others go on waiting:
a good one closes it, a bad one opens it again for twice as long. No row is a
closed breaker. Its row is locked after those of job, project and ticket.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, F, OuterRef

from portal.core import clock, limits
from portal.core.clock import Wall
from portal.core.lifecycle import NotAllowedNow, Stale
from portal.core.redaction import redact
from portal.core.unit import unit_of_work
from workers import wakeups
from workers.claims import Claim
from workers.failures import Parked
from workers.models import AgentVersion, Attempt, Breaker, BreakerState, Job, JobState, Outcome
from workers.transitions import BREAKER

REASON_CHARS: Final = 300
MOST_WOKEN: Final = 1000
_CLOSED: Final[dict[str, Any]] = {"failures": 0, "opened": 0, "retry_at": None}


def admit(claim: Claim, version: AgentVersion) -> None:
    """Let a turn of this profile begin, or raise ``Parked``. Also raises ``LeaseLost``."""
    breaker = _of(version)
    if breaker is None or breaker.state == BreakerState.CLOSED:
        return
    now = clock.now()
    if breaker.retry_at is not None and breaker.retry_at <= now:
        try:
            with claim.fenced():
                # Others see the same moment; of all that saw this version of the row, one moves it.
                BREAKER.move(breaker, "try", expected_version=breaker.version, retry_at=Wall(_longest_try(version)))
        except (Stale, NotAllowedNow):
            raise Parked(
                f"Another turn of {version} is the first to try again.", delay_seconds=_look_again_seconds()
            ) from None
        return
    raise Parked(waiting(breaker), delay_seconds=_wait_seconds(breaker, now))


def good(version: AgentVersion) -> None:
    """A turn of this profile ended by its own word: the agent works. In the transaction that ends it."""
    breaker = _of(version)
    if breaker is None:
        return
    rows = Breaker.objects.filter(pk=breaker.pk, state=BreakerState.CLOSED, failures__gt=0)
    if rows.update(**_CLOSED, reason="", version=F("version") + 1) or breaker.state == BreakerState.CLOSED:
        return
    with suppress(NotAllowedNow):  # somebody closed it meanwhile
        _close(breaker, "A turn ended well.")


def bad(version: AgentVersion, reason: str) -> None:
    """A turn failed by its agent's own fault. In the transaction that ends it."""
    said = redact(reason)[:REASON_CHARS].replace("\x00", "\ufffd")
    with unit_of_work():
        Breaker.objects.get_or_create(agent_version=version, defaults={"state": BreakerState.CLOSED})
        # The count is the database's own; from here on the row is locked, so what is read of it stays true.
        Breaker.objects.filter(agent_version=version).update(
            failures=F("failures") + 1, version=F("version") + 1, reason=said
        )
        breaker = Breaker.objects.select_related("agent_version__agent").get(agent_version=version)
        broken = breaker.state == BreakerState.CLOSED and breaker.failures >= limits.value("BREAKER_FAILURES")
        if broken or breaker.state == BreakerState.HALF_OPEN:
            wait = open_seconds(breaker.opened)
            BREAKER.move(breaker, "open", reason=said, opened=breaker.opened + 1, retry_at=Wall(wait))


def close(breaker: Breaker, *, reason: str, expected_version: int | None = None) -> Breaker:
    """A person knows better: turns may begin again. Raises ``Refused`` where it is closed."""
    with unit_of_work():
        _close(breaker, reason, expected_version)
    return breaker


def open_seconds(opened: int) -> int:
    """The wait of a breaker that had opened so often before."""
    first, cap = limits.value("BREAKER_FIRST_SECONDS"), limits.value("BREAKER_CAP_SECONDS")
    # 2 ** 20 is past any cap: a bound for the exponent, not for the wait
    return int(min(cap, first * 2 ** min(opened, 20)))


def waiting(breaker: Breaker) -> str:
    """What an open breaker means, in a sentence."""
    version, why = breaker.agent_version, breaker.reason.rstrip(".")
    number = f"{breaker.failures} failure{'' if breaker.failures == 1 else 's'}"
    since = f" after {number} of its own" if breaker.failures else ""
    said = f": {why}" if why else ""
    if breaker.state == BreakerState.HALF_OPEN:
        return f"One turn of {version} tries whether it works again{since}{said}. The others wait for it."
    return f"Turns of {version} wait{since}{said}."


def _of(version: AgentVersion) -> Breaker | None:
    return Breaker.objects.select_related("agent_version__agent").filter(agent_version=version).first()


def _close(breaker: Breaker, reason: str, expected_version: int | None = None) -> None:
    BREAKER.move(breaker, "close", reason=reason, expected_version=expected_version, **_CLOSED)
    # The row is ours by now. Its column is no argument of the move, which has one of that name.
    Breaker.objects.filter(pk=breaker.pk).update(reason="")
    _wake_parked(breaker.agent_version)


def _wake_parked(version: AgentVersion) -> None:
    """Those that wait for nothing but the breaker may go now."""
    last = Attempt.objects.filter(job_id=OuterRef("pk"), fence=OuterRef("fence"), outcome=Outcome.PARKED)
    parked = Job.objects.filter(Exists(last), state=JobState.QUEUED, lane=version.agent.lane, run_after__gt=Wall())
    found = list(parked.order_by("id").values_list("pk", "pool")[:MOST_WOKEN])
    Job.objects.filter(pk__in=[pk for pk, _ in found], state=JobState.QUEUED).update(run_after=Wall())
    for pool in sorted({pool for _, pool in found}):
        wakeups.after_commit(pool)


def _longest_try(version: AgentVersion) -> int:
    """When a try is lost: its agent has ended by then, whatever became of its worker."""
    return min(version.wall_seconds, limits.value("TURN_WALL_SECONDS")) + 2 * limits.value("LEASE_SECONDS")


def _look_again_seconds() -> int:
    return min(limits.value("BREAKER_FIRST_SECONDS"), limits.value("BREAKER_CAP_SECONDS"))


def _wait_seconds(breaker: Breaker, now: datetime) -> float:
    left = (breaker.retry_at - now).total_seconds() if breaker.retry_at else 0.0
    # A try may end long before it counts as lost.
    return min(left, _look_again_seconds()) if breaker.state == BreakerState.HALF_OPEN else left

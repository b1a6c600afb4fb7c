"""Classes of failure, their budgets, and when to try again."""

from __future__ import annotations

import random
import traceback
from typing import Final

from django.db import InterfaceError, OperationalError

from portal.core import limits
from portal.core.redaction import redact
from workers.models import Outcome


class JobFailed(Exception):
    """Expected: the job could not do it this time; the message is for people."""

    outcome = Outcome.FAILED


class TimedOut(JobFailed):
    """It took longer than its limit."""

    outcome = Outcome.TIMED_OUT


class BadInput(JobFailed):
    """It can never work with this input: no retry."""

    outcome = Outcome.BAD_INPUT


class Parked(JobFailed):
    """Not now, through no fault of the job's: it goes again after the delay, and no budget is touched."""

    outcome = Outcome.PARKED

    def __init__(self, reason: str, *, delay_seconds: float) -> None:
        super().__init__(reason)
        self.delay_seconds = max(0.0, delay_seconds)


class RateLimited(JobFailed):
    """A provider lets nobody through just now: it goes again, later each time, and no budget is touched."""

    outcome = Outcome.RATE_LIMITED


# An outcome without a budget is final at once; these never are.
_NEVER_FINAL: Final = {Outcome.RELEASED, Outcome.PARKED, Outcome.RATE_LIMITED}
_BUDGETS: Final = {
    Outcome.FAILED: "JOB_MAX_FAILURES",
    Outcome.LOST: "JOB_MAX_LOSSES",
    Outcome.UNSEEN: "JOB_MAX_UNSEEN",
    Outcome.TIMED_OUT: "JOB_MAX_TIMEOUTS",
}


def counts(outcome: Outcome) -> bool:
    """Whether it matters how many earlier attempts ended so: for a budget, or for how long to wait."""
    return outcome in _BUDGETS or outcome is Outcome.RATE_LIMITED


def budget(outcome: Outcome, max_failures: int = 0) -> int:
    """With how many attempts that ended so a job is dead; 0 where none is counted.

    ``max_failures`` is the job's own budget of failures; 0: the installation's.
    """
    if outcome is Outcome.FAILED and max_failures:
        return max_failures
    return limits.value(_BUDGETS[outcome]) if outcome in _BUDGETS else 0


def may_retry(outcome: Outcome, earlier: int, max_failures: int = 0) -> bool:
    """Whether a job goes on after ``earlier`` attempts that ended so before this one."""
    if outcome in _NEVER_FINAL:
        return True
    return earlier + 1 < budget(outcome, max_failures)


def backoff_seconds(outcome: Outcome, earlier: int) -> float:
    """Exponential with full jitter under a cap; a job that was handed back goes at once."""
    if outcome is Outcome.RELEASED:
        return 0.0
    first, cap = limits.value("RETRY_FIRST_SECONDS"), limits.value("RETRY_CAP_SECONDS")
    if outcome is Outcome.RATE_LIMITED:
        first = limits.value("RATE_LIMIT_FIRST_SECONDS")
        cap = max(first, cap)
    # 2 ** 20 is past any cap: a bound for the exponent, not for the wait
    longest: int = min(cap, first * 2 ** min(earlier, 20))
    return random.uniform(0.1, 1.0) * longest


def is_outage(error: BaseException) -> bool:
    """The database went away, or would not let us through: worth another try, unlike a statement that it refuses."""
    return isinstance(error, OperationalError | InterfaceError)


def described(error: BaseException) -> str:
    """The error as it is stored: an expected one by its message, a surprise with its traceback's end."""
    if isinstance(error, JobFailed):
        text = str(error)
    else:
        text = "".join(traceback.format_exception(error, chain=False))
    most = limits.value("ERROR_TEXT_CHARS")
    return redact(text[-most:]).replace("\x00", "\ufffd")

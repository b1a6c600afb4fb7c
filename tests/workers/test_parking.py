"""Jobs with a budget of their own, and jobs that are parked: they wait, and nothing is held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from portal.core import clock
from workers import claims, failures, queue
from workers.claims import Claim
from workers.ending import end_attempt
from workers.kinds import Ending
from workers.models import Attempt, Job, JobState, LaneSlot, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]
DrainOnce = Callable[..., int]


def make_due() -> None:
    Job.objects.filter(state=JobState.QUEUED).update(run_after=F("created_at"))


def raising(error: Exception) -> Callable[[Any], None]:
    def raise_it(_: Any) -> None:
        raise error

    return raise_it


def goes_of(drain: DrainOnce) -> int:
    goes = 0
    while Job.objects.filter(state="queued").exists():
        make_due()
        goes += drain()
    return goes


@pytest.mark.parametrize(("own", "goes"), [(1, 1), (5, 5), (0, 2)])
def test_a_job_has_its_own_budget_of_failures_or_the_installations(
    kind: Make, drain: DrainOnce, limit: Any, own: int, goes: int
) -> None:
    limit(JOB_MAX_FAILURES=2)
    kind(run=raising(failures.JobFailed("no")))
    queue.enqueue("test.job", max_failures=own)
    assert goes_of(drain) == goes
    assert Job.objects.get().state == JobState.DEAD


def test_its_own_budget_is_of_failures_alone(kind: Make, drain: DrainOnce, limit: Any) -> None:
    limit(JOB_MAX_TIMEOUTS=2)
    kind(run=raising(failures.TimedOut("late")))
    queue.enqueue("test.job", max_failures=7)
    assert goes_of(drain) == 2


def test_a_parked_job_waits_as_long_as_it_was_told(kind: Make, drain: DrainOnce) -> None:
    told: list[Ending] = []
    kind(run=raising(failures.Parked("The agent rests.", delay_seconds=300)), settle=told.append)
    queue.set_lane("a", 1)
    queue.enqueue("test.job", lane="a", subject="s", exclusive=True)
    assert drain() == 1
    job, attempt = Job.objects.get(), Attempt.objects.get()
    assert (job.state, attempt.outcome, attempt.error) == ("queued", "parked", "The agent rests.")
    assert 290 < (job.run_after - clock.now()).total_seconds() <= 300
    assert [(ending.outcome, ending.final) for ending in told] == [(Outcome.PARKED, False)]
    assert LaneSlot.objects.get().job_id is None
    assert drain() == 0


def test_no_budget_is_touched_however_often_it_is_parked(kind: Make, drain: DrainOnce, limit: Any) -> None:
    limit(JOB_MAX_FAILURES=1, JOB_MAX_LOSSES=1, JOB_MAX_TIMEOUTS=1)
    parks = iter([True] * 6)

    def run(claim: Claim) -> None:
        if next(parks, False):
            raise failures.Parked("Not now.", delay_seconds=60)

    kind(run=run)
    queue.enqueue("test.job", max_failures=1)
    assert goes_of(drain) == 7
    assert Job.objects.get().state == JobState.SUCCEEDED


def test_a_parked_job_that_was_to_be_cancelled_is_cancelled(kind: Make) -> None:
    kind()
    job = queue.enqueue("test.job")
    [claim] = claims.claim("short", ["test.job"], worker="w", most=1)
    queue.cancel(job, reason="stop")
    assert end_attempt(job.pk, claim.fence, Outcome.PARKED, error="Not now.", delay_seconds=60)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_delay_that_is_over_is_none() -> None:
    assert failures.Parked("x", delay_seconds=-5).delay_seconds == 0

"""When to try again: bounded, jittered, and never for what cannot get better."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError
from hypothesis import given
from hypothesis import strategies as st

from workers import failures
from workers.models import Outcome

policies = st.tuples(st.integers(1, 3600), st.integers(1, 86_400))


@pytest.fixture(autouse=True)
def _keep_limits() -> object:
    kept = settings.LIMITS
    yield
    settings.LIMITS = kept


def _set(**values: int) -> None:
    settings.LIMITS = {**settings.LIMITS, **values}


@given(policy=policies, earlier=st.integers(0, 998), outcome=st.sampled_from(["failed", "lost", "timed_out"]))
def test_a_wait_is_within_its_bounds_at_every_attempt(policy: tuple[int, int], earlier: int, outcome: str) -> None:
    first, cap = policy
    _set(RETRY_FIRST_SECONDS=first, RETRY_CAP_SECONDS=cap)
    longest = min(cap, first * 2**earlier)
    delay = failures.backoff_seconds(Outcome(outcome), earlier)
    assert longest * 0.1 <= delay <= longest <= cap


@given(policy=policies, earlier=st.integers(0, 998))
def test_waits_of_jobs_that_failed_together_spread(policy: tuple[int, int], earlier: int) -> None:
    first, cap = policy
    _set(RETRY_FIRST_SECONDS=first, RETRY_CAP_SECONDS=cap)
    waits = [failures.backoff_seconds(Outcome.FAILED, earlier) for _ in range(50)]
    assert (max(waits) - min(waits)) / min(cap, first * 2**earlier) > 0.1


def test_a_job_that_was_handed_back_does_not_wait() -> None:
    assert failures.backoff_seconds(Outcome.RELEASED, 500) == 0


def test_a_rate_limit_is_never_final_and_is_waited_out_longer_each_time() -> None:
    _set(RATE_LIMIT_FIRST_SECONDS=60, RETRY_FIRST_SECONDS=1, RETRY_CAP_SECONDS=600)
    assert all(failures.may_retry(Outcome.RATE_LIMITED, earlier, 1) for earlier in (0, 10, 1000))
    longest = [max(failures.backoff_seconds(Outcome.RATE_LIMITED, n) for _ in range(200)) for n in (0, 1, 50)]
    assert 50 < longest[0] <= 60 < longest[1] <= 120 < longest[2] <= 600
    _set(RETRY_CAP_SECONDS=5)
    assert failures.backoff_seconds(Outcome.RATE_LIMITED, 50) >= 6, "its own first wait stands over a smaller cap"


@pytest.mark.parametrize(
    ("outcome", "budget"),
    [
        (Outcome.FAILED, "JOB_MAX_FAILURES"),
        (Outcome.LOST, "JOB_MAX_LOSSES"),
        (Outcome.UNSEEN, "JOB_MAX_UNSEEN"),
        (Outcome.TIMED_OUT, "JOB_MAX_TIMEOUTS"),
    ],
)
def test_a_budget_holds_at_its_limit_and_not_one_past_it(outcome: Outcome, budget: str) -> None:
    _set(**{budget: 3})
    assert [failures.may_retry(outcome, earlier) for earlier in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.BAD_INPUT, Outcome.CANCELLED])
def test_some_outcomes_are_final_at_once(outcome: Outcome) -> None:
    assert not failures.may_retry(outcome, 0)


def test_an_expected_failure_is_told_by_its_sentence_and_a_surprise_by_its_traceback() -> None:
    assert failures.described(failures.JobFailed("The ticket is locked.")) == "The ticket is locked."
    try:
        raise ZeroDivisionError("a surprise")
    except ZeroDivisionError as error:
        told = failures.described(error)
    assert told.startswith("Traceback")
    assert "a surprise" in told


def test_only_a_database_that_was_not_reached_is_worth_the_same_statement_again() -> None:
    assert failures.is_outage(OperationalError())
    assert failures.is_outage(InterfaceError())
    assert not failures.is_outage(IntegrityError())
    assert not failures.is_outage(ZeroDivisionError())

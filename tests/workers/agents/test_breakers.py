"""The breaker of a profile: it opens on failures of the agent, parks, and lets exactly one turn try again."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from portal.core import clock
from portal.core.lifecycle import Refused
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests.workers.racing import race
from workers import claims, queue
from workers.agents import breakers
from workers.claims import Claim
from workers.ending import end_attempt
from workers.failures import Parked
from workers.models import Agent, AgentVersion, Breaker, Job, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]


@pytest.fixture(autouse=True)
def _limits(limit: Any) -> None:
    limit(BREAKER_FAILURES=3, BREAKER_FIRST_SECONDS=60, BREAKER_CAP_SECONDS=200)


@pytest.fixture
def version(db: None) -> AgentVersion:
    agent = Agent.objects.create(name="codex-dev")
    return AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", command=["true"], wall_seconds=600, silence_seconds=60
    )


@pytest.fixture
def held(kind: Make, version: AgentVersion) -> Callable[[int], list[Claim]]:
    kind()

    def hold(number: int) -> list[Claim]:
        queue.set_lane(version.agent.lane, 50)
        for _ in range(number):
            queue.enqueue("test.job", lane=version.agent.lane)
        return claims.claim("short", ["test.job"], worker="worker@test", most=number)

    return hold


def fail(version: AgentVersion, times: int = 1) -> None:
    for _ in range(times):
        with unit_of_work():
            breakers.bad(version, "The agent exited with code 1.")


def succeed(version: AgentVersion) -> None:
    with unit_of_work():
        breakers.good(version)


def make_due() -> None:
    Breaker.objects.exclude(retry_at=None).update(retry_at=clock.now() - timedelta(seconds=1))


def wait_of(breaker: Breaker) -> float:
    assert breaker.retry_at is not None
    return (breaker.retry_at - clock.now()).total_seconds()


def test_a_profile_without_one_is_admitted_and_gets_none(version: AgentVersion, held: Any) -> None:
    [claim] = held(1)
    breakers.admit(claim, version)
    succeed(version)
    assert not Breaker.objects.exists()


def test_it_opens_at_so_many_failures_and_not_one_before(version: AgentVersion, held: Any) -> None:
    [claim] = held(1)
    fail(version, 2)
    breakers.admit(claim, version)
    fail(version)
    with pytest.raises(Parked, match=r"Turns of codex-dev v1 wait after 3 failures of its own: .* code 1\.") as parked:
        breakers.admit(claim, version)
    assert 50 < parked.value.delay_seconds <= 60
    told = Activity.objects.get(verb="breaker.open")
    assert (told.subject, told.reason) == ("agent:codex-dev", "The agent exited with code 1.")


def test_a_good_turn_between_them_begins_the_count_again(version: AgentVersion) -> None:
    fail(version, 2)
    succeed(version)
    fail(version, 2)
    assert Breaker.objects.get().state == "closed"


def test_each_time_it_opens_again_it_waits_twice_as_long_up_to_a_cap(version: AgentVersion, held: Any) -> None:
    [claim] = held(1)
    fail(version, 3)
    waits = [wait_of(Breaker.objects.get())]
    for _ in range(3):
        make_due()
        breakers.admit(claim, version)
        fail(version)
        waits.append(wait_of(Breaker.objects.get()))
    assert [round(wait, -1) for wait in waits] == [60, 120, 200, 200]


def test_a_turn_that_began_before_and_fails_late_makes_no_wait_longer(version: AgentVersion) -> None:
    fail(version, 3)
    opened = Breaker.objects.get()
    fail(version)
    now = Breaker.objects.get()
    assert (now.state, now.opened, now.retry_at) == ("open", 1, opened.retry_at)


def test_a_try_that_goes_well_closes_it_and_wakes_what_it_parked(version: AgentVersion, held: Any) -> None:
    tries, parked, other = held(3)
    later = queue.enqueue("test.job", lane=version.agent.lane, delay_seconds=3600)
    fail(version, 3)
    end_attempt(parked.job_id, parked.fence, Outcome.PARKED, delay_seconds=3600)
    end_attempt(other.job_id, other.fence, Outcome.FAILED)
    make_due()
    breakers.admit(tries, version)
    assert Breaker.objects.get().state == "half_open"
    succeed(version)
    row = Breaker.objects.get()
    assert (row.state, row.failures, row.opened, row.retry_at, row.reason) == ("closed", 0, 0, None, "")
    assert [claim.job_id for claim in claims.claim("short", ["test.job"], worker="w", most=9)] == [parked.job_id]
    assert Job.objects.get(pk=later.pk).state == "queued", "what waits for another reason goes on waiting"


def test_while_one_tries_the_others_look_again_soon(version: AgentVersion, held: Any) -> None:
    first, second = held(2)
    fail(version, 3)
    make_due()
    breakers.admit(first, version)
    assert wait_of(Breaker.objects.get()) > 600, "as long as its turn can take"
    with pytest.raises(Parked, match="One turn of codex-dev v1 tries") as parked:
        breakers.admit(second, version)
    assert parked.value.delay_seconds == 60


def test_a_try_whose_worker_died_is_lost_in_time_and_another_goes(version: AgentVersion, held: Any) -> None:
    first, second = held(2)
    fail(version, 3)
    make_due()
    breakers.admit(first, version)
    make_due()
    breakers.admit(second, version)
    with pytest.raises(Parked):
        breakers.admit(first, version)


def test_a_worker_that_lost_its_claim_tries_nothing(version: AgentVersion, held: Any) -> None:
    [claim] = held(1)
    fail(version, 3)
    make_due()
    Job.objects.update(fence=F("fence") + 1)
    with pytest.raises(claims.LeaseLost):
        breakers.admit(claim, version)
    assert Breaker.objects.get().state == "open"


def test_a_person_closes_it_once(version: AgentVersion, held: Any) -> None:
    [claim] = held(1)
    fail(version, 3)
    breaker = Breaker.objects.get()
    breakers.close(breaker, reason="The key was renewed.")
    breakers.admit(claim, version)
    assert Activity.objects.get(verb="breaker.close").reason == "The key was renewed."
    with pytest.raises(Refused):
        breakers.close(breaker, reason="again")


def test_what_it_says_holds_no_secret_and_has_an_end(version: AgentVersion) -> None:
    from portal.core import secrets

    secrets.store("key", "tremendous-secret-value")
    with unit_of_work():
        breakers.bad(version, "401 for tremendous-secret-value " + "x" * 1000)
    reason = Breaker.objects.get().reason
    assert "tremendous" not in reason
    assert len(reason) == 300


def test_of_many_that_come_when_it_is_due_exactly_one_tries(version: AgentVersion, held: Any, engine: str) -> None:
    number = 8 if engine == "postgresql" else 4
    for _ in range(5):
        fail(version, 3)
        make_due()
        tried = race(_try, [(claim, version.pk) for claim in held(number)])
        assert sorted(tried) == [False] * (number - 1) + [True]
        succeed(version)


def test_failures_that_come_at_one_moment_are_all_counted(version: AgentVersion, limit: Any, engine: str) -> None:
    limit(BREAKER_FAILURES=100)
    processes, each = (8, 12) if engine == "postgresql" else (3, 10)
    race(_fail_often, [(version.pk, each)] * processes)
    row = Breaker.objects.get()
    assert (row.failures, row.state) == (processes * each, "closed")


def test_failures_that_come_at_one_moment_open_it_once(version: AgentVersion, engine: str) -> None:
    race(_fail_often, [(version.pk, 5)] * (6 if engine == "postgresql" else 3))
    assert (Breaker.objects.get().state, Breaker.objects.get().opened) == ("open", 1)
    assert Activity.objects.filter(verb="breaker.open").count() == 1


def test_whatever_happens_in_any_order_it_is_as_its_rules_say(version: AgentVersion, held: Any, engine: str) -> None:
    """Against a model of the rules, in random histories."""
    [claim] = held(1)
    for seed in range(30 if engine == "postgresql" else 15):
        dice = random.Random(seed)
        Breaker.objects.all().delete()
        state, failures, opened, due = "closed", 0, 0, False
        for _ in range(20):
            match dice.choice(["bad", "bad", "bad", "good", "admit", "due"]):
                case "bad":
                    fail(version)
                    failures += 1
                    if state == "half_open" or (state == "closed" and failures >= 3):
                        state, opened, due = "open", opened + 1, False
                case "good":
                    succeed(version)
                    state, failures, opened, due = "closed", 0, 0, False
                case "due":
                    make_due()
                    due = state != "closed"
                case "admit":
                    admitted = _try(claim, version.pk)
                    assert admitted == (state == "closed" or due), seed
                    state, due = ("half_open" if state != "closed" and due else state), False
            row = Breaker.objects.first()
            assert (state, failures, opened) == ((row.state, row.failures, row.opened) if row else ("closed", 0, 0)), (
                seed
            )


def _try(claim: Claim, version: int) -> bool:
    try:
        breakers.admit(claim, AgentVersion.objects.select_related("agent").get(pk=version))
    except Parked:
        return False
    return True


def _fail_often(version: int, times: int) -> None:
    fail(AgentVersion.objects.select_related("agent").get(pk=version), times)

"""Try it: a profile runs once on a scratch repository, and what was seen is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from portal.core.lifecycle import Refused
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests.workers.racing import race
from workers import claims, queue
from workers.agents import breakers, containment, trials
from workers.ending import end_attempt
from workers.models import Agent, AgentVersion, AttemptOutput, Breaker, Job, Outcome, Trial

pytestmark = pytest.mark.django_db(transaction=True)
DrainOnce = Callable[..., int]
EXAMPLES = Path(__file__).resolve().parents[3] / "workers" / "agents" / "examples"


@pytest.fixture
def profile(db: None) -> Callable[..., AgentVersion]:
    def make(*command: str, **changes: Any) -> AgentVersion:
        agent, _ = Agent.objects.get_or_create(name="dev")
        fields: dict[str, Any] = {"adapter": "plain", "trusted": True, "wall_seconds": 600, "silence_seconds": 60}
        number = agent.versions.count() + 1
        return AgentVersion.objects.create(agent=agent, number=number, command=list(command), **fields | changes)

    return make


def example(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-I", str(EXAMPLES / name), *arguments)


def tried(version: AgentVersion, drain: DrainOnce) -> Trial:
    trial = trials.ask(version.agent)
    assert trial.state == "queued"
    assert drain("turns") == 1
    trial.refresh_from_db()
    return trial


def scratch_folders() -> list[Path]:
    return list((settings.DATA_DIR / "trials").glob("*"))


def test_an_agent_that_works_passes_and_is_seen_to(profile: Any, drain: DrainOnce) -> None:
    trial = tried(profile(*example("editing_agent.py")), drain)
    assert trial.verdict == (
        "It started, exited with code 0 and signalled DONE. It made a commit."
        " It names no session that could be resumed."
    )
    assert (trial.state, trial.exit_code, trial.session_id, trial.cost_usd) == ("passed", 0, "", None)
    assert trial.ended_at is not None
    assert [step["ok"] for step in trial.steps] == [None, None, True, None, None, True, True, None]
    assert [step["text"] for step in trial.steps][2:] == [
        "It started, and exited with code 0.",
        "It named no session to go on with.",
        "It told of no use of a tool.",
        "The agent signalled DONE.",
        "It made a commit.",
        "It told of no cost.",
    ]
    job = Job.objects.get()
    assert (job.state, job.lane, job.pool, job.audience) == ("succeeded", trial.agent_version.agent.lane, "turns", "")
    output = AttemptOutput.objects.filter(attempt_id=trial.attempt_id).values_list("text", flat=True)
    assert "Committed" in "".join(output)
    assert scratch_folders() == []
    verbs = Activity.objects.filter(subject="agent:dev").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["trial.asked", "trial.begin", "trial.pass"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (example("idle_agent.py"), "signalled DONE. It made no commit"),
        (example("failing_agent.py"), "The agent exited with code 1. It gave no signal. It made no commit"),
        (("/nonexistent/agent",), "made no commit"),
        (example("approving_agent.py", "--refuse=no"), "signalled BLOCKED. It made no commit"),
        (("/bin/sh", "-c", "rm -rf .git"), "without a signal. It made no commit"),
    ],
)
def test_one_that_does_not_fails_once_and_says_what_was_seen(
    profile: Any, drain: DrainOnce, command: tuple[str, ...], said: str
) -> None:
    trial = tried(profile(*command), drain)
    assert trial.state == "failed"
    assert said in trial.verdict
    assert drain("turns") == 0, "a trial is not tried again"
    assert Job.objects.get().state == "succeeded", "a trial that fails is a result"
    assert scratch_folders() == []


def test_what_it_cost_and_its_session_are_told(profile: Any, drain: DrainOnce, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text(
        '{"type":"system","subtype":"init","session_id":"s-7"}\n'
        '{"type":"result","subtype":"success","is_error":false,"session_id":"s-7","total_cost_usd":0.0123,"modelUsage":{}}\n'
    )
    trial = tried(profile("/bin/cat", str(lines), adapter="claude"), drain)
    assert (trial.state, trial.session_id, trial.cost_usd) == ("failed", "s-7", Decimal("0.0123"))
    assert "Its session is s-7. It cost 0.0123 US dollars." in trial.verdict


def test_in_a_box_it_works_as_well_and_says_so(profile: Any, drain: DrainOnce) -> None:
    box = {"containment": "bubblewrap", "network": "none", "trusted": False, "readable": [str(EXAMPLES)]}
    trial = tried(profile(*example("editing_agent.py"), **box), drain)
    assert (trial.state, trial.steps[0]["text"][:11]) == ("passed", "Bubblewrap:")


def test_in_a_wrapper_it_works_as_well(profile: Any, drain: DrainOnce) -> None:
    around = {"containment": "wrapper", "trusted": False, "wrapper": ["/usr/bin/nice", "-n", "5", "{command}"]}
    trial = tried(profile(*example("editing_agent.py"), **around), drain)
    assert (trial.state, trial.steps[0]["text"][:8]) == ("passed", "Wrapper:")


def test_as_root_a_plain_profile_that_is_not_trusted_is_not_started(
    profile: Any, drain: DrainOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "is_root", lambda: True)
    trial = tried(profile("true", trusted=False), drain)
    assert (trial.state, trial.verdict, trial.steps) == (
        "failed",
        containment.AS_ROOT,
        [{"ok": False, "text": containment.AS_ROOT}],
    )


def test_it_takes_no_longer_than_its_own_limit(profile: Any, drain: DrainOnce, limit: Any) -> None:
    limit(TRIAL_WALL_SECONDS=1)
    trial = tried(profile("/bin/sleep", "60"), drain)
    assert (trial.state, "timed out" in trial.verdict) == ("failed", True)


def test_a_profile_that_can_never_run_says_why(profile: Any, drain: DrainOnce) -> None:
    trial = tried(profile("true", secrets={"KEY": "missing"}), drain)
    assert (trial.state, trial.verdict) == (
        "failed",
        "There is no secret named missing. An admin can store it under Secrets.",
    )


class TestAsking:
    def test_the_newest_profile_is_tried(self, profile: Any) -> None:
        profile("old")
        new = profile("new")
        assert trials.ask(new.agent).agent_version == new

    def test_one_at_a_time_for_a_profile(self, profile: Any, drain: DrainOnce) -> None:
        version = profile("true")
        trials.ask(version.agent)
        with pytest.raises(Refused, match="A trial of dev v1 is under way"):
            trials.ask(version.agent)
        drain("turns")
        trials.ask(version.agent)
        profile("changed")
        trials.ask(version.agent)
        assert Trial.objects.count() == 3

    def test_of_many_who_ask_at_once_one_is_served(self, profile: Any, engine: str) -> None:
        version = profile("true")
        asked = race(_ask, [(version.agent_id,)] * (6 if engine == "postgresql" else 3))
        assert sum(asked) == 1
        assert Trial.objects.count() == Job.objects.count() == 1

    def test_an_agent_without_a_profile_cannot_be_tried(self, db: None) -> None:
        with pytest.raises(Refused, match="no profile"):
            trials.ask(Agent.objects.create(name="bare"))


class TestEnds:
    def test_a_lost_worker_costs_the_trial_nothing(self, profile: Any, drain: DrainOnce) -> None:
        trial = trials.ask(profile(*example("editing_agent.py")).agent)
        [claim] = claims.claim("turns", [trials.KIND], worker="w", most=1)
        with claim.fenced():
            trials.TRIAL.move(trial, "begin", attempt_id=claim.attempt_id)
        end_attempt(claim.job_id, claim.fence, Outcome.LOST, error="Worker w was lost.")
        trial.refresh_from_db()
        assert trial.state == "queued"
        Job.objects.update(run_after=Job.objects.get().created_at)
        assert drain("turns") == 1
        trial.refresh_from_db()
        assert trial.state == "passed"

    def test_one_that_is_stopped_has_failed_and_leaves_nothing(self, profile: Any) -> None:
        trial = trials.ask(profile("true").agent)
        queue.cancel(Job.objects.get(), reason="no")
        trial.refresh_from_db()
        assert (trial.state, trial.verdict) == ("failed", "It was stopped on request.")

    def test_its_job_is_not_given_another_life(self, profile: Any) -> None:
        trials.ask(profile("true").agent)
        queue.cancel(Job.objects.get(), reason="no")
        with pytest.raises(Refused, match="Ask for another"):
            queue.requeue(Job.objects.get())
        assert Job.objects.get().state == "cancelled"


class TestBreaker:
    def opened(self, version: AgentVersion, limit: Any) -> Breaker:
        limit(BREAKER_FAILURES=1)
        with unit_of_work():
            breakers.bad(version, "The agent exited with code 1.")
        return Breaker.objects.get()

    def test_one_that_passes_closes_it(self, profile: Any, drain: DrainOnce, limit: Any) -> None:
        version = profile(*example("editing_agent.py"))
        assert self.opened(version, limit).state == "open"
        assert tried(version, drain).state == "passed"
        assert Breaker.objects.get().state == "closed"

    def test_one_that_fails_leaves_it_as_it_is(self, profile: Any, drain: DrainOnce, limit: Any) -> None:
        version = profile(*example("failing_agent.py"))
        before = self.opened(version, limit)
        assert tried(version, drain).state == "failed"
        now = Breaker.objects.get()
        assert (now.state, now.failures, now.opened, now.retry_at) == ("open", 1, 1, before.retry_at)


def test_the_prompt_asks_for_a_signal_and_is_none() -> None:
    from workers.agents.adapters.events import Signal
    from workers.agents.adapters.plain import PlainAdapter

    adapter = PlainAdapter("nonce", "TRIAL-1")
    events = [*adapter.feed(trials.prompt("TRIAL-1", "nonce").encode()), *adapter.finish()]
    assert not any(isinstance(event, Signal) for event in events)


def _ask(agent: int) -> bool:
    try:
        trials.ask(Agent.objects.get(pk=agent))
    except Refused:
        return False
    return True

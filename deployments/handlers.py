"""The kinds of job of this app, and what the clock looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q

from deployments import (
    checkouts,
    delivering,
    judging,
    observing,
    preparing,
    proof,
    requesting,
    step_jobs,
    stepping,
    webhooks,
)
from deployments.models import Environment, Observation
from reviews import evidence, scopes
from tickets.models import Project
from workers import forgetting, kinds, retention, schedules, sweeping
from workers.models import Pool

if TYPE_CHECKING:
    from workers.claims import Claim

CLEAR_KIND: Final = "deployment.clear"


def register() -> None:
    kinds.register(
        kinds.Kind(
            step_jobs.PREPARE_KIND,
            "Prepare a deployment",
            Pool.STEPS,
            preparing.run,
            preparing.settle,
            requeued=preparing.requeued,
            link=_page_of,
        )
    )
    kinds.register(
        kinds.Kind(
            step_jobs.STEP_KIND,
            "Deployment step",
            Pool.STEPS,
            stepping.run,
            stepping.settle,
            requeued=stepping.requeued,
            link=_page_of,
        )
    )
    kinds.register(kinds.Kind(judging.JUDGE_KIND, "Judge a commit", Pool.STEPS, judging.run, judging.settle))
    kinds.register(kinds.Kind(CLEAR_KIND, "Clear checkouts away", Pool.STEPS, _clear, each_machine=True))
    schedules.stand("clear-checkouts-away", CLEAR_KIND, every_seconds=86_400)
    kinds.register(
        kinds.Kind(observing.OBSERVE_KIND, "Ask what was deployed for its health", Pool.SHORT, observing.run)
    )
    schedules.stand("ask-for-health", observing.OBSERVE_KIND, every_seconds=60)
    sweeping.watch(requesting.look_at_waiting)
    evidence.fixes_changed.add(proof.settle)
    scopes.register(_places)
    _webhooks()
    _keep()


def _webhooks() -> None:
    kinds.register(
        kinds.Kind(
            webhooks.DELIVER_KIND,
            "Tell a verdict",
            Pool.SHORT,
            delivering.run,
            delivering.settle,
            requeued=delivering.requeued,
        )
    )
    kinds.register(kinds.Kind(webhooks.LOOK_KIND, "Verdicts that are stale", Pool.SHORT, webhooks.look))
    schedules.stand("tell-stale-verdicts", webhooks.LOOK_KIND, every_seconds=60)
    judging.given.add(webhooks.tell)
    retention.keep("Who is told of verdicts, and what they were told.", "deployments.Webhook", "deployments.Telling")


def _keep() -> None:
    places = ("Service", "PipelineStep", "Environment", "Policy", "Dependency")
    retention.keep("What somebody set up; releases keep what it was.", *(f"deployments.{name}" for name in places))
    ways = ("Verdict", "Approval", "Hold", "Release", "Deployment", "Step", "HealthCheck", "Interruption", "Placement")
    retention.keep("What shipped, and why it might: evidence.", *(f"deployments.{name}" for name in ways))
    retention.keep("What shipped, and why it might: evidence.", "deployments.Structure", "deployments.Waiver")
    retention.retain(
        "observations",
        forgetting.oldest(
            Observation, lambda: Q(last_at__lt=forgetting.before("OBSERVATION_KEEP_DAYS")), order="last_at"
        ),
        tables=("deployments.Observation",),
        limit="OBSERVATION_KEEP_DAYS",
    )
    frozen = ("Freeze", "FreezeOverride")
    retention.keep("When nothing might ship, and what did.", *(f"deployments.{name}" for name in frozen))


def _places(project: Project) -> list[str]:
    """Where a finding of the project may be waived alone."""
    return list(Environment.objects.filter(project=project).order_by("place", "name").values_list("name", flat=True))


def _page_of(subject: str) -> str:
    return f"/deployments/{subject.partition(':')[2]}/"


def _clear(claim: Claim) -> int:
    return checkouts.clear()

"""What the pages of deployments show: bounded, within the reader's scopes, a constant number of queries."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Max

from deployments.models import Deployment, Step, StepState
from portal.core.models import Activity
from reviews.models import Finding
from tickets import output
from tickets.queries import Page, page_of, seen_by

STEPS_SHOWN: Final = 50


def deployment_list(reader: Any, *, project: str, state: str, before: int | None) -> Page:
    rows = Deployment.objects.select_related("service__project", "environment", "verdict")
    rows = seen_by(reader, rows, "service__project")
    if project:
        rows = rows.filter(service__project__key=project)
    if state:
        rows = rows.filter(state=state)
    return page_of(rows, before)


def requester(deployment: Deployment) -> str:
    rows = Activity.objects.filter(subject=deployment.subject, verb="deployment.requested")
    return rows.values_list("actor_label", flat=True).order_by("id").first() or ""


def later(deployment: Deployment) -> Deployment | None:
    """The newest deployment of the same service to the same environment, if it is another."""
    rows = Deployment.objects.filter(
        service=deployment.service, environment=deployment.environment, pk__gt=deployment.pk
    )
    return rows.order_by("-id").first()


class Reason(NamedTuple):
    """Why the gate held, as it said it then; ``finding`` is as it is now."""

    text: str
    lift: str
    ticket: str
    finding: Finding | None


class Gate(NamedTuple):
    reasons: list[Reason]
    more: int


def gate(deployment: Deployment) -> Gate:
    said = deployment.verdict.reasons
    rows = Finding.objects.filter(pk__in=[reason["finding"] for reason in said]).annotate(
        review=Max("occurrences__review")
    )
    found = {finding.pk: finding for finding in rows}
    reasons = [
        Reason(reason["text"], reason["lift"], reason["ticket"], found.get(reason["finding"])) for reason in said
    ]
    return Gate(reasons, len(deployment.verdict.blocking) - len(reasons))


class StepShown(NamedTuple):
    step: Step
    output: output.Output | None


def steps(deployment: Deployment) -> list[StepShown]:
    """The steps in order; the last that ran, or runs, with its output."""
    rows = list(deployment.steps.select_related("attempt").order_by("n")[:STEPS_SHOWN])
    began = [step for step in rows if step.attempt_id]
    return [StepShown(step, _output(step) if began and step is began[-1] else None) for step in rows]


def _output(step: Step) -> output.Output | None:
    return output.newest(step.attempt_id, running=step.state == StepState.RUNNING) if step.attempt_id else None

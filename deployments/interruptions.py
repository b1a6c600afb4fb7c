"""Interruptions: a person says how a deployment goes on, once."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from deployments import gates, rollout
from deployments.models import (
    Asks,
    Choice,
    Deployment,
    Interruption,
    InterruptionState,
    Phase,
    StepState,
)
from deployments.transitions import DEPLOYMENT, INTERRUPTION, STEP
from portal.core.clock import Wall, now
from portal.core.lifecycle import Refused, amend
from portal.core.models import User
from portal.core.unit import unit_of_work

# What takes a reason: it is in the record that something did not happen as planned.
REASONED = {Choice.SKIP, Choice.FAIL, Choice.ROLL_BACK}


def open_of(deployment: Deployment) -> Interruption | None:
    rows = Interruption.objects.filter(deployment=deployment, state=InterruptionState.OPEN)
    return rows.select_related("step").first()


def choices_of(interruption: Interruption) -> list[Choice]:
    """What may be answered, the likeliest first."""
    manual = interruption.step.state == StepState.NEEDS_PERSON
    found = [Choice.DONE if manual else Choice.RETRY]
    if interruption.about == Asks.STEP:
        found.append(Choice.SKIP)
    if interruption.step.phase == Phase.FORWARD and rollout.can_go_back(interruption.deployment):
        found.append(Choice.ROLL_BACK)
    return [*found, Choice.FAIL]


def take(interruption: Interruption, *, by: User, expected_version: int) -> Interruption:
    """Have it in hand from now on, also in the place of somebody else. Raises ``Refused`` or ``Stale``."""
    if interruption.state != InterruptionState.OPEN:
        raise Refused(f"{interruption.answered_label} has answered it already.")
    if interruption.owner_id == by.pk:
        return interruption
    owned: dict[str, Any] = {"owner": by, "owner_label": str(by)[:254], "owned_at": now()}
    return amend(interruption, INTERRUPTION, "taken", expected_version=expected_version, **owned)


def answer(interruption: Interruption, choice: str, *, by: User, reason: str = "") -> Interruption:
    """Go on as ``choice`` says; whom nobody was before is its owner then.

    Raises ``Refused`` where it was answered already, somebody else has it in
    hand, or the choice does not fit.
    """
    if choice not in choices_of(interruption):
        raise Refused("That is no answer to this interruption.")
    if interruption.owner_id not in {None, by.pk}:
        raise Refused(f"{interruption.owner_label} has it in hand. Take it over first, if it is yours to decide.")
    if choice in REASONED and not reason.strip():
        raise Refused("Say why: it goes into the record of the deployment.")
    deployment, step = interruption.deployment, interruption.step
    at_gate = interruption.about == Asks.GATE
    with unit_of_work():
        if at_gate and choice == Choice.RETRY:
            _refuse_while_closed(deployment)
        # The first of two answers wins; the row's own UPDATE decides.
        INTERRUPTION.move(
            interruption,
            "answer",
            reason=reason,
            # Nobody has taken it over since it was looked at.
            where=Q(owner=None) | Q(owner=by),
            choice=choice,
            note=reason[:500],
            owner=by,
            owner_label=str(by)[:254],
            answered_by=by,
            answered_label=str(by)[:254],
            answered_at=Wall(),
        )
        step.deployment = deployment
        if choice in {Choice.FAIL, Choice.ROLL_BACK} and step.state == StepState.NEEDS_PERSON:
            STEP.move(step, "fail", reason=reason, message=f"Not done: {reason}"[:300], ended_at=Wall())
        if choice == Choice.FAIL:
            rollout.fail(deployment, reason=reason)
        elif choice == Choice.ROLL_BACK:
            rollout.roll_back(deployment, reason=reason)
        else:
            if choice == Choice.DONE:
                STEP.move(step, "confirm", reason=reason, message=reason[:300], ended_at=Wall())
            elif choice == Choice.RETRY and not at_gate:
                STEP.move(step, "try_again", reason=reason, retried=0, due_at=None)
            elif choice == Choice.SKIP:
                STEP.move(step, "skip", reason=reason, message=f"Skipped: {reason}"[:300], ended_at=Wall())
            _go_on(deployment, step.phase)
    return interruption


def _refuse_while_closed(deployment: Deployment) -> None:
    gate = gates.under_way(deployment)
    if not gate.is_open:
        raise Refused(f"The gate is still closed: {gates.in_the_way(gate)}. Lift that, then go on.")


def _go_on(deployment: Deployment, phase: str) -> None:
    DEPLOYMENT.move(deployment, "go_on_back" if phase == Phase.BACK else "go_on")
    rollout.advance(deployment)

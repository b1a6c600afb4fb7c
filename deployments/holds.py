"""Holds: a release that goes nowhere, an environment that takes nothing, until a person lifts it."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from deployments.models import Deployment, Environment, Hold, HoldState, Release
from deployments.transitions import HOLD
from portal.core import cause as causes
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work


def hold_release(release: Release, *, reason: str, cause: Deployment | None = None) -> Hold:
    """Hold it; one that is held already stays as it is held. ``cause`` is the deployment that was rolled back."""
    return _hold({"release": release}, reason, cause)


def hold_environment(environment: Environment, *, reason: str) -> Hold:
    return _hold({"environment": environment}, reason, None)


def _hold(held: dict[str, Any], reason: str, cause: Deployment | None) -> Hold:
    with unit_of_work() as work:
        by = causes.current().actor.label[:254]
        try:
            with transaction.atomic():
                made = Hold.objects.create(**held, reason=reason[:500], by=by, cause=cause, state=HoldState.HOLDING)
        except IntegrityError:
            return Hold.objects.get(**held, state=HoldState.HOLDING)
        work.record("hold.placed", made.subject, after={"of": str(made.held)}, reason=reason)
        HOLD.announce(made)
    return made


def lift(hold: Hold, *, expected_version: int, reason: str) -> Hold:
    """Let it go again. Raises ``Refused`` where it was lifted already, or no reason is given."""
    if not reason.strip():
        raise Refused("Say why the hold is lifted: the next reader has nothing else.")
    by = causes.current().actor.label[:254]
    return HOLD.move(
        hold,
        "lift",
        expected_version=expected_version,
        reason=reason,
        lifted_by=by,
        lift_reason=reason[:500],
        lifted_at=Wall(),
    )

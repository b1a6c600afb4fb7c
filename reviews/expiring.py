"""Waivers and deferrals end by the clock: a job that is due then ends them, and opens their findings again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import structlog
from django.db.models import F

from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from reviews import decisions, telling
from reviews.models import Decision, DecisionState
from reviews.transitions import DECISION

log = structlog.get_logger(__name__)
BY_CLOCK: Final = "Shiproom: its time is over"
# Decisions that one run ends; each has a job of its own, so the next run takes the others.
DUE_AT_ONCE: Final = 100


def end_due(writing: Callable[[], AbstractContextManager[Any]] = unit_of_work) -> int:
    """End what was to last until now: its finding is open again, and who asked is told. Returns how many.

    Each in a transaction that ``writing`` opens; whichever run is first ends
    it, and another finds it done.
    """
    due = decisions.standing().filter(until__lte=Wall()).order_by(F("until"), "pk")
    ended = 0
    for decision in due[:DUE_AT_ONCE]:
        try:
            with writing(), acting(Actor("clock", "expiry", BY_CLOCK)):
                _end(decision)
        except Refused as refusal:
            log.info("decision_not_ended", decision=DECISION.subject(decision), why=str(refusal))
        else:
            ended += 1
    return ended


def _end(decision: Decision) -> None:
    asked = decision.state == DecisionState.ASKED
    what = "Nobody gave the waiver in time" if asked else f"{decision.get_kind_display()} until now"
    decisions.end(decision, reason=f"{what}: it ended on {decisions.day_of(decision.until)}.")
    telling.ended_by_itself(decision)

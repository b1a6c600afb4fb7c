"""The attempts of a job as a line of time, and what they have used up of its budgets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Count

from workers import failures
from workers.models import Attempt, Job, Outcome

SHOWN: Final = 50
WIDTH: Final = 100.0
# as wide as something can be that is over at once
NARROWEST: Final = 1.0
ALWAYS: Final = (Outcome.FAILED, Outcome.LOST)
WORDS: Final = {
    Outcome.FAILED: ("failure", "failures"),
    Outcome.LOST: ("loss", "losses"),
    Outcome.TIMED_OUT: ("time-out", "time-outs"),
    Outcome.UNSEEN: ("loss before a heartbeat", "losses before a heartbeat"),
}


class Line(NamedTuple):
    """An attempt, and where it lies between the first one's start and the last one's end, of a hundred."""

    attempt: Attempt
    x: float
    width: float
    cpu_seconds: float | None


def newest(job: Job) -> tuple[list[Attempt], bool]:
    """The newest first, and whether there are more."""
    found = list(job.attempts.order_by("-fence")[: SHOWN + 1])
    return found[:SHOWN], len(found) > SHOWN


def timeline(attempts: Sequence[Attempt], now: datetime) -> list[Line]:
    if not attempts:
        return []
    begin = min(attempt.started_at for attempt in attempts)
    end = max(attempt.ended_at or now for attempt in attempts)
    whole = max((end - begin).total_seconds(), 0.001)
    lines = []
    for attempt in attempts:
        x = (attempt.started_at - begin).total_seconds() / whole * WIDTH
        took = ((attempt.ended_at or now) - attempt.started_at).total_seconds() / whole * WIDTH
        width = max(took, NARROWEST)
        seconds = None if attempt.cpu_ms is None else attempt.cpu_ms / 1000
        lines.append(Line(attempt, round(min(x, WIDTH - NARROWEST), 2), round(min(width, WIDTH), 2), seconds))
    return lines


def budgets(job: Job) -> str:
    """``2 of 3 failures, 0 of 3 losses``: what counts until it is dead; what a person gave back does not."""
    rows = job.attempts.filter(counted=True).order_by().values_list("outcome").annotate(number=Count("id"))
    used = dict(rows)
    told = []
    for outcome, (one, several) in WORDS.items():
        number, most = used.get(outcome.value, 0), failures.budget(outcome, job.max_failures)
        if number or outcome in ALWAYS:
            told.append(f"{number} of {most} {one if most == 1 else several}")
    return ", ".join(told)

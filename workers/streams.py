"""What of this layer can be followed live: outputs, and the state of all jobs."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, F, Max, Sum

from portal.core.access import SIGNED_IN, Role, within
from portal.live import streams
from workers.models import LIVE_STATES, Attempt, AttemptOutput, Job, Pause, Worker


def register() -> None:
    streams.register("output", within(Role.VIEWER), output_scope, OutputSource(), label="Output")
    # Jobs have no stream of their own: whether anything changed is derived, once a second, while somebody looks.
    streams.register("jobs", SIGNED_IN, lambda name: "", JobsSource(), label="Jobs")


def attempt_of(name: str) -> int:
    return int(name.partition(":")[2])


def output_scope(name: str) -> str | None:
    """The audience of the attempt's job; None where there is no such attempt."""
    digits = name.partition(":")[2]
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        return None
    return Attempt.objects.filter(pk=int(digits)).values_list("job__audience", flat=True).first()


class OutputSource:
    """Rows of output; numbers are byte offsets of the spool."""

    def epoch(self, name: str) -> str:
        # Of the attempt's own life: after a restore another attempt may have its number.
        started = Attempt.objects.filter(pk=attempt_of(name)).values_list("started_at", flat=True).first()
        return f"{int(started.timestamp() * 1000):x}" if started else "0"

    def head(self, names: Sequence[str]) -> dict[str, int]:
        rows = AttemptOutput.objects.filter(attempt_id__in=[attempt_of(name) for name in names]).values("attempt_id")
        ends = {row["attempt_id"]: row["end"] for row in rows.annotate(end=Max(F("offset") + F("length")))}
        return {name: ends.get(attempt_of(name), 0) for name in names}

    def rows(self, name: str, after: int, limit: int) -> list[tuple[int, dict[str, str]]]:
        rows = AttemptOutput.objects.filter(attempt_id=attempt_of(name), offset__gte=after).order_by("offset")
        found = rows.values_list("offset", "length", "text")[:limit]
        return [(offset + length, {"text": text}) for offset, length, text in found]


class JobsSource:
    def digest(self, name: str) -> str:
        """Another value whenever a job, an attempt or a worker changed its state, or a queue was paused or resumed.

        Read from indexes alone, however many jobs have ended: what ends leaves
        the live ones, what begins has a new id.
        """
        live = Job.objects.filter(state__in=LIVE_STATES).values_list("state")
        states = sorted(live.annotate(jobs=Count("id"), fences=Sum("fence"), cancels=Count("cancel_at")))
        newest = Job.objects.aggregate(newest=Max("id")), Attempt.objects.aggregate(newest=Max("id"))
        workers = sorted(Worker.objects.values_list("state").annotate(n=Count("id")))
        paused = sorted(Pause.objects.values_list("name", flat=True))
        return repr((states, newest, workers, paused))

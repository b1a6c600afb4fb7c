"""Whether this installation works: what the status page, ``/status.json`` and ``/readyz`` say."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Max

import portal
from portal.core import clock, guard, limits, revision
from portal.site import looks
from workers.models import Pool, Worker

BROKER_TIMEOUT_SECONDS: Final = 1
STANDING_SECONDS: Final = 300
BEAT_PREFIX: Final = "beat@"
TITLES: Final = {
    "database": "Database",
    "schema": "Schema",
    "broker": "Broker and channel layer",
    "workers_turns": "Workers for turns",
    "workers_short": "Workers for short jobs",
    "clock": "Clock",
    "disk": "Disk",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One question: ``answer`` is ok, warning or broken; ``detail`` a sentence that leaks nothing."""

    name: str
    answer: str
    detail: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


def release() -> str:
    return portal.__version__


def everything() -> list[Check]:
    """All checks. Those that need the database are not asked where it is down."""
    base = database()
    rest = [*workers(), beat()] if base.answer == "ok" else []
    return [base, schema(), broker(), *rest, disk()]


def ready() -> list[Check]:
    """What this process needs to answer requests; an empty list means ready."""
    base = database()
    asked = [base, schema()] if base.answer == "ok" else [base]
    return [check for check in asked if check.answer == "broken"]


def database() -> Check:
    began = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return Check("database", "broken", "The database does not answer.")
    took = round((time.monotonic() - began) * 1000, 1)
    return Check("database", "ok", f"{connection.display_name} answered {_within(took)}.", {"milliseconds": took})


def _within(milliseconds: float) -> str:
    return "within a millisecond" if milliseconds < 1 else f"in {milliseconds} ms"


class Standing:
    """The last report that a probe or a page of this process asked for: what the frame's banner is made of."""

    report: guard.Report | None = None
    at = 0.0

    @classmethod
    def recent(cls) -> guard.Report | None:
        """The report, while it is recent enough to be said on a page."""
        return cls.report if time.monotonic() - cls.at < STANDING_SECONDS else None


def schema() -> Check:
    """How the schema stands: the guard's answer, at most half a minute old."""
    report = Standing.report = guard.standing()
    Standing.at = time.monotonic()
    answer = "ok"
    if not report.may_start:
        answer = "broken"
    elif report.answer is not guard.Answer.START:
        answer = "warning"
    return Check("schema", answer, report.sentence, {"code": report.code, "differences": len(report.differences)})


def broker() -> Check:
    began = time.monotonic()
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT_SECONDS, socket_connect_timeout=BROKER_TIMEOUT_SECONDS
    )
    try:
        client.ping()
    except (redis.RedisError, OSError):
        return Check(
            "broker", "warning", "The broker does not answer. Work goes on, up to 20 s later; pages are not live."
        )
    finally:
        client.close()
    took = round((time.monotonic() - began) * 1000, 1)
    return Check("broker", "ok", f"The broker answered {_within(took)}.", {"milliseconds": took})


def workers() -> list[Check]:
    """One check per pool: somebody alive, seen within a lease."""
    since = clock.now() - timedelta(seconds=settings.LIMITS["LEASE_SECONDS"])
    alive = Worker.objects.filter(state=Worker.State.ALIVE, seen_at__gte=since).exclude(name__startswith=BEAT_PREFIX)
    found = dict(alive.values_list("pool").annotate(Count("id")))
    return [_pool(pool, found.get(pool.value, 0)) for pool in Pool]


def _pool(pool: Pool, alive: int) -> Check:
    name = f"workers_{pool.value}"
    if not alive:
        return Check(
            name,
            "broken",
            f"None is alive: {pool.label.lower()} wait. To mend: python manage.py serve worker {pool.value}.",
            {"alive": 0},
        )
    return Check(name, "ok", f"{alive} alive.", {"alive": alive})


def beat() -> Check:
    seen = Worker.objects.filter(name__startswith=BEAT_PREFIX).aggregate(newest=Max("seen_at"))["newest"]
    if seen is None:
        return Check(
            "clock",
            "broken",
            "It has never ticked: schedules do not run. To mend: python manage.py serve beat.",
        )
    age = clock.ago(seen, clock.now())
    late = age > timedelta(seconds=max(30, 6 * settings.LIMITS["TICK_INTERVAL_SECONDS"]))
    words = f"The last tick was {looks.spell(age)} ago."
    return Check("clock", "broken" if late else "ok", words, {"seconds": int(age.total_seconds())})


def disk() -> Check:
    usage = shutil.disk_usage(settings.DATA_DIR)
    free = round(100 * usage.free / usage.total)
    words = f"{free} % of the disk of DATA_DIR is free ({usage.free // 1_073_741_824} GiB)."
    return Check(
        "disk", "warning" if free < settings.LIMITS["DISK_WARN_PERCENT"] else "ok", words, {"free_percent": free}
    )


def limits_in_force() -> list[tuple[limits.Limit, int]]:
    return [(limit, settings.LIMITS[limit.name]) for limit in limits.ALL]


def document() -> dict[str, Any]:
    """The status as JSON."""
    checks = everything()
    return {
        "version": release(),
        "commit": revision.running().commit or None,
        "commit_unknown": revision.running().why or None,
        "answer": worst(checks),
        "checks": [asdict(check) for check in checks],
        "limits": {limit.name: value for limit, value in limits_in_force()},
    }


def worst(checks: list[Check]) -> str:
    answers = {check.answer for check in checks}
    return next((answer for answer in ("broken", "warning") if answer in answers), "ok")

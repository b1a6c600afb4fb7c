"""The rows that a run left, as plain data for the checker."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from django.db.models import Model, QuerySet

from deployments.models import Deployment, Step
from portal.core.models import Activity
from portal.live.models import Stream
from tests.soak.kinds import key_of
from tickets.models import Delivery, Message, Ticket, Turn
from workers.models import Attempt, Job, LaneSlot, ScheduleTick, SubjectSlot

Rows = dict[str, Any]


def export(repository: Path) -> Rows:
    """Everything that the checker looks at. Call it when the portal has come to rest."""
    return {
        "jobs": [_job(job) for job in Job.objects.order_by("id")],
        "attempts": [
            {
                "job": row.job_id,
                "fence": row.fence,
                "outcome": row.outcome,
                "worker": row.worker,
                "started": row.started_at.timestamp(),
                "ended": row.ended_at.timestamp() if row.ended_at else None,
            }
            for row in Attempt.objects.order_by("id")
        ],
        "lane_slots": _values(LaneSlot.objects.all(), lane="lane_id", n="n", job="job_id"),
        "subject_slots": _values(SubjectSlot.objects.all(), subject="subject", job="job_id"),
        "ticks": [
            {"schedule": row.schedule_id, "due": row.due_at.isoformat(), "job": row.job_id}
            for row in ScheduleTick.objects.order_by("id")
        ],
        "marks": [_mark(row) for row in Activity.objects.filter(verb__startswith="soak.").order_by("id")],
        "streams": dict(Stream.objects.values_list("name", "head")),
        "tickets": _values(Ticket.objects.order_by("id"), key="key", title="title", state="state"),
        "turns": _values(Turn.objects.order_by("id"), ticket="ticket__key", seq="seq", state="state"),
        "messages": [_message(row) for row in Message.objects.select_related("ticket").order_by("id")],
        "landed": _landed(repository),
        "deployments": _values(Deployment.objects.order_by("id"), number="pk", state="state"),
        "steps": [
            {"key": f"{row.deployment_id}/{row.n}", "state": row.state, "counted": row.kind == "command"}
            for row in Step.objects.order_by("id")
        ],
    }


def _values(rows: QuerySet[Model], **names: str) -> list[Rows]:
    return [dict(zip(names, found, strict=True)) for found in rows.values_list(*names.values())]


def _job(job: Job) -> Rows:
    return {
        "id": job.pk,
        "kind": job.kind,
        "state": job.state,
        "subject": job.subject,
        "exclusive": job.exclusive,
        "key": key_of(job.payload, job.pk) if job.kind.startswith("soak.") else "",
        "error": job.error,
    }


def _mark(row: Activity) -> Rows:
    job, _, fence = row.subject.removeprefix("job:").partition("/")
    verb = row.verb.removeprefix("soak.")
    return {"id": row.pk, "verb": verb, "job": int(job), "fence": int(fence), "final": bool(row.after.get("final"))}


def _message(row: Message) -> Rows:
    deliveries = list(Delivery.objects.filter(message=row).values_list("state", flat=True))
    return {
        "ticket": row.ticket.key,
        "number": row.number,
        "key": row.idempotency_key,
        "taken": len(deliveries),
        "read": "acknowledged" in deliveries,
        "live": sum(state in {"taken", "acknowledged"} for state in deliveries),
    }


def _landed(repository: Path) -> dict[str, int]:
    """By ticket: how many merges of it the target branch holds."""
    argv = ["git", "-C", str(repository), "log", "--first-parent", "--format=%s", "main"]
    subjects = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, int] = {}
    for key, colon, _ in (subject.partition(": ") for subject in subjects):
        if colon:
            found[key] = found.get(key, 0) + 1
    return found

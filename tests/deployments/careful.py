"""Scenes of careful deployments for the browser: backup, rehearsal, structure, pauses, waivers, later health."""

from __future__ import annotations

import hashlib
from typing import Any

from deployments import observing, waiving
from deployments.intake import AGAIN
from deployments.models import HealthCheck, PipelineStep, Placement, Step, Structure
from portal.core.clock import Wall
from portal.core.unit import unit_of_work
from tests import factories
from tests.deployments import build, pages
from tests.factories import World

BEFORE = "CREATE TABLE attempt (\n    id bigint NOT NULL,\n    ended_at timestamp\n);\n"
AFTER = BEFORE.replace(");", "    fence integer NOT NULL\n);")
CHANGES = (
    "diff --git a/before b/after\n--- a/before\n+++ b/after\n@@ -1,4 +1,5 @@\n CREATE TABLE attempt (\n"
    "     id bigint NOT NULL,\n     ended_at timestamp\n+    fence integer NOT NULL\n );\n"
)
STEPS: list[dict[str, Any]] = [
    {"kind": "backup", "name": "Backup", "command": ["./backup"], "verify": ["./restore", "--into", "scratch"]},
    {"kind": "rehearse", "name": "Rehearse", "command": ["./rehearse"]},
    {"kind": "migrate", "name": "Migrate", "command": ["./migrate"], "undo": ["./back"], "structure": ["./schema"]},
    {"kind": "restart", "name": "Restart", "command": ["./restart"], "retries": 2},
    {"kind": "wait", "name": "Let it settle", "pause_seconds": 600},
    {
        "kind": "http",
        "name": "Front page",
        "url": "http://127.0.0.1:{PORT}/",
        "statuses": [200, 302],
        "contains": "Lamp",
    },
    {"kind": "health", "name": "Health", "url": "http://127.0.0.1:{PORT}/health", "soak_seconds": 60},
]


def place(world: World, name: str, to: str, steps: list[dict[str, Any]] | None = None, **settings: Any) -> pages.Place:
    service = build.service(world.mc, name)
    service.pipeline.all().delete()
    for n, step in enumerate(steps or STEPS, start=1):
        PipelineStep.objects.create(service=service, n=n, again=step["kind"] in AGAIN, **step)
    return pages.Place(world.mc, service, build.environment(world.mc, to, variables={"PORT": "8001"}, **settings))


def scenes(world: World) -> dict[str, str]:
    by = world.releaser
    ledger = place(world, "ledger", "books", migrations_rehearsed=True, place=20)
    done = pages.walked(ledger.ask(by))
    _printed(done.steps.get(n=3))
    _answered(done.steps.get(n=6))
    Step.objects.filter(pk=done.steps.get(n=1).pk).update(
        message="18,204 rows in ledger.dump. Its restore was rehearsed: equal"
    )
    Step.objects.filter(pk=done.steps.get(n=4).pk).update(retried=1)
    pausing = pages.walked(place(world, "till", "counter", place=21).ask(by), steps=4)
    pages.begun(pausing)
    Step.objects.filter(deployment=pausing, n=5).update(due_at=Wall(540))
    bold = [{"kind": "migrate", "name": "Drop the old tables", "command": ["./migrate"]}]
    waits = place(world, "vault", "cellar", bold, migrations_rehearsed=True, place=22).ask(by)
    other = factories.person("keeper@example.org", name="Keeper")
    factories.member(world.mc, other, factories.Role.RELEASER)
    reason = "Nobody reads them since May; the dump of May is kept."
    waiving.waive(waits, "one_way", by=other, plan_digest=waits.plan_digest, reason=reason)
    _degraded(done)
    return {
        "careful-done": done.get_absolute_url(),
        "careful-pausing": pausing.get_absolute_url(),
        "careful-waiting": waits.get_absolute_url(),
        "careful-pipeline": f"{ledger.service.get_absolute_url()}pipeline/",
        "careful-service": ledger.service.get_absolute_url(),
        "environment-degraded": ledger.environment.get_absolute_url(),
    }


def _printed(step: Step) -> None:
    for when, text, changes in (("before", BEFORE, ""), ("after", AFTER, CHANGES)):
        digest = hashlib.sha256(text.encode()).hexdigest()
        Structure.objects.create(step=step, when=when, text=text, digest=digest, changes=changes)


def _answered(step: Step) -> None:
    for n, (status, detail) in enumerate(
        [(0, "no answer: Connection refused"), (503, "status 503, and not 200 or 302")], 1
    ):
        HealthCheck.objects.create(
            step=step, n=n, right=False, status=status, detail=detail, at=step.ended_at, milliseconds=4
        )
    HealthCheck.objects.create(step=step, n=3, right=True, status=200, at=step.ended_at, milliseconds=11)


def _degraded(done: Any) -> None:
    """It was well for a time, then did not answer, and now somebody has put another commit there."""
    placement = Placement.objects.get(deployment=done)
    right = {"right": True, "status": 200, "reported": done.commit, "detail": "", "milliseconds": 12}
    silent = {"right": False, "status": 0, "reported": "", "detail": "no answer: Connection refused", "milliseconds": 1}
    other = {"right": False, "status": 200, "reported": "c0ffee0" * 5, "detail": "reports c0ffee0c0", "milliseconds": 9}
    for answer, times in ((right, 4), (silent, 1), (other, 3)):
        for _ in range(times):
            asked = observing.Asked(placement.pk, done.pk, done.commit, ["http://127.0.0.1:8001/health"], [answer])
            with unit_of_work():
                observing.take(asked)

"""A service's one command becomes its pipeline's one step; going back, what the older states cannot say is put simply."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F

ACTIVE = ("queued", "running")
# on the way back, a state that was not there becomes the one that says the least wrong
DEPLOYMENTS = {
    "preparing": "refused",
    "waiting_gate": "refused",
    "cancelled": "refused",
    "interrupted": "failed",
    "rolling_back": "failed",
    "rolled_back": "failed",
}
STEPS = {"needs_person": "waiting", "skipped": "failed"}


def forward(apps: Any, schema_editor: Any) -> None:
    service, step = apps.get_model("deployments", "Service"), apps.get_model("deployments", "PipelineStep")
    for row in service.objects.order_by("pk").iterator():
        if row.command and not step.objects.filter(service=row).exists():
            step.objects.create(service=row, n=1, kind="command", name="Deploy", command=row.command)
    deployment = apps.get_model("deployments", "Deployment")
    deployment.objects.exclude(commit="").filter(asked="").update(asked=F("commit"))


def backward(apps: Any, schema_editor: Any) -> None:
    service, step = apps.get_model("deployments", "Service"), apps.get_model("deployments", "PipelineStep")
    for row in service.objects.order_by("pk").iterator():
        first = step.objects.filter(service=row, kind__in=["command", "migrate", "restart"]).order_by("n").first()
        service.objects.filter(pk=row.pk).update(command=first.command if first else ["true"])
    _simplify(apps)


def _simplify(apps: Any) -> None:
    deployment, step = apps.get_model("deployments", "Deployment"), apps.get_model("deployments", "Step")
    for new, old in DEPLOYMENTS.items():
        deployment.objects.filter(state=new).update(state=old)
    for new, old in STEPS.items():
        step.objects.filter(state=new).update(state=old)
    seen: set[tuple[int, int]] = set()
    for row in deployment.objects.filter(state__in=ACTIVE).order_by("-pk"):
        if (row.service_id, row.environment_id) in seen:
            deployment.objects.filter(pk=row.pk).update(state="refused")
        seen.add((row.service_id, row.environment_id))
    verdict = apps.get_model("deployments", "Verdict")
    for row in deployment.objects.filter(verdict=None).select_related("service"):
        made = verdict.objects.create(project_id=row.service.project_id, digest="0" * 64, go=False)
        deployment.objects.filter(pk=row.pk).update(verdict=made)


class Migration(migrations.Migration):
    dependencies = [("deployments", "0002_the_door")]

    operations = [migrations.RunPython(forward, backward)]

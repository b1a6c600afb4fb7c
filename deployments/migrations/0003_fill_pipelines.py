"""A service's one command becomes its pipeline's one step; going back, what the older states cannot say is put simply."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
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


def forward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    service, step, deployment = _rows(apps, editor, "Service", "PipelineStep", "Deployment")
    for row in service.order_by("pk").iterator():
        if row.command and not step.filter(service=row).exists():
            step.create(service=row, n=1, kind="command", name="Deploy", command=row.command)
    deployment.exclude(commit="").filter(asked="").update(asked=F("commit"))


def backward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    service, pipeline, deployment, step, verdict = _rows(
        apps, editor, "Service", "PipelineStep", "Deployment", "Step", "Verdict"
    )
    for row in service.order_by("pk").iterator():
        first = pipeline.filter(service=row, kind__in=["command", "migrate", "restart"]).order_by("n").first()
        service.filter(pk=row.pk).update(command=first.command if first else ["true"])
    for new, old in DEPLOYMENTS.items():
        deployment.filter(state=new).update(state=old)
    for new, old in STEPS.items():
        step.filter(state=new).update(state=old)
    seen: set[tuple[int, int]] = set()
    for row in deployment.filter(state__in=ACTIVE).order_by("-pk"):
        # One active deployment a place, where many could be queued.
        if (row.service_id, row.environment_id) in seen:
            deployment.filter(pk=row.pk).update(state="refused")
        seen.add((row.service_id, row.environment_id))
    for row in deployment.filter(verdict=None).select_related("service"):
        made = verdict.create(project_id=row.service.project_id, digest="0" * 64, go=False)
        deployment.filter(pk=row.pk).update(verdict=made)


def _rows(apps: Apps, editor: BaseDatabaseSchemaEditor, *names: str) -> list[Any]:
    models = (apps.get_model("deployments", name) for name in names)
    return [model._default_manager.using(editor.connection.alias) for model in models]


class Migration(migrations.Migration):
    dependencies = [("deployments", "0002_the_door")]

    operations = [migrations.RunPython(forward, backward)]

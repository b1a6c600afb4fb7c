"""Going back, evidence of what is live is given up: the older edges have no word for it."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Nothing was live before there were such edges."""


def backward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("reviews", "Evidence")._default_manager.using(editor.connection.alias)
    rows.filter(edge__in=["release", "deployment", "health"]).delete()


class Migration(migrations.Migration):
    dependencies = [("reviews", "0005_places_of_evidence")]

    operations = [migrations.RunPython(forward, backward)]

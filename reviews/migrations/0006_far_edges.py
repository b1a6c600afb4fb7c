"""Going back, evidence of what is live is given up: the older edges have no word for it."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def forward(apps: Any, schema_editor: Any) -> None:
    """Nothing was live before there were such edges."""


def backward(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("reviews", "Evidence").objects
    rows.filter(edge__in=["release", "deployment", "health"]).delete()


class Migration(migrations.Migration):
    dependencies = [("reviews", "0005_places_of_evidence")]

    operations = [migrations.RunPython(forward, backward)]

"""Going back, what only these tables have words for is said in the older ones: open, seen again."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Nothing was decided with an end, or merged, before there were words for it."""


def backward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    def rows(model: str):  # type: ignore[no-untyped-def]
        return apps.get_model("reviews", model)._default_manager.using(editor.connection.alias)

    rows("Finding").filter(state__in=["deferred", "merged"]).update(state="open")
    rows("ImportRow").filter(action="regress").update(action="reopen")
    rows("ImportRow").filter(action__in=["choose", "known"]).update(action="seen")
    rows("Fingerprint").filter(algorithm__in=["region", "tool"]).delete()


class Migration(migrations.Migration):
    dependencies = [("reviews", "0007_decisions")]

    operations = [migrations.RunPython(forward, backward)]

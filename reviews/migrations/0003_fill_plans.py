"""Plans that were applied before plans could be reverted know what they made; findings get their fingerprints.

Going back, what the older tables have no word for takes the nearest word: a reverted plan is planned again, a
discarded one failed, a withdrawn finding rejected, a row that closes or opens again one that was seen. Rows of
findings that the document does not speak of are dropped: the older plan had none.
"""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, F, OuterRef, Subquery

CHUNK_ROWS = 1000


def forward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    review, finding, row, fingerprint = (
        apps.get_model("reviews", name).objects.using(editor.connection.alias)
        for name in ("Review", "Finding", "ImportRow", "Fingerprint")
    )
    for pk, series in review.filter(state="applied").values_list("pk", "series"):
        same = finding.filter(series=series, identity=OuterRef("identity"))
        made = row.filter(Exists(same), review=pk, outcome="planned")
        made.update(
            finding_id=Subquery(same.values("pk")), finding_version=Subquery(same.values("version")), outcome="applied"
        )
    _fingerprints(finding, fingerprint)


def _fingerprints(finding: Any, fingerprint: Any) -> None:
    made = []
    for pk, identity in finding.values_list("pk", "identity").iterator(CHUNK_ROWS):
        algorithm, _, value = identity.partition(":")
        if algorithm in {"key", "title"}:
            made.append(
                fingerprint.model(
                    finding_id=pk, algorithm=algorithm, algorithm_version=1, value=value.partition("#")[0]
                )
            )
    fingerprint.bulk_create(made, batch_size=CHUNK_ROWS, ignore_conflicts=True)


def backward(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    review, finding, row = (
        apps.get_model("reviews", name).objects.using(editor.connection.alias)
        for name in ("Review", "Finding", "ImportRow")
    )
    row.filter(action="carry").delete()
    row.filter(action__in=["close", "reopen"]).update(action="seen")
    review.filter(state="reverted").update(state="planned", version=F("version") + 1)
    review.filter(state="discarded").update(state="failed", error="Its plan was discarded.", version=F("version") + 1)
    finding.filter(state="withdrawn").update(
        state="rejected", answer="Its import was reverted.", version=F("version") + 1
    )


class Migration(migrations.Migration):
    # PostgreSQL alters no table with rows waiting for a deferred check: the data moves in a migration of its own.
    dependencies: Any = [("reviews", "0002_plan_and_revert")]
    operations: Any = [migrations.RunPython(forward, backward)]

"""Decisions that end, merges, rows to choose and to dispose of; checks that let more words in."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # The checks that are put anew let in all that the older ones did: older code runs beside.
    expand = True

    dependencies = [
        ("reviews", "0006_far_edges"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Decision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("reject", "Rejected"), ("waive", "Waived"), ("defer", "Deferred")],
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(editable=False, max_length=2000)),
                ("evidence", models.TextField(blank=True, editable=False)),
                ("scope", models.CharField(blank=True, editable=False, max_length=130)),
                ("premises", models.JSONField(default=list, editable=False)),
                ("until", models.DateTimeField(editable=False, null=True)),
                ("asked_label", models.CharField(editable=False, max_length=254)),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("given_label", models.CharField(blank=True, editable=False, max_length=254)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                ("end_reason", models.CharField(blank=True, editable=False, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=1000)),
                ("shared", models.BooleanField(default=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="finding",
            name="reviews_finding_state",
        ),
        migrations.RemoveConstraint(
            model_name="fingerprint",
            name="reviews_fingerprint_algorithm",
        ),
        migrations.RemoveConstraint(
            model_name="importrow",
            name="reviews_importrow_action",
        ),
        migrations.AddField(
            model_name="actionitem",
            name="owner",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="action_items",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="actionitem",
            name="ticked",
            field=models.BooleanField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="actionitem",
            name="ticked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="actionitem",
            name="ticked_by",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name="finding",
            name="merged_into",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="merged",
                to="reviews.finding",
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="rule",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name="importrow",
            name="candidates",
            field=models.JSONField(db_default=[], default=list, editable=False),
        ),
        migrations.AddField(
            model_name="importrow",
            name="chosen",
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="importrow",
            name="disposition",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not said yet"),
                    ("not_assessed", "Not assessed"),
                    ("still", "Still present"),
                    ("fixed", "Fixed"),
                    ("rejected", "Rejected"),
                    ("merged", "Merged into another"),
                ],
                db_default="",
                default="",
                editable=False,
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="importrow",
            name="disposition_reason",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=300),
        ),
        migrations.AddField(
            model_name="importrow",
            name="merge_into",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="reviews.finding",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="read_text",
            field=models.TextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.AddField(
            model_name="review",
            name="commit",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="review",
            name="form",
            field=models.CharField(db_default="markdown", default="markdown", editable=False, max_length=20),
        ),
        migrations.AddField(
            model_name="review",
            name="tool",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name="series",
            name="mapping",
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AlterField(
            model_name="fingerprint",
            name="algorithm",
            field=models.CharField(
                choices=[
                    ("key", "Ticket key"),
                    ("title", "Title"),
                    ("place", "Place"),
                    ("tool", "Tool"),
                    ("region", "Code"),
                ],
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="importrow",
            name="action",
            field=models.CharField(
                choices=[
                    ("new", "New"),
                    ("seen", "Seen again"),
                    ("close", "Close"),
                    ("reopen", "Open again"),
                    ("regress", "Back again"),
                    ("known", "Rejected already"),
                    ("choose", "Choose"),
                    ("carry", "Carry"),
                ],
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["deferred", "fixed", "merged", "open", "rejected", "waived", "withdrawn"])
                ),
                name="reviews_finding_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="fingerprint",
            constraint=models.CheckConstraint(
                condition=models.Q(("algorithm__in", ["key", "place", "region", "title", "tool"])),
                name="reviews_fingerprint_algorithm",
            ),
        ),
        migrations.AddConstraint(
            model_name="importrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("action__in", ["carry", "choose", "close", "known", "new", "regress", "reopen", "seen"])
                ),
                name="reviews_importrow_action",
            ),
        ),
        migrations.AddConstraint(
            model_name="importrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("disposition__in", ["", "fixed", "merged", "not_assessed", "rejected", "still"])),
                name="reviews_importrow_disposition",
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="asked_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="finding",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="decisions",
                to="reviews.finding",
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="given_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="savedfilter",
            name="user",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="finding_filters",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("state", "in_force")), fields=["until"], name="reviews_decision_due"
            ),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["finding", "-id"], name="reviews_decision_newest"),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["asked", "in_force"])),
                fields=("finding",),
                name="reviews_decision_one_in_force",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["asked", "ended", "in_force", "refused"])),
                name="reviews_decision_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["defer", "reject", "waive"])), name="reviews_decision_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "reject"), ("until__isnull", False), _connector="OR"),
                name="reviews_decision_waits_until",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="reviews_decision_says_why"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedfilter",
            constraint=models.UniqueConstraint(fields=("user", "name"), name="reviews_savedfilter_name"),
        ),
    ]

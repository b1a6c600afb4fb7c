"""Addresses that are told of verdicts, and what each was told."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    # New tables alone: older code runs beside.
    expand = True

    dependencies = [
        ("deployments", "0008_councils_of_policies"),
        ("tickets", "0007_kept_decisions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "form",
                    models.CharField(
                        choices=[("generic", "Generic"), ("github", "GitHub status"), ("gitlab", "GitLab status")],
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("url", models.CharField(editable=False, max_length=500)),
                ("secret", models.CharField(blank=True, editable=False, max_length=80)),
                ("token", models.CharField(blank=True, editable=False, max_length=80)),
                ("private", models.BooleanField(default=False, editable=False)),
                ("by", models.CharField(editable=False, max_length=254)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                (
                    "project",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to="tickets.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Telling",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("delivery", models.CharField(editable=False, max_length=32, unique=True)),
                (
                    "event",
                    models.CharField(
                        choices=[("verdict", "Verdict"), ("verdict.stale", "Verdict is stale"), ("ping", "Try")],
                        editable=False,
                        max_length=16,
                    ),
                ),
                ("commit", models.CharField(blank=True, editable=False, max_length=64)),
                ("body", models.TextField(editable=False)),
                ("tries", models.PositiveIntegerField(default=0, editable=False)),
                ("status", models.PositiveSmallIntegerField(editable=False, null=True)),
                ("answer", models.CharField(blank=True, editable=False, max_length=2000)),
                ("error", models.CharField(blank=True, editable=False, max_length=500)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("tried_at", models.DateTimeField(editable=False, null=True)),
                (
                    "verdict",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="deployments.verdict",
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tellings",
                        to="deployments.webhook",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["off", "on"])), name="deployments_webhook_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.CheckConstraint(
                condition=models.Q(("form__in", ["generic", "github", "gitlab"])), name="deployments_webhook_form"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhook",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("secret", ""), _negated=True), models.Q(("token", ""), _negated=True), _connector="OR"
                ),
                name="deployments_webhook_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="telling",
            index=models.Index(fields=["webhook", "-id"], name="deployments_telling_newest"),
        ),
        migrations.AddConstraint(
            model_name="telling",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["delivered", "failed", "waiting"])), name="deployments_telling_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="telling",
            constraint=models.CheckConstraint(
                condition=models.Q(("event__in", ["ping", "verdict", "verdict.stale"])),
                name="deployments_telling_event",
            ),
        ),
        migrations.AddConstraint(
            model_name="telling",
            constraint=models.UniqueConstraint(
                condition=models.Q(("verdict__isnull", False)),
                fields=("webhook", "verdict", "event"),
                name="deployments_telling_once",
            ),
        ),
    ]

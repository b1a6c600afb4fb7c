"""Checks of documents that the portal runs: allowed commands, and runs."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # New tables alone: older code runs beside.
    expand = True

    dependencies = [
        ("reviews", "0009_councils"),
        ("tickets", "0007_kept_decisions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AllowedCommand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("command", models.CharField(editable=False, max_length=300)),
                ("by", models.CharField(editable=False, max_length=254)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                (
                    "project",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="allowed_commands",
                        to="tickets.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "command"), name="reviews_allowedcommand_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Verification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("name", models.CharField(editable=False, max_length=300)),
                ("command", models.CharField(editable=False, max_length=300)),
                ("asked", models.CharField(blank=True, editable=False, max_length=200)),
                ("commit", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("passed", "Passed"),
                            ("failed", "Failed"),
                            ("no_tests", "No tests"),
                            ("timed_out", "Timed out"),
                            ("not_started", "Not started"),
                        ],
                        editable=False,
                        max_length=12,
                    ),
                ),
                ("exit_code", models.IntegerField(editable=False, null=True)),
                ("seconds", models.FloatField(editable=False, null=True)),
                ("summary", models.CharField(blank=True, editable=False, max_length=300)),
                ("output", models.TextField(blank=True, editable=False)),
                ("error", models.CharField(blank=True, editable=False, max_length=500)),
                ("asked_label", models.CharField(editable=False, max_length=254)),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="verifications",
                        to="reviews.review",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["review", "-id"], name="reviews_verification_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["asked", "ended", "failed"])),
                        name="reviews_verification_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome__in", ["", "failed", "no_tests", "not_started", "passed", "timed_out"])
                        ),
                        name="reviews_verification_outcome",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ended"), _negated=True),
                            models.Q(models.Q(("outcome", ""), _negated=True), models.Q(("commit", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="reviews_verification_of_a_commit",
                    ),
                ],
            },
        ),
    ]

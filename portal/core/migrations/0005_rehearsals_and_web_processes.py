"""What was rehearsed of migrations, and the web processes that are seen."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_idempotency"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebProcess",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(editable=False, max_length=120, unique=True)),
                ("host", models.CharField(editable=False, max_length=80)),
                ("pid", models.PositiveIntegerField(editable=False)),
                ("version", models.CharField(editable=False, max_length=40)),
                ("schema", models.CharField(editable=False, max_length=16)),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "verbose_name_plural": "web processes",
            },
        ),
        migrations.CreateModel(
            name="Rehearsal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("version", models.CharField(editable=False, max_length=40)),
                ("commit", models.CharField(blank=True, editable=False, max_length=40)),
                ("fingerprint", models.CharField(editable=False, max_length=16)),
                ("engine", models.CharField(editable=False, max_length=20)),
                ("from_heads", models.JSONField(default=dict, editable=False)),
                ("to_heads", models.JSONField(default=dict, editable=False)),
                ("steps", models.JSONField(default=list, editable=False)),
                (
                    "result",
                    models.CharField(
                        choices=[("passed", "Passed"), ("failed", "Failed")], editable=False, max_length=10
                    ),
                ),
                ("faults", models.JSONField(default=list, editable=False)),
                ("losses", models.JSONField(default=list, editable=False)),
                ("tables", models.PositiveIntegerField(editable=False)),
                ("rows", models.PositiveBigIntegerField(editable=False)),
                ("size_bytes", models.PositiveBigIntegerField(editable=False)),
                ("seconds", models.FloatField(editable=False)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("result__in", ["failed", "passed"])), name="core_rehearsal_result"
                    )
                ],
            },
        ),
    ]

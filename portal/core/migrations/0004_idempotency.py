"""What was asked under an idempotency key, and what was answered."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_activity_scope_and_notifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="Idempotency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(editable=False, max_length=64)),
                ("operation", models.CharField(editable=False, max_length=80)),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("scope", models.CharField(blank=True, editable=False, max_length=80)),
                ("status", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("answer", models.BinaryField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="idempotency_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "idempotency key",
                "constraints": [models.UniqueConstraint(fields=("user", "key"), name="core_idempotency_once")],
            },
        ),
    ]

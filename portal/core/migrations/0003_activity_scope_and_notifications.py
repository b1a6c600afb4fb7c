"""Whose history a row is, and what people are told.

The column is null in rows from before: adding it so rewrites no row, which
history would refuse, and on SQLite leaves the table with its trigger.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_activity_append_only"),
    ]

    operations = [
        migrations.AddField(
            model_name="activity",
            name="scope",
            field=models.CharField(blank=True, editable=False, max_length=80, null=True),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(fields=["scope", "-id"], name="core_activity_scope"),
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("verb", models.CharField(editable=False, max_length=60)),
                ("subject", models.CharField(editable=False, max_length=120)),
                ("scope", models.CharField(blank=True, editable=False, max_length=80)),
                ("title", models.CharField(editable=False, max_length=200)),
                ("url", models.CharField(editable=False, max_length=300)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("read_at", models.DateTimeField(editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "-at", "-id"], name="core_notification_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("read_at__isnull", True)),
                        fields=("user", "subject", "verb"),
                        name="core_notification_unread_once",
                    )
                ],
            },
        ),
    ]

from __future__ import annotations

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # The constraints are of tables that are new here, and of a column that older code leaves at its default.
    expand = True
    dependencies = [
        ("deployments", "0005_verdicts_of_commits"),
        ("tickets", "0007_kept_decisions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dependency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("least", models.PositiveIntegerField(default=0, editable=False)),
            ],
            options={
                "verbose_name_plural": "dependencies",
            },
        ),
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("begins_at", models.DateTimeField(editable=False)),
                ("ends_at", models.DateTimeField(editable=False)),
                ("time_zone", models.CharField(default="UTC", editable=False, max_length=60)),
                ("weekly", models.BooleanField(default=False, editable=False)),
                ("reason", models.CharField(editable=False, max_length=500)),
                ("by", models.CharField(editable=False, max_length=254)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("lifted_by", models.CharField(blank=True, editable=False, max_length=254)),
                ("lift_reason", models.CharField(blank=True, editable=False, max_length=500)),
                ("lifted_at", models.DateTimeField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="FreezeOverride",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by_label", models.CharField(editable=False, max_length=254)),
                ("target_digest", models.CharField(editable=False, max_length=64)),
                ("reason", models.CharField(editable=False, max_length=500)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
        ),
        migrations.AddField(
            model_name="environment",
            name="approval_hours",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, validators=[django.core.validators.MaxValueValidator(2160)]
            ),
        ),
        migrations.AddField(
            model_name="environment",
            name="follows",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="followers",
                to="deployments.environment",
            ),
        ),
        migrations.AddField(
            model_name="environment",
            name="soak_minutes",
            field=models.PositiveIntegerField(
                db_default=0, default=0, validators=[django.core.validators.MaxValueValidator(40320)]
            ),
        ),
        migrations.AddField(
            model_name="interruption",
            name="about",
            field=models.CharField(
                choices=[("step", "Step"), ("gate", "Gate")],
                db_default="step",
                default="step",
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="interruption",
            constraint=models.CheckConstraint(
                condition=models.Q(("about__in", ["gate", "step"])), name="deployments_interruption_about"
            ),
        ),
        migrations.AddField(
            model_name="dependency",
            name="needs",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="needed_by",
                to="deployments.service",
            ),
        ),
        migrations.AddField(
            model_name="dependency",
            name="service",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="dependencies",
                to="deployments.service",
            ),
        ),
        migrations.AddField(
            model_name="freeze",
            name="environment",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="freezes",
                to="deployments.environment",
            ),
        ),
        migrations.AddField(
            model_name="freeze",
            name="project",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="freezes",
                to="tickets.project",
            ),
        ),
        migrations.AddField(
            model_name="freezeoverride",
            name="by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="freezeoverride",
            name="deployment",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="overrides",
                to="deployments.deployment",
            ),
        ),
        migrations.AddField(
            model_name="freezeoverride",
            name="freeze",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="overrides",
                to="deployments.freeze",
            ),
        ),
        migrations.AddConstraint(
            model_name="dependency",
            constraint=models.UniqueConstraint(fields=("service", "needs"), name="deployments_dependency_once"),
        ),
        migrations.AddConstraint(
            model_name="dependency",
            constraint=models.CheckConstraint(
                condition=models.Q(("service", models.F("needs")), _negated=True),
                name="deployments_dependency_on_another",
            ),
        ),
        migrations.AddIndex(
            model_name="freeze",
            index=models.Index(fields=["project", "state", "-id"], name="deployments_freeze_of_project"),
        ),
        migrations.AddConstraint(
            model_name="freeze",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["lifted", "planned"])), name="deployments_freeze_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="freeze",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("begins_at"))), name="deployments_freeze_ends_later"
            ),
        ),
        migrations.AddConstraint(
            model_name="freezeoverride",
            constraint=models.UniqueConstraint(
                fields=("freeze", "deployment", "by", "target_digest"), name="deployments_freezeoverride_once"
            ),
        ),
    ]

"""Councils: several reviewers on one commit, their documents and votes."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # New tables, and columns with defaults: older code runs beside.
    expand = True

    dependencies = [
        ("reviews", "0008_decided"),
        ("tickets", "0007_kept_decisions"),
        ("workers", "0006_rate_limited"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="review",
            name="reviewer",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name="review",
            name="subject_commit",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="review",
            name="turn",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="reviews",
                to="tickets.turn",
            ),
        ),
        migrations.CreateModel(
            name="Council",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "about",
                    models.CharField(
                        choices=[
                            ("diff", "A diff"),
                            ("branch", "A branch, tag or commit"),
                            ("ticket", "The work of a ticket"),
                            ("deployment", "A deployment"),
                        ],
                        editable=False,
                        max_length=12,
                    ),
                ),
                ("asked", models.CharField(editable=False, max_length=200)),
                ("asked_from", models.CharField(blank=True, editable=False, max_length=200)),
                ("commit", models.CharField(blank=True, editable=False, max_length=64)),
                ("base", models.CharField(blank=True, editable=False, max_length=64)),
                ("title", models.CharField(blank=True, editable=False, max_length=200)),
                ("instructions", models.TextField(blank=True, editable=False)),
                ("quorum", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("deadline", models.DateTimeField(editable=False, null=True)),
                ("imports", models.BooleanField(default=False, editable=False)),
                ("authors", models.JSONField(default=list, editable=False)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("ship", "Ship"), ("ship_after", "Ship after"), ("do_not_ship", "Do not ship")],
                        editable=False,
                        max_length=12,
                    ),
                ),
                ("detail", models.CharField(blank=True, editable=False, max_length=500)),
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
                    "series",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="councils",
                        to="reviews.series",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tickets.ticket",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(editable=False, max_length=20)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("label", models.CharField(editable=False, max_length=254)),
                ("problem", models.CharField(blank=True, editable=False, max_length=500)),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("answered_at", models.DateTimeField(editable=False, null=True)),
                (
                    "agent",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="workers.agent",
                    ),
                ),
                (
                    "council",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="reviews.council",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="members",
                        to="reviews.review",
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tickets.ticket",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Vote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "ballot",
                    models.CharField(
                        choices=[("ship", "Ship"), ("ship_after", "Ship after"), ("do_not_ship", "Do not ship")],
                        editable=False,
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(editable=False, max_length=2000)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                (
                    "member",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="votes",
                        to="reviews.member",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="reviews.review",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="council",
            index=models.Index(fields=["commit", "-id"], name="reviews_council_of_commit"),
        ),
        migrations.AddConstraint(
            model_name="council",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["closed", "failed", "looking", "open", "void"])),
                name="reviews_council_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="council",
            constraint=models.CheckConstraint(
                condition=models.Q(("about__in", ["branch", "deployment", "diff", "ticket"])),
                name="reviews_council_about",
            ),
        ),
        migrations.AddConstraint(
            model_name="council",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["", "do_not_ship", "ship", "ship_after"])),
                name="reviews_council_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="council",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["failed", "looking", "void"]),
                    models.Q(("commit", ""), _negated=True),
                    _connector="OR",
                ),
                name="reviews_council_of_a_commit",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(fields=("council", "agent"), name="reviews_member_agent_once"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(fields=("council", "user"), name="reviews_member_user_once"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["answered", "failed", "refused", "waiting"])),
                name="reviews_member_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("agent", None), ("user", None), _connector="OR"), name="reviews_member_is_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.CheckConstraint(
                condition=models.Q(("ballot__in", ["do_not_ship", "ship", "ship_after"])), name="reviews_vote_ballot"
            ),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="reviews_vote_says_why"
            ),
        ),
    ]

"""What deployments leave behind, to be looked at; releases and holds can be acted upon."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSelectWidget

from deployments import holds, interruptions
from deployments.admin import asking
from deployments.admin.deployments import answer
from deployments.forms import Placed
from deployments.models import (
    Approval,
    Environment,
    Hold,
    HoldState,
    Interruption,
    InterruptionState,
    Placement,
    Release,
    Verdict,
    Waiver,
)
from portal.core.adminsite import Record, Rows
from portal.core.deeds import Deed
from portal.core.models import User
from tickets.models import Merge

LISTED = 50


class Holds(Rows):
    model = Hold
    fields = ("standing_state", "reason", "by", "at", "lifted_by", "lift_reason", "lifted_at")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("release__service", "environment")


def hold_release(release: Release, asked: dict[str, Any], request: HttpRequest) -> str:
    made = holds.hold_release(release, reason=asked["reason"])
    return f"{release} is held: {made.reason}"


def take(interruption: Interruption, asked: dict[str, Any], request: HttpRequest) -> str:
    by = cast(User, request.user)
    interruptions.take(interruption, by=by, expected_version=asked["expected_version"])
    return "You have it in hand."


def is_held(release: Release) -> bool:
    return Hold.objects.filter(release=release, state=HoldState.HOLDING).exists()


@admin.register(Release)
class ReleasePage(Record):
    list_display = ("__str__", "project", "short", "title", "made_at")
    list_filter = ("service__project", "service")
    list_select_related = ("service__project",)
    search_fields = ("=number", "commit", "title", "service__name")
    ordering = ("-id",)
    inlines = (Holds,)
    deeds = (Deed("hold", "Hold", asking.Explained, hold_release, lambda release: not is_held(release), danger=True),)

    def standing(self, row: Release) -> str:
        found = Hold.objects.filter(release=row, state=HoldState.HOLDING).first()
        return f"It goes nowhere: held by {found.by}, because: {found.reason}" if found else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        rows: QuerySet[Release] = super().get_queryset(request)
        return rows.select_related("service__project")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = {"pipeline": "steps", "open_findings": "findings_then", "merges": "holds_merges"}
        return tuple(shown.get(name, name) for name in super().get_fields(request, obj))

    @admin.display(description="Project", ordering="service__project__key")
    def project(self, release: Release) -> str:
        return release.service.project.key

    @admin.display(description="Commit", ordering="commit")
    def short(self, release: Release) -> str:
        return release.short

    @admin.display(description="Pipeline")
    def steps(self, release: Release) -> str:
        said = "\n".join(json.dumps(spec, ensure_ascii=False) for spec in release.pipeline)
        return format_html('<div class="as-written"><code>{}</code></div>', said)

    @admin.display(description="Findings that were open then")
    def findings_then(self, release: Release) -> str:
        return numbers(release.open_findings)

    @admin.display(description="Accepted work in it")
    def holds_merges(self, release: Release) -> str:
        rows = Merge.objects.filter(pk__in=release.merges).order_by("-pk")
        found = list(rows.values_list("ticket__key", "merged_commit")[: LISTED + 1])
        said = format_html_join(", ", "{} ({})", ((key, commit[:9]) for key, commit in found[:LISTED]))
        return format_html("{}{}", said or "none known", " and more" if len(found) > LISTED else "")


def numbers(found: list[int]) -> str:
    """Ids of findings, bounded."""
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"{', '.join(map(str, found[:LISTED]))}{more}" or "none"


class NewHold(forms.ModelForm):  # type: ignore[type-arg]
    """An environment that takes nothing; a release is held on its own page."""

    of_environment = Placed(
        Environment.objects.select_related("project").order_by("project__key", "place", "name"),
        label="Environment",
        widget=UnfoldAdminSelectWidget,
    )
    why = asking.why(required=True)

    class Meta:
        model = Hold
        fields = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        environment = cleaned.get("of_environment")
        if environment and Hold.objects.filter(environment=environment, state=HoldState.HOLDING).exists():
            self.add_error("of_environment", f"{environment} is held already.")
        return cleaned


def lift(hold: Hold, asked: dict[str, Any], request: HttpRequest) -> str:
    holds.lift(hold, expected_version=asked["expected_version"], reason=asked["reason"])
    return f"{hold.held} is held no longer."


@admin.register(Hold)
class HoldPage(Record):
    list_display = ("held", "standing_state", "reason", "by", "at", "lifted_by", "lifted_at")
    list_filter = ("state",)
    list_select_related = ("release__service", "environment", "cause__service", "cause__environment")
    search_fields = ("reason", "by", "environment__name", "release__service__name")
    ordering = ("-id",)
    deeds = (Deed("lift", "Lift", asking.Why, lift, lambda hold: hold.state == HoldState.HOLDING),)

    def standing(self, row: Hold) -> str:
        if row.state == HoldState.HOLDING:
            return f"{row.held} waits for somebody who lifts it: {row.reason}"
        return f"Lifted by {row.lifted_by}: {row.lift_reason}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        rows: QuerySet[Hold] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related)

    @admin.display(description="Held")
    def held(self, hold: Hold) -> str:
        return str(hold.held)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewHold}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return super().get_fields(request, obj) if obj else ("of_environment", "why")

    def save_model(self, request: HttpRequest, obj: Hold, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = holds.hold_environment(typed["of_environment"], reason=typed["why"])
        obj.__dict__.update(made.__dict__)


@admin.register(Verdict)
class VerdictPage(Record):
    list_display = ("id", "project", "go", "commit", "policy", "at", "valid_until")
    list_filter = ("go", "project")
    list_select_related = ("project",)
    search_fields = ("commit", "digest")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = {"blocking": "findings", "reasons": "why"}
        return tuple(shown.get(name, name) for name in super().get_fields(request, obj))

    @admin.display(description="Findings that hold")
    def findings(self, verdict: Verdict) -> str:
        return numbers(verdict.blocking)

    @admin.display(description="Reasons, and what lifts them")
    def why(self, verdict: Verdict) -> str:
        said = ((reason["text"], reason["lift"]) for reason in verdict.reasons)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} ({})</li>", said)) if verdict.reasons else "none"


@admin.register(Approval)
class ApprovalPage(Record):
    list_display = ("deployment", "approver_label", "standing_state", "reason", "at")
    list_filter = ("state",)
    list_select_related = ("deployment__service", "deployment__environment")
    search_fields = ("=deployment__id", "approver_label", "reason")
    ordering = ("-id",)


@admin.register(Interruption)
class InterruptionPage(Record):
    list_display = ("deployment", "step", "standing_state", "detail", "choice", "answered_label", "opened_at")
    list_filter = ("state", "choice")
    list_select_related = (
        "deployment__service",
        "deployment__environment",
        "step__deployment__service",
        "step__deployment__environment",
    )
    search_fields = ("=deployment__id", "detail", "answered_label")
    ordering = ("-id",)
    deeds = (
        Deed(
            "answer",
            "Answer",
            asking.Answer,
            answer,
            lambda row: row.state == InterruptionState.OPEN,
            fit=asking.fit_answer,
        ),
        Deed("take", "Take in hand", asking.Take, take, lambda row: row.state == InterruptionState.OPEN),
    )

    def standing(self, row: Interruption) -> str:
        if row.state == InterruptionState.OPEN:
            who = row.owner_label or "a person"
            return f"{row.step.name} waits for {who}: {row.detail or row.step.instructions}"
        return f"{row.answered_label} answered: {row.get_choice_display()}. {row.note}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Interruption]:
        rows: QuerySet[Interruption] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related, "answered_by")


@admin.register(Placement)
class PlacementPage(Record):
    list_display = ("service", "environment", "release", "deployment", "since", "verified_at", "degraded_at")
    list_filter = ("service__project", "environment")
    list_select_related = (
        "service__project",
        "environment",
        "release__service",
        "deployment__service",
        "deployment__environment",
    )
    search_fields = ("service__name", "environment__name", "release__commit")
    ordering = ("-id",)


@admin.register(Waiver)
class WaiverPage(Record):
    list_display = ("deployment", "kind", "by_label", "reason", "at")
    list_filter = ("kind", "deployment__service__project")
    list_select_related = ("deployment__service", "deployment__environment", "release__service")
    search_fields = ("=deployment__id", "by_label", "reason")
    ordering = ("-id",)

"""What an import leaves behind, to be looked at; rows of a plan may be left out of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextInputWidget

from portal.core.adminsite import Record
from portal.core.deeds import Deed
from reviews import applying, check_commands, verifying
from reviews.admin.reading import LINES_SHOWN, labelled, written
from reviews.admin.reviews import title_of, with_review
from reviews.models import (
    AllowedCommand,
    Check,
    Evidence,
    Fingerprint,
    ImportRow,
    Occurrence,
    ReviewState,
    Verification,
)
from tickets import policy
from tickets.admin.asking import Button
from tickets.fields import Checked, Form


class OfReview(Record):
    """Rows of a review, which comes with them, but without its document."""

    comes_with: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> Any:
        # Here, not in list_select_related: that is passed by where something is selected already.
        return with_review(super().get_queryset(request)).select_related("review__series", *self.comes_with)


def leave_out(row: ImportRow, asked: dict[str, Any], request: HttpRequest) -> str:
    applying.leave_out(row, True)
    return "Left out: applying the plan passes it by."


def take_in(row: ImportRow, asked: dict[str, Any], request: HttpRequest) -> str:
    applying.leave_out(row, False)
    return "In the plan again."


def waits(row: ImportRow) -> bool:
    return row.review.state == ReviewState.PLANNED


@admin.register(ImportRow)
class ImportRowPage(OfReview):
    list_display = ("n", "review", "action", "title", "ticket_key", "keys", "left_out", "outcome")
    list_filter = ("action", "left_out", "keys", "outcome")
    search_fields = ("=review__id", "identity", "ticket_key", "reason")
    comes_with = ("finding",)
    ordering = ("-review_id", "n")
    actions = ("leave_out", "take_in")
    deeds = (
        Deed("leave_out", "Leave it out", Button, leave_out, lambda row: waits(row) and not row.left_out),
        Deed("take_in", "Take it in again", Button, take_in, lambda row: waits(row) and row.left_out),
    )

    def standing(self, row: ImportRow) -> str:
        where = reverse("admin:reviews_review_change", args=[row.review_id])
        return format_html('A row of the plan of <a class="underline" href="{}">{}</a>.', where, row.review)

    @admin.display(description="Title")
    def title(self, row: ImportRow) -> str:
        return title_of(row)

    @admin.action(description="Leave out of the plan", permissions=["administer"])
    def leave_out(self, request: HttpRequest, queryset: QuerySet[ImportRow]) -> None:
        self.each(request, queryset, lambda row: applying.leave_out(row, True), "left out")

    @admin.action(description="Take in again", permissions=["administer"])
    def take_in(self, request: HttpRequest, queryset: QuerySet[ImportRow]) -> None:
        self.each(request, queryset, lambda row: applying.leave_out(row, False), "in the plan again")


@admin.register(Occurrence)
class OccurrencePage(OfReview):
    list_display = ("finding", "review", "severity_as_written", "status", "line_start")
    comes_with = ("finding",)
    search_fields = ("=finding__id", "=review__id", "title", "reference")
    ordering = ("-id",)
    # stored as lists and as text with line ends: shown so that they can be read
    shown: ClassVar[dict[str, str]] = {"files": "places", "fields": "labels", "body": "words"}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.shown.get(name, name) for name in super().get_fields(request, obj))

    @admin.display(description="Files")
    def places(self, row: Occurrence) -> str:
        return written([str(place) for place in row.files[:LINES_SHOWN]], max(0, len(row.files) - LINES_SHOWN))

    @admin.display(description="Fields")
    def labels(self, row: Occurrence) -> str:
        return labelled(row.fields)

    @admin.display(description="Body")
    def words(self, row: Occurrence) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', row.body)


@admin.register(Fingerprint)
class FingerprintPage(Record):
    list_display = ("finding", "algorithm", "algorithm_version", "value")
    list_filter = ("algorithm",)
    list_select_related = ("finding",)
    search_fields = ("=finding__id", "value")
    ordering = ("-id",)


@admin.register(Evidence)
class EvidencePage(Record):
    list_display = ("finding", "edge", "ref", "place", "strength", "by", "at")
    list_filter = ("edge", "strength")
    list_select_related = ("finding",)
    search_fields = ("=finding__id", "ref")
    ordering = ("-id",)


class At(Form):
    """Where a check is run; its command is shown above."""

    at = Checked(policy.branch_problem, limit=200, label="At", required=False, widget=UnfoldAdminTextInputWidget)


def show_command(form: Any, check: Check) -> None:
    """The exact command, where somebody decides on it."""
    form.fields["at"].help_text = f"Runs: {check_commands.of_check(check)}"


def verify(check: Check, asked: dict[str, Any], request: HttpRequest) -> str:
    verifying.ask(check, at=asked["at"], by=request.user)  # type: ignore[arg-type]
    return "It is run by a worker."


def allow(check: Check, asked: dict[str, Any], request: HttpRequest) -> str:
    command = asked["command"]
    verifying.allow(check, command=command, allowed=True, by=request.user)  # type: ignore[arg-type]
    return f"“{command}” may be run from now on."


class Exactly(Form):
    """The command as it was read: typed again, so that nobody allows what they did not read."""

    command = forms.CharField(
        max_length=300, strip=False, label="The command, exactly", widget=UnfoldAdminTextInputWidget
    )


def show_exactly(form: Any, check: Check) -> None:
    form.fields["command"].help_text = f"To be run: {check_commands.of_check(check)}"


def may_run(check: Check) -> bool:
    return bool(check_commands.of_check(check)) and check.review.state in verifying.RUNNABLE


@admin.register(Check)
class CheckPage(OfReview):
    list_display = ("name", "outcome", "review", "line")
    list_filter = ("outcome",)
    search_fields = ("=review__id", "name")
    comes_with = ("review__series__project",)
    ordering = ("-id",)
    deeds = (
        Deed("verify", "Run it", At, verify, may_run, fit=show_command),
        Deed("allow", "Allow its command", Exactly, allow, may_run, fit=show_exactly),
    )


@admin.register(Verification)
class VerificationPage(OfReview):
    list_display = ("command", "review", "state", "outcome", "exit_code", "commit", "asked_label", "asked_at")
    list_filter = ("state", "outcome")
    search_fields = ("=review__id", "command", "commit")
    ordering = ("-id",)


@admin.register(AllowedCommand)
class AllowedCommandPage(Record):
    list_display = ("command", "project", "by", "at")
    list_select_related = ("project",)
    search_fields = ("command", "project__key")
    ordering = ("-id",)

"""Findings: what reviews say, how people answer, and the tickets made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from portal.core.adminsite import ACTION_CLASSES, ReadOnly, ReasonForm, Rows
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from reviews import answers, evidence
from reviews.admin.asking import Defer, Reject, Waive, of_project
from reviews.admin.reviews import with_review
from reviews.models import Decision, Evidence, Finding, FindingState, Fingerprint, ImportRow, Occurrence, Series
from reviews.transitions import ANSWERS, FINDING
from reviews.wording import answer_given
from tickets.admin.asking import Nothing, Why

SERIES_OFFERED = 50
# of what a review says of a finding; its own page has all of it
BODY_SHOWN = 4000


class StateFilter(admin.SimpleListFilter):
    """Withdrawn findings are in no list, unless somebody asks for them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(FindingState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Finding]) -> QuerySet[Finding]:
        state = self.value()
        return queryset.filter(state=state) if state else queryset.exclude(state=FindingState.WITHDRAWN)


class TicketFilter(admin.SimpleListFilter):
    title = "ticket"
    parameter_name = "has_ticket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "With a ticket"), ("no", "Without one")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Finding]) -> QuerySet[Finding]:
        asked = self.value()
        return queryset.filter(ticket__isnull=asked == "no") if asked in {"yes", "no"} else queryset


class SeriesFilter(admin.SimpleListFilter):
    """The newest series; any other is found by its name."""

    title = "series"
    parameter_name = "of_series"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Series.objects.select_related("project").order_by("-id")[:SERIES_OFFERED]
        return [(str(row.pk), f"{row.project.key} · {row.name}") for row in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Finding]) -> QuerySet[Finding]:
        asked = self.value() or ""
        offered = {str(number) for number, _ in self.lookup_choices}
        return queryset.filter(series_id=int(asked)) if asked in offered else queryset


class Occurrences(Rows):
    model = Occurrence
    fields = ("review", "title", "severity_as_written", "standing", "tier", "line_start", "line_end")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_review(super().get_queryset(request)).select_related("finding")

    @admin.display(description="Status")
    def standing(self, row: Occurrence) -> str:
        return row.status.capitalize()


class ImportRows(Rows):
    model = ImportRow
    fk_name = "finding"
    verbose_name_plural = "rows of plans that are about it"
    fields = ("review", "n", "action", "reason", "outcome", "outcome_reason")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_review(super().get_queryset(request))


class EvidenceRows(Rows):
    model = Evidence
    fields = ("edge", "ref", "place", "strength", "detail", "by", "at")
    readonly_fields = fields
    ordering = ("-at", "-id")
    per_page = 20


class Decisions(Rows):
    model = Decision
    fields = ("kind", "standing_state", "reason", "scope", "until", "asked_label", "given_label")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20


class Fingerprints(Rows):
    model = Fingerprint
    fields = ("algorithm", "algorithm_version", "value")
    readonly_fields = fields
    ordering = ("id",)
    per_page = 20
    hide_title = True
    show_change_link = False


class FindingActions(ReasonForm):
    """Beside the action: why, what shows it, and the title where one ticket is made of all."""

    evidence = forms.CharField(
        label="",
        required=False,
        max_length=1000,
        widget=forms.TextInput(
            {"placeholder": "Evidence, to reject", "aria-label": "Evidence, to reject", "class": ACTION_CLASSES}
        ),
    )
    together = forms.CharField(
        label="",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            {"placeholder": "Title of one ticket", "aria-label": "Title of one ticket", "class": ACTION_CLASSES}
        ),
    )
    by = forms.ChoiceField(
        label="",
        required=False,
        choices=[("file", "By file"), ("rule", "By rule"), ("title", "By title")],
        widget=forms.Select({"aria-label": "What a group shares", "class": ACTION_CLASSES}),
    )


def make_ticket(finding: Finding, asked: dict[str, Any], request: HttpRequest) -> str:
    made = answers.make_tickets([finding])
    return f"{made[0].key} is made of it." if made else "Nothing new: it has its ticket."


def answering(verb: str) -> Callable[[Finding, dict[str, Any], HttpRequest], str]:
    def act(finding: Finding, asked: dict[str, Any], request: HttpRequest) -> str:
        change = {"reason": asked["reason"], "expected_version": asked["expected_version"]}
        if verb == "open_again":
            answers.open_again(finding, **change)
        else:
            taken = {name: asked[name] for name in ("evidence", "until", "scope") if name in asked}
            answers.answer(finding, verb, by=request.user, **change, **taken)  # type: ignore[arg-type]
        return answer_given(finding, verb)

    return act


# What an answer takes beyond a reason.
ASKING: Final[dict[str, type[Why]]] = {"reject": Reject, "waive": Waive, "defer": Defer}


def as_it_is(form: Any, finding: Finding) -> None:
    """The form asks the same of every finding."""


def allows(verb: str) -> Callable[[Finding], bool]:
    return lambda finding: verb in {step.verb for step in FINDING.allowed(finding.state)}


@admin.register(Finding)
class FindingPage(ReadOnly):
    list_display = ("__str__", "title", "severity", "standing_state", "series", "ticket")
    list_filter = (StateFilter, "severity", TicketFilter, "series__project", SeriesFilter)
    list_select_related = ("series__project", "ticket")
    search_fields = ("reference", "ticket_key", "title", "identity", "series__name")
    ordering = ("-id",)
    inlines = (Decisions, EvidenceRows, Occurrences, Fingerprints, ImportRows)
    action_form = FindingActions
    actions = ("make_tickets", "make_grouped_tickets", "make_one_ticket", "fix", "reject", "open_again")
    fieldsets = (
        (
            None,
            {"fields": ("title", "reference", "series", "severity", "category", "standing_state", "version", "answer")},
        ),
        ("What its newest review says", {"fields": ("says",)}),
        ("What becomes of it", {"fields": ("ticket", "ticket_key", "stands")}),
        ("Where", {"fields": ("places", "identity", "created_at", "history")}),
    )
    deeds = (
        Deed("ticket", "Make a ticket", Nothing, make_ticket, lambda finding: finding.ticket_id is None),
        *(
            Deed(verb, FINDING.transitions[verb].label, ASKING.get(verb, Why), answering(verb), allows(verb), fit=fit)
            for verb, fit in ((verb, of_project if verb == "waive" else as_it_is) for verb in (*ANSWERS, "open_again"))
        ),
    )

    def standing(self, row: Finding) -> str:
        if row.state == FindingState.WITHDRAWN:
            return "The import that brought it was reverted. Applying that document again brings it back."
        return ""

    @admin.display(description="In its words")
    def says(self, finding: Finding) -> str:
        newest = finding.occurrences.order_by("-review__number", "-pk").first()
        if newest is None:
            return ""
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', newest.body[:BODY_SHOWN])

    @admin.display(description="Standing")
    def stands(self, finding: Finding) -> str:
        return evidence.standing_of(finding).sentence

    @admin.display(description="Files")
    def places(self, finding: Finding) -> str:
        return ", ".join(str(place) for place in finding.files[:50])

    @admin.action(description="Make tickets, one each", permissions=["administer"])
    def make_tickets(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        """Those that have their ticket are passed by, and said to be."""
        made = queryset.filter(ticket=None)
        had = queryset.exclude(ticket=None).count()
        self.each(request, made, lambda finding: answers.make_tickets([finding]), "with a ticket now")
        if had:
            messages.warning(request, f"{had} had a ticket before: nothing new of them.")

    @admin.action(description="Make tickets, one for each group", permissions=["administer"])
    def make_grouped_tickets(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self._make(request, queryset, by=request.POST.get("by", "") or "file")

    @admin.action(description="Make one ticket of all, with the title", permissions=["administer"])
    def make_one_ticket(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        title = request.POST.get("together", "").strip()
        if not title:
            messages.error(request, "Type the title of the ticket beside the action first.")
            return
        self._make(request, queryset, together=title)

    def _make(self, request: HttpRequest, queryset: QuerySet[Finding], **how: str) -> None:
        try:
            made = answers.make_tickets(queryset.select_related("series__project").order_by("pk"), **how)
        except Refused as refusal:
            messages.error(request, str(refusal))
            return
        for ticket in made:
            messages.success(request, f"{ticket.key} is made of them.")
        if not made:
            messages.warning(request, "Nothing new: each of these findings has its ticket.")

    @admin.action(description="Call fixed, with the reason", permissions=["administer"])
    def fix(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda finding: answers.answer(finding, "fix", reason=reason), "fixed")

    @admin.action(description="Reject, with the reason and the evidence", permissions=["administer"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        said: dict[str, Any] = {"reason": self.reason(request), "evidence": request.POST.get("evidence", "").strip()}
        said["by"] = request.user
        rows = queryset.select_related("series__project")
        self.each(request, rows, lambda finding: answers.answer(finding, "reject", **said), "rejected")

    @admin.action(description="Open again", permissions=["administer"])
    def open_again(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda finding: answers.open_again(finding, reason=reason), "open again")

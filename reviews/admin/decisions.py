"""What was decided of findings, to be looked at; a second person's yes or no, and an end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from portal.core.adminsite import ReasonForm, Record
from portal.core.deeds import Deed
from reviews import decisions
from reviews.admin.reading import LINES_SHOWN, written
from reviews.models import Decision, DecisionState
from reviews.transitions import DECISION
from tickets.admin.asking import Nothing, Why


def give(decision: Decision, asked: dict[str, Any], request: HttpRequest) -> str:
    decisions.give(decision, by=request.user, expected_version=asked["expected_version"])  # type: ignore[arg-type]
    return f"Given. {decisions.in_words(decision)}"


def refuse(decision: Decision, asked: dict[str, Any], request: HttpRequest) -> str:
    said = {"reason": asked["reason"], "expected_version": asked["expected_version"]}
    decisions.refuse(decision, by=request.user, **said)  # type: ignore[arg-type]
    return f"Refused: {decision.finding} stays open."


def end(decision: Decision, asked: dict[str, Any], request: HttpRequest) -> str:
    decisions.end(decision, reason=asked["reason"], expected_version=asked["expected_version"])
    return f"Ended: {decision.finding} is {decision.finding.get_state_display().lower()}."


def waits(decision: Decision) -> bool:
    return decision.state == DecisionState.ASKED


def stands(decision: Decision) -> bool:
    return decision.state in decisions.STANDING


@admin.register(Decision)
class DecisionPage(Record):
    list_display = ("finding", "kind", "standing_state", "scope", "until", "asked_label", "given_label")
    list_filter = ("state", "kind", "finding__series__project")
    list_select_related = ("finding__series__project",)
    search_fields = ("=finding__id", "finding__title", "finding__reference", "reason")
    ordering = ("-id",)
    action_form = ReasonForm
    actions = ("end",)
    deeds = (
        Deed("give", DECISION.transitions["give"].label, Nothing, give, waits),
        Deed("refuse", DECISION.transitions["refuse"].label, Why, refuse, waits),
        Deed("end", DECISION.transitions["end"].label, Why, end, stands),
    )
    # stored as data and as text with line ends: shown so that they can be read
    shown: ClassVar[dict[str, str]] = {"state": "standing_state", "evidence": "proof", "premises": "rests_on"}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.shown.get(name, name) for name in super().get_fields(request, obj))

    def standing(self, row: Decision) -> str:
        return decisions.in_words(row) if stands(row) else ""

    @admin.display(description="Evidence")
    def proof(self, row: Decision) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', row.evidence)

    @admin.display(description="Code that it rests on")
    def rests_on(self, row: Decision) -> str:
        said = [f"{one.get('path')}:{one.get('start')}-{one.get('end')}" for one in row.premises[:LINES_SHOWN]]
        return written(said, max(0, len(row.premises) - LINES_SHOWN))

    @admin.action(description="End, with the reason", permissions=["administer"])
    def end(self, request: HttpRequest, queryset: QuerySet[Decision]) -> None:
        reason = self.reason(request)
        rows = queryset.select_related("finding__series__project")
        self.each(request, rows, lambda row: decisions.end(row, reason=reason), "ended")

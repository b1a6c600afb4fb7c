"""The trends of findings, of one project or of all that somebody sees."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core import limits
from portal.core.access import SIGNED_IN
from portal.core.doors import page
from reviews import charts, trends
from reviews.models import Severity
from tickets import lists, queries
from tickets.fields import Form


class TrendFilter(Form):
    """Of which project; one that its reader does not see is none."""

    name = "trends"
    project = forms.ChoiceField(
        required=False, error_messages={"invalid_choice": "You see no project “%(value)s”."}, label="Project"
    )

    def __init__(self, keys: list[str], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["project"].choices = [("", "All projects"), *((key, key) for key in keys)]  # type: ignore[attr-defined]


@page("findings.trends", SIGNED_IN)
def of_findings(request: HttpRequest) -> HttpResponse:
    projects = queries.projects_of(request.user)
    form = TrendFilter([project.key for project in projects], request.GET)
    chosen = lists.wanted_of(form)["project"]
    seen = {project.pk for project in projects if not chosen or project.key == chosen}
    found = trends.of(seen)
    severities = trends.severities(found.days) or [Severity.CRITICAL.value]
    context = {
        "form": form,
        "projects": projects,
        "chosen": chosen,
        "trends": found,
        "chart": charts.over_time(found.days),
        "severities": severities,
        "samples": charts.samples(found.days, severities),
        "bars": charts.bars(found.paces),
        "bars_height": charts.BAR_ROW * len(found.paces),
        "days": limits.value("TRENDS_RANGE_DAYS"),
        "most": limits.value("TRENDS_FIXES_ROWS"),
        "now": found.days[-1],
    }
    return render(request, "findings/trends.html", context)

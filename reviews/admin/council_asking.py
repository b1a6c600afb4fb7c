"""Asking for reviews as versions of a series, in the admin's controls."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from reviews.council_forms import AboutForm
from reviews.councils import asking
from reviews.models import Series
from tickets.models import Project


class AskOfSeries(AboutForm):
    """What the page asks for, but for the series and its project: they are those of the row."""

    series_row: Series | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        del self.fields["series"]
        fields = self.fields
        fields["about"].widget = UnfoldAdminSelectWidget(choices=fields["about"].choices)  # type: ignore[attr-defined]
        for name in ("asked_for", "since"):
            fields[name].widget = UnfoldAdminTextInputWidget()
        for name in ("people", "instructions"):
            fields[name].widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
        agents = UnfoldAdminCheckboxSelectMultipleWidget()
        agents.choices = fields["agents"].choices  # type: ignore[attr-defined]
        fields["agents"].widget = agents
        fields["quorum"].widget = UnfoldAdminIntegerFieldWidget()
        fields["deadline"].widget = UnfoldAdminDateWidget(format="%Y-%m-%d")
        fields["imports"].widget = UnfoldBooleanSwitchWidget()
        self.order_fields(["about", "asked_for", "since", "agents", "people", "instructions"])

    def project(self, cleaned: dict[str, Any]) -> Project | None:
        return self.series_row.project if self.series_row else None


def of_series(form: AskOfSeries, row: Series) -> None:
    form.series_row = row


def ask(row: Series, asked: dict[str, Any], request: HttpRequest) -> str:
    names = ("agents", "people", "instructions", "deadline", "imports")
    said: dict[str, Any] = {name: asked[name] for name in names} | {"quorum": asked["quorum"] or 0}
    said["agents"] = list(said["agents"])
    by: Any = request.user
    council = asking.ask(row.project, asked["subject"], series_name=row.name, by=by, **said)
    return f"Asked for, as {council}. Its commit is being looked up."

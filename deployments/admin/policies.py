"""Policies: immutable; another one is set by adding it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from deployments import gates, places
from deployments.models import Policy
from portal.core.adminsite import Record
from reviews.models import Severity
from tickets.models import Project


class NewPolicy(forms.ModelForm):  # type: ignore[type-arg]
    """``seen`` is the newest policy of all when the page was opened: a newer one of the project is shown first."""

    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )
    severities = forms.MultipleChoiceField(
        choices=[(severity.value, severity.label) for severity in Severity if severity != Severity.NONE],
        required=False,
        initial=[str(severity) for severity in gates.HOLDING],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="A finding of one of these, open or fixed elsewhere than in the commit, holds. None: nothing holds.",
    )
    valid_hours = forms.IntegerField(
        min_value=1,
        max_value=720,
        initial=gates.VALID_HOURS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A verdict is made again after this.",
    )
    seen = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)

    class Meta:
        model = Policy
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = newest()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        project, seen = cleaned.get("of_project"), cleaned.get("seen")
        if "seen" in self.errors:
            del self.errors["seen"]
            self.add_error(None, "The form was damaged on its way. Look at the page again, then send it.")
        elif project is not None:
            found = Policy.objects.filter(project=project)
            cleaned["number"] = found.filter(pk__lte=seen).aggregate(newest=Max("number"))["newest"] or 0
            later = found.filter(pk__gt=seen).order_by("-number").first()
            if later is not None:
                self._show(later)
        return cleaned

    def _show(self, later: Policy) -> None:
        """What was set meanwhile; the form speaks of it now, so that sending it again is a decision."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        data[self.add_prefix("seen")] = str(newest())
        self.data = data
        said = f"holds on {', '.join(later.severities) or 'nothing'}, valid for {later.valid_hours} hours"
        self.add_error("of_project", f"{later} was set since you opened this page: {said}. Save again to replace it.")


def newest() -> int:
    return Policy.objects.aggregate(newest=Max("pk"))["newest"] or 0


@admin.register(Policy)
class PolicyPage(Record):
    list_display = ("project", "number", "holds_on", "valid_hours", "by", "at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("project__key", "by")
    ordering = ("-id",)

    @admin.display(description="Holds on")
    def holds_on(self, policy: Policy) -> str:
        return ", ".join(policy.severities) or "nothing"

    def standing(self, row: Policy) -> str:
        now = gates.policy_of(row.project).number
        return "It is in force." if now == row.number else f"Policy {now} has followed it and is in force."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewPolicy}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("of_project", "severities", "valid_hours", "seen")
        return tuple("holds_on" if name == "severities" else name for name in super().get_fields(request, obj))

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = places.set_policy(
            typed["of_project"],
            severities=typed["severities"],
            valid_hours=typed["valid_hours"],
            expected_number=typed["number"],
        )
        obj.__dict__.update(made.__dict__)

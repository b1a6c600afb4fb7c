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
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from deployments import places, verdicts
from deployments.fields import AgeWords, CategoryWords
from deployments.models import Policy
from portal.core.adminsite import Record
from reviews.models import Severity
from tickets.models import Project

RULES = ("severities", "ages", "categories", "checks", "waived_holds", "council")


class NewPolicy(forms.ModelForm):  # type: ignore[type-arg]
    """``seen`` is the newest policy of all when the page was opened: a newer one of the project is shown first."""

    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )
    severities = forms.MultipleChoiceField(
        choices=[(severity.value, severity.label) for severity in Severity if severity != Severity.NONE],
        required=False,
        initial=[str(severity) for severity in verdicts.HOLDING],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="A finding of one of these, open or fixed elsewhere than in the commit, holds. None: nothing holds.",
    )
    valid_hours = forms.IntegerField(
        min_value=1,
        max_value=720,
        initial=verdicts.VALID_HOURS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A verdict is made again after this.",
    )
    ages = AgeWords(widget=UnfoldAdminTextInputWidget)
    categories = CategoryWords(widget=UnfoldAdminTextInputWidget)
    checks = forms.BooleanField(
        label="Checks must have passed",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="The project’s checks, as the portal ran them on the commit.",
    )
    waived_holds = forms.BooleanField(
        label="Waived holds",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="A waived finding holds as an open one does.",
    )
    council = forms.BooleanField(
        label="Council",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="A council must have looked at the very commit, and say ship.",
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
        said = f"holds on {holds_on(later)}, valid for {later.valid_hours} hours"
        self.add_error("of_project", f"{later} was set since you opened this page: {said}. Save again to replace it.")


def newest() -> int:
    return Policy.objects.aggregate(newest=Max("pk"))["newest"] or 0


def holds_on(policy: Policy) -> str:
    return "; ".join(verdicts.in_words(verdicts.in_force(policy))) or "nothing"


@admin.register(Policy)
class PolicyPage(Record):
    list_display = ("project", "number", "holds_on", "valid_hours", "by", "at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("project__key", "by")
    ordering = ("-id",)

    @admin.display(description="Holds on")
    def holds_on(self, policy: Policy) -> str:
        return holds_on(policy)

    def standing(self, row: Policy) -> str:
        now = verdicts.policy_of(row.project).number
        return "It is in force." if now == row.number else f"Policy {now} has followed it and is in force."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else kwargs | {"form": NewPolicy}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("of_project", *RULES, "valid_hours", "seen")
        shown = (name for name in super().get_fields(request, obj) if name not in RULES[1:])
        return tuple("holds_on" if name == "severities" else name for name in shown)

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = places.set_policy(
            typed["of_project"],
            valid_hours=typed["valid_hours"],
            expected_number=typed["number"],
            **{name: typed[name] for name in RULES},
        )
        obj.__dict__.update(made.__dict__)

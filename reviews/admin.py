"""Reviews and findings in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from portal.core import limits
from portal.core.adminsite import Admin, ReadOnly, ReasonForm, Rows
from reviews import answers, applying, documents
from reviews.models import Finding, ImportRow, Occurrence, Review, Series
from tickets.models import Project


@admin.register(Series)
class SeriesPage(Admin):
    list_display = ("name", "project")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("project", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlanRows(Rows):
    model = ImportRow
    fields = ("n", "action", "identity", "reason")
    readonly_fields = fields
    ordering = ("n",)
    per_page = 50
    show_change_link = False


class Upload(forms.ModelForm):  # type: ignore[type-arg]
    """A document to be read; the same bytes in the same series are the same review."""

    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )
    series_name = forms.CharField(
        label="Series", max_length=200, widget=UnfoldAdminTextInputWidget, help_text="What is reviewed again and again."
    )
    document = forms.FileField(widget=UnfoldAdminFileFieldWidget)

    class Meta:
        model = Review
        fields = ()

    def clean_document(self) -> Any:
        found = self.cleaned_data["document"]
        most = limits.value("DOCUMENT_MAX_BYTES")
        if found.size > most:
            raise forms.ValidationError(f"It has {found.size} bytes; {most} are accepted (DOCUMENT_MAX_BYTES).")
        return found


@admin.register(Review)
class ReviewPage(ReadOnly):
    actions = ("apply", "read_again")
    list_display = ("title", "series", "number", "state", "uploaded_at")
    list_filter = ("state", "series__project")
    list_select_related = ("series__project",)
    search_fields = ("title", "digest", "file_name")
    exclude = ("content",)
    ordering = ("-id",)
    inlines = (PlanRows,)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = Upload
        return super().get_form(request, obj, change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        typed, document = form.cleaned_data, form.cleaned_data["document"]
        review, _ = documents.receive(
            typed["of_project"], series_name=typed["series_name"], content=document.read(), file_name=document.name
        )
        obj.__dict__.update(review.__dict__)

    @admin.action(description="Apply the plan", permissions=["administer"])
    def apply(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self.each(request, queryset, applying.apply, "applied")

    @admin.action(description="Read again", permissions=["administer"])
    def read_again(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self.each(request, queryset, documents.read_again, "to be read again")


class Occurrences(Rows):
    model = Occurrence
    fields = ("review", "severity_as_written", "status", "line_start", "line_end")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20
    show_change_link = False


@admin.register(Finding)
class FindingPage(ReadOnly):
    list_display = ("__str__", "title", "severity", "state", "series", "ticket")
    list_filter = ("state", "severity", "series__project")
    list_select_related = ("series__project", "ticket")
    search_fields = ("reference", "title", "identity")
    ordering = ("-id",)
    inlines = (Occurrences,)
    action_form = ReasonForm
    actions = ("make_tickets", "reject", "waive", "open_again")

    @admin.action(description="Make tickets", permissions=["administer"])
    def make_tickets(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self.each(request, queryset, lambda finding: answers.make_tickets([finding]), "with a ticket now")

    @admin.action(description="Reject, with the reason", permissions=["administer"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda finding: answers.answer(finding, "reject", reason=reason), "rejected")

    @admin.action(description="Waive, with the reason", permissions=["administer"])
    def waive(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda finding: answers.answer(finding, "waive", reason=reason), "waived")

    @admin.action(description="Open again", permissions=["administer"])
    def open_again(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        reason = self.reason(request)
        self.each(request, queryset, lambda finding: answers.open_again(finding, reason=reason), "open again")

"""Reviews and findings in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.core.adminsite import Admin, ReadOnly, Rows
from reviews.models import Finding, ImportRow, Occurrence, Review, Series


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


@admin.register(Review)
class ReviewPage(ReadOnly):
    list_display = ("title", "series", "number", "state", "uploaded_at")
    list_filter = ("state", "series__project")
    list_select_related = ("series__project",)
    search_fields = ("title", "digest", "file_name")
    exclude = ("content",)
    ordering = ("-id",)
    inlines = (PlanRows,)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")


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

"""Projects and who is in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.core.adminsite import Admin, EditableRows
from portal.core.unit import unit_of_work
from tickets.models import Membership, Project, ProjectCounter


class Members(EditableRows):
    model = Membership
    autocomplete_fields = ("user",)


@admin.register(Project)
class ProjectPage(Admin):
    list_display = ("key", "name", "repository", "created_at")
    search_fields = ("key", "name")
    inlines = (Members,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The key is in every ticket's name: it never changes."""
        own = super().get_readonly_fields(request, obj)
        return ("key", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        with unit_of_work():
            super().save_model(request, obj, form, change)
            if not change:
                ProjectCounter.objects.create(project=obj)

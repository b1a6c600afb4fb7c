"""Projects and who is in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal.core.adminsite import Admin, EditableRows, SeenVersion
from portal.core.unit import unit_of_work
from tickets import projects
from tickets.fields import allowed_paths, branch, checks, repository
from tickets.models import Membership, Project, ProjectCounter

POLICY = ("target_branch", "merge_strategy", "checks", "allowed_paths", "second_agent", "default_answers")


class Members(EditableRows):
    model = Membership
    autocomplete_fields = ("user",)


class ProjectForm(SeenVersion):
    """What the project's page asks of its owners, with the same bounds and words."""

    repository = repository(widget=UnfoldAdminTextInputWidget)
    target_branch = branch(widget=UnfoldAdminTextInputWidget)
    checks = checks(UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}))
    allowed_paths = allowed_paths(UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}))

    class Meta:
        model = Project
        fields = ("key", "name", "repository", *POLICY)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("repository", "target_branch", "checks", "allowed_paths"):
            self.fields[name].show_hidden_initial = True


@admin.register(Project)
class ProjectPage(Admin):
    form = ProjectForm
    list_display = ("key", "name", "repository", "created_at")
    search_fields = ("key", "name")
    inlines = (Members,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = ("key", "name", "repository", *(("version", "history") if obj else ()), "seen")
        return ((None, {"fields": own}), ("How agents\u2019 work is taken in", {"fields": POLICY}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The key is in every ticket's name: it never changes."""
        own = super().get_readonly_fields(request, obj)
        return ("key", "version", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        if change:
            typed = {name: form.cleaned_data[name] for name in form.changed_data if name != "seen"}
            # The row in hand already has what was typed.
            stored = Project.objects.get(pk=obj.pk)
            projects.change(stored, expected_version=form.cleaned_data["seen"], **typed)
            return
        with unit_of_work():
            super().save_model(request, obj, form, change)
            ProjectCounter.objects.create(project=obj)

"""Projects and who is in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal.core.adminsite import Admin, EditableRows, SeenVersion
from portal.core.unit import unit_of_work
from tickets import host_keys as known
from tickets import projects, signing_in
from tickets.addresses import Address, address_of
from tickets.fields import Words, allowed_paths, branch, checks, host_keys, repository, secret_name
from tickets.models import Membership, Project, ProjectCounter

SIGNING_IN = ("deploy_key", "host_keys", "access_token", "access_user")
POLICY = ("target_branch", "merge_strategy", "landing", "checks", "allowed_paths", "second_agent", "default_answers")


class Members(EditableRows):
    model = Membership
    autocomplete_fields = ("user",)


class ProjectForm(SeenVersion):
    """What the project's page asks of its owners, with the same bounds and words."""

    repository = repository(widget=UnfoldAdminTextInputWidget)
    deploy_key = secret_name(
        "Deploy key",
        "The name of a stored secret that holds a private SSH key without a passphrase. For a repository by ssh.",
        widget=UnfoldAdminTextInputWidget,
    )
    host_keys = host_keys(UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}))
    access_token = secret_name(
        "Access token",
        "The name of a stored secret that holds a token. For a repository by https.",
        widget=UnfoldAdminTextInputWidget,
    )
    access_user = Words(
        limit=100,
        label="User of the token",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=f"Whom the host knows the token by. Empty: {signing_in.USER}.",
    )
    target_branch = branch(widget=UnfoldAdminTextInputWidget)
    checks = checks(UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}))
    allowed_paths = allowed_paths(UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}))

    class Meta:
        model = Project
        fields = ("key", "name", "repository", *SIGNING_IN, *POLICY)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("repository", *SIGNING_IN, "target_branch", "checks", "allowed_paths"):
            self.fields[name].show_hidden_initial = True

    def clean(self) -> dict[str, Any] | None:
        """A credential fits the repository that it is for, and the host is one that somebody has confirmed."""
        cleaned = super().clean()
        typed = self.cleaned_data
        address = address_of(typed.get("repository") or "")
        for name, by_key in (("deploy_key", True), ("access_token", False)):
            secret = typed.get(name)
            if secret and (problem := signing_in.credential_problem(secret, address, by_key=by_key)):
                self.add_error(name, problem)
        if "host_keys" in typed and (problem := self._host_problem(address, typed["host_keys"])):
            self.add_error("host_keys", problem)
        return cleaned

    def _host_problem(self, address: Address | None, lines: str) -> str:
        if lines:
            if address is None or address.protocol != "ssh":
                return "Host keys are for a repository by ssh."
            return known.lines_problem(lines, address)
        # Asked only where the address and the key are right: what is typed is not tried out on other hosts.
        return known.unconfirmed(address) if address and self.cleaned_data.get("deploy_key") else ""


@admin.register(Project)
class ProjectPage(Admin):
    form = ProjectForm
    list_display = ("key", "name", "repository", "created_at")
    search_fields = ("key", "name")
    inlines = (Members,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = ("key", "name", "repository", *(("version", "history") if obj else ()), "seen")
        return (
            (None, {"fields": own}),
            ("How git signs in at the repository", {"fields": SIGNING_IN}),
            ("How agents\u2019 work is taken in", {"fields": POLICY}),
        )

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
            projects.change(stored, expected_version=form.cleaned_data["seen"], by_admin=True, **typed)
            return
        with unit_of_work():
            super().save_model(request, obj, form, change)
            ProjectCounter.objects.create(project=obj)

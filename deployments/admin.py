"""Services, environments and deployments in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from deployments import rollout
from deployments.models import Deployment, Environment, Service, Step, Verdict
from portal.core.adminsite import Admin, ReadOnly, Rows


class OfProject(Admin):
    """What belongs to a project for good."""

    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__key")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = super().get_readonly_fields(request, obj)
        return ("project", *own) if obj else own

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Service)
class ServicePage(OfProject):
    list_display = ("name", "project", "command")


@admin.register(Environment)
class EnvironmentPage(OfProject):
    list_display = ("name", "project")


class Steps(Rows):
    model = Step
    fields = ("n", "name", "state", "exit_code", "message")
    readonly_fields = fields
    ordering = ("n",)
    show_change_link = False


class Request(forms.ModelForm):  # type: ignore[type-arg]
    """What to deploy where; its gate answers at once."""

    of_service = forms.ModelChoiceField(
        Service.objects.order_by("name"), label="Service", widget=UnfoldAdminSelectWidget
    )
    into = forms.ModelChoiceField(
        Environment.objects.order_by("name"), label="Environment", widget=UnfoldAdminSelectWidget
    )
    of_commit = forms.RegexField(
        r"^([0-9a-f]{7,64})?$",
        label="Commit",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="7 to 64 hexadecimal digits, or nothing.",
    )

    class Meta:
        model = Deployment
        fields = ()


@admin.register(Deployment)
class DeploymentPage(ReadOnly):
    list_display = ("id", "service", "environment", "commit", "state", "requested_at", "ended_at")
    list_filter = ("state", "service__project", "environment")
    list_select_related = ("service__project", "environment")
    search_fields = ("=id", "commit", "service__name")
    ordering = ("-id",)
    inlines = (Steps,)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_administer_permission(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = Request
        return super().get_form(request, obj, change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Deployment, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        made = rollout.request(typed["of_service"], typed["into"], commit=typed["of_commit"])
        obj.__dict__.update(made.__dict__)


@admin.register(Verdict)
class VerdictPage(ReadOnly):
    list_display = ("id", "project", "go", "at", "digest")
    list_filter = ("go", "project")
    list_select_related = ("project",)
    ordering = ("-id",)

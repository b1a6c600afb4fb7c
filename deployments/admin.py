"""Services, environments and deployments in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

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


@admin.register(Deployment)
class DeploymentPage(ReadOnly):
    list_display = ("id", "service", "environment", "commit", "state", "requested_at", "ended_at")
    list_filter = ("state", "service__project", "environment")
    list_select_related = ("service__project", "environment")
    search_fields = ("=id", "commit", "service__name")
    ordering = ("-id",)
    inlines = (Steps,)


@admin.register(Verdict)
class VerdictPage(ReadOnly):
    list_display = ("id", "project", "go", "at", "digest")
    list_filter = ("go", "project")
    list_select_related = ("project",)
    ordering = ("-id",)

"""Projects and tickets in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from portal.core.adminsite import ACTION_CLASSES, Admin, EditableRows, ReadOnly, ReasonForm, Rows, SeenVersion
from portal.core.lifecycle import amend
from portal.core.unit import unit_of_work
from tickets import work
from tickets.models import Membership, Project, ProjectCounter, Ticket, Turn, Workspace
from tickets.transitions import TICKET
from workers.models import Agent


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


class Turns(Rows):
    model = Turn
    fields = ("seq", "state", "agent_version", "verdict", "exit_code", "started_at", "ended_at")
    readonly_fields = fields
    ordering = ("-seq",)
    per_page = 20


class TicketForm(SeenVersion):
    class Meta:
        model = Ticket
        fields = ("title", "body")


class NewTicketForm(forms.ModelForm):  # type: ignore[type-arg]
    # not "project": the model's own field is in no form
    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Ticket
        fields = ("title", "body")


class TicketActions(ReasonForm):
    """Beside the action: the agent to assign, and why."""

    agent = forms.ModelChoiceField(
        Agent.objects.filter(enabled=True).order_by("name"),
        label="",
        required=False,
        empty_label="Agent",
        widget=forms.Select({"aria-label": "Agent", "class": ACTION_CLASSES}),
    )


@admin.register(Ticket)
class TicketPage(Admin):
    form = TicketForm
    list_display = ("key", "title", "state", "project", "agent_version", "updated_at")
    list_filter = ("state", "project")
    list_select_related = ("project", "agent_version__agent")
    search_fields = ("key", "title")
    ordering = ("-id",)
    readonly_fields = ("key", "state", "agent_version", "accepted_commit", "created_at", "updated_at")
    inlines = (Turns,)
    action_form = TicketActions
    actions = ("assign", "stop", "accept", "reopen")

    @admin.action(description="Assign to the agent", permissions=["administer"])
    def assign(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        chosen = request.POST.get("agent", "")
        agent = Agent.objects.filter(pk=chosen).first() if chosen.isdecimal() else None
        if agent is None:
            messages.error(request, "Choose the agent beside the action first.")
            return
        self.each(request, queryset, lambda ticket: work.assign(ticket, agent), f"assigned to {agent}")

    @admin.action(description="Stop the turn", permissions=["administer"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        reason = self.reason(request) or "Stopped in the admin."
        self.each(request, queryset, lambda ticket: work.stop(ticket, reason=reason), "told to stop")

    @admin.action(description="Accept", permissions=["administer"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self.each(request, queryset, lambda ticket: work.accept(ticket, reason=self.reason(request)), "accepted")

    @admin.action(description="Reopen", permissions=["administer"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        self.each(request, queryset, lambda ticket: work.reopen(ticket, reason=self.reason(request)), "reopened")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewTicketForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("of_project", "title", "body")
        return ("key", "state", "title", "body", *self.readonly_fields[2:], "history", "seen")

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Ticket, form: Any, change: bool) -> None:
        if not change:
            made = work.create_ticket(form.cleaned_data["of_project"], title=obj.title, body=obj.body)
            obj.__dict__.update(made.__dict__)
            return
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in {"title", "body"}}
        amend(Ticket.objects.get(pk=obj.pk), TICKET, "amended", expected_version=form.cleaned_data["seen"], **changes)


@admin.register(Turn)
class TurnPage(ReadOnly):
    list_display = ("ticket", "seq", "state", "agent_version", "exit_code", "started_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("ticket", "agent_version__agent")
    search_fields = ("ticket__key",)
    # what makes a turn's signal valid is nobody's to read
    exclude = ("nonce",)
    ordering = ("-id",)


@admin.register(Workspace)
class WorkspacePage(ReadOnly):
    list_display = ("ticket", "host", "branch", "base_commit")
    list_select_related = ("ticket",)
    search_fields = ("ticket__key", "host", "branch")
    ordering = ("-id",)

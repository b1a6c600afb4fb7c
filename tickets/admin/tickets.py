"""Tickets: written, assigned, answered, taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal.core.adminsite import ACTION_CLASSES, Admin, ReasonForm, Rows, SeenVersion
from portal.core.deeds import Deed
from portal.core.models import User
from tickets import attachments, conversation, opening, taking_over, work
from tickets.admin import questions
from tickets.admin.asking import Assign, File, HandBack, MaybeWhy, Why
from tickets.admin.asking import Message as MessageForm
from tickets.admin.records import download, words
from tickets.fields import Lines, Words
from tickets.models import Attachment, Message, Project, Ticket, TicketState, Turn
from tickets.queries import assignable
from tickets.transitions import TICKET
from workers.models import Agent

ALIASES_SHOWN = 50


class Turns(Rows):
    model = Turn
    fields = ("seq", "state", "agent_version", "verdict", "exit_code", "started_at", "ended_at")
    readonly_fields = fields
    ordering = ("-seq",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("agent_version__agent", "ticket")


class Messages(Rows):
    model = Message
    fields = ("number", "author_label", "words", "internal", "created_at", "withdrawn_at")
    readonly_fields = fields
    ordering = ("-number",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("ticket")

    @admin.display(description="Body")
    def words(self, message: Message) -> str:
        return words(message)


class Attachments(Rows):
    model = Attachment
    fields = ("download", "media_type", "size_bytes", "uploader_label", "created_at", "removed_at")
    readonly_fields = fields
    ordering = ("-id",)
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("ticket")

    @admin.display(description="File")
    def download(self, attachment: Attachment) -> str:
        return download(attachment)


def title_field() -> Words:
    return Words(limit="TITLE_MAX_CHARS", label="Title", widget=UnfoldAdminTextInputWidget)


def body_field() -> Lines:
    return Lines(limit="BODY_MAX_CHARS", label="Body", required=False, strip=False, widget=UnfoldAdminTextareaWidget)


class TicketForm(SeenVersion):
    title = title_field()
    body = body_field()

    class Meta:
        model = Ticket
        fields = ("title", "body")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("title", "body"):
            self.fields[name].show_hidden_initial = True


class NewTicketForm(forms.ModelForm):  # type: ignore[type-arg]
    # not "project": the model's own field is in no form
    of_project = forms.ModelChoiceField(
        Project.objects.order_by("key"), label="Project", widget=UnfoldAdminSelectWidget
    )
    title = title_field()
    body = body_field()

    class Meta:
        model = Ticket
        fields = ("title", "body")


class TicketActions(ReasonForm):
    """Beside the action: the agent to assign, and why."""

    agent = forms.ModelChoiceField(
        assignable(),
        label="",
        required=False,
        empty_label="Agent",
        widget=forms.Select({"aria-label": "Agent", "class": ACTION_CLASSES}),
    )


def assign(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    work.assign(ticket, asked["agent"], expected_version=asked["expected_version"])
    return f"{ticket.key} is assigned to {asked['agent']}."


def review(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    work.have_reviewed(ticket, asked["agent"], expected_version=asked["expected_version"])
    return f"{ticket.key} waits for a review by {asked['agent']}."


def stop(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    work.stop(ticket, reason=asked["reason"] or "Stopped in the admin.")
    return f"{ticket.key} is told to stop."


def accept(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    seen = asked["expected_version"]
    work.accept(ticket, by=cast(User, request.user), reason=asked["reason"], expected_version=seen)
    return f"{ticket.key} is accepted."


def reopen(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    work.reopen(ticket, reason=asked["reason"], expected_version=asked["expected_version"])
    return f"{ticket.key} is open again."


def take(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    taking_over.take(ticket, by=cast(User, request.user), **asked)
    return f"{ticket.key} is yours. No agent begins on it until it is handed back."


def hand_back(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    taking_over.hand_back(ticket, by=cast(User, request.user), **asked)
    return f"{ticket.key} is handed back."


def post(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    message, _ = conversation.post(
        ticket,
        author=request.user,  # type: ignore[arg-type]
        body=asked["body"],
        internal=asked["internal"],
        idempotency_key=asked["idempotency_key"],
    )
    return f"Sent as #{message.number}."


def attach(ticket: Ticket, asked: dict[str, Any], request: HttpRequest) -> str:
    attachment, made = attachments.receive(ticket, asked["file"], uploader=request.user)  # type: ignore[arg-type]
    return f"{attachment.name} {'is attached' if made else 'was attached before, under this name'}."


def is_open(ticket: Ticket) -> bool:
    return ticket.state != TicketState.DONE


def is_taken(ticket: Ticket) -> bool:
    return ticket.taken_at is not None


def takeable(ticket: Ticket) -> bool:
    return ticket.taken_at is None and ticket.state not in {TicketState.DONE, TicketState.MERGING}


def allows(verb: str) -> Any:
    """Whether a ticket's state knows the verb."""
    return lambda ticket: verb in {step.verb for step in TICKET.allowed(ticket.state)}


@admin.register(Ticket)
class TicketPage(Admin):
    form = TicketForm
    list_display = ("key", "title", "standing_state", "project", "agent_version", "since")
    list_filter = ("state", "project")
    list_select_related = ("project", "agent_version__agent")
    search_fields = ("key", "title", "aliases__key")
    ordering = ("-id",)
    readonly_fields = (
        "key",
        "standing_state",
        "agent_version",
        "accepted_commit",
        "aliases",
        "taken_label",
        "created_at",
        "since",
    )
    inlines = (Messages, Attachments, Turns)
    action_form = TicketActions
    actions = ("assign", "stop", "accept", "reopen")
    deeds = (
        Deed("post", "New message", MessageForm, post, is_open),
        Deed("attach", "Attach a file", File, attach, is_open),
        questions.ANSWER,
        Deed("assign", "Assign", Assign, assign, allows("assign")),
        Deed("review", "Have it reviewed", Assign, review, allows("review")),
        Deed("take", "Take over", MaybeWhy, take, takeable),
        Deed("hand_back", "Hand back", HandBack, hand_back, is_taken),
        Deed("stop", "Stop the turn", MaybeWhy, stop, allows("stop"), danger=True),
        Deed("accept", "Accept", MaybeWhy, accept, allows("accept")),
        Deed("reopen", "Reopen", Why, reopen, allows("reopen")),
    )

    @admin.display(description="In this state since", ordering="updated_at")
    def since(self, ticket: Ticket) -> datetime:
        """A move writes it; an edit or a message does not."""
        return ticket.updated_at

    @admin.display(description="Also known as")
    def aliases(self, ticket: Ticket) -> str:
        keys = ticket.aliases.order_by("id").values_list("key")[:ALIASES_SHOWN]
        return format_html_join(", ", "{}", keys)

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
        by, reason = cast(User, request.user), self.reason(request)
        self.each(request, queryset, lambda ticket: work.accept(ticket, by=by, reason=reason), "accepted")

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
        return ("key", "standing_state", "title", "body", *self.readonly_fields[2:], "history", "seen")

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Ticket, form: Any, change: bool) -> None:
        if not change:
            made, _ = opening.open_ticket(form.cleaned_data["of_project"], title=obj.title, body=obj.body)
            obj.__dict__.update(made.__dict__)
            return
        typed = {name: form.cleaned_data[name] for name in ("title", "body")}
        work.edit(Ticket.objects.get(pk=obj.pk), expected_version=form.cleaned_data["seen"], **typed)

"""Pages of tickets: parse, one call inward, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.core import access
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused, Transition
from portal.core.models import User
from portal.live import streams
from tickets import (
    conversation,
    diffs,
    facts,
    keys,
    lists,
    panels,
    question_panel,
    taking_over,
    timeline,
    turn_jobs,
    work,
)
from tickets.fields import Form
from tickets.forms import (
    AcceptForm,
    AnswerForm,
    AssignForm,
    EditForm,
    HandBackForm,
    MessageForm,
    ReopenForm,
    ReviewForm,
    StopForm,
    TakeForm,
)
from tickets.models import Measurement, Message, Ticket, TicketState
from tickets.rights import is_key
from tickets.transitions import TICKET

ALIASES_SHOWN: Final = 20

# What a person may do to a ticket: the role it takes, and its form. TICKET says when.
ACTIONS: Final[dict[str, tuple[Role, type[Form]]]] = {
    "assign": (Role.OPERATOR, AssignForm),
    "review": (Role.OPERATOR, ReviewForm),
    "stop": (Role.OPERATOR, StopForm),
    "accept": (Role.REVIEWER, AcceptForm),
    "reopen": (Role.REVIEWER, ReopenForm),
}
# While a person has the ticket, no turn can be begun.
BEGINNING: Final = frozenset({"assign", "review"})


def find_ticket(key: str) -> Found | None:
    if not is_key(key):
        return None
    rows = Ticket.objects.select_related("project", "agent_version__agent", "workspace")
    ticket = rows.filter(key=key).first()
    if ticket is None and (other := keys.find_by_name(key)):
        ticket = rows.get(pk=other.pk)
    return Found(ticket, ticket.project.scope) if ticket else None


def find_message(key: str, message_number: int) -> Found | None:
    rows = Message.objects.filter(ticket__key=key, number=message_number).select_related(
        "ticket__project", "ticket__agent_version__agent", "ticket__workspace"
    )
    message = rows.first() if is_key(key) and message_number < 2**31 else None
    return Found(message, message.ticket.project.scope) if message else None


# One ticket -------------------------------------------------------------------


@page("tickets.ticket", within(Role.VIEWER), find=find_ticket)
def ticket(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    if ticket.key != key:
        # It was found by its second name: the address to keep is its own.
        return redirect(ticket)
    return render(request, "tickets/ticket.html", _everything(request, ticket))


@page("tickets.ticket_fragment", within(Role.VIEWER), find=find_ticket)
def ticket_fragment(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    return render(request, "tickets/ticket_body.html", _body(request, ticket))


@page("tickets.ticket_rail", within(Role.VIEWER), find=find_ticket)
def ticket_rail(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    cursors = streams.cursors(ticket.subject)
    context = _rail(request, ticket, diffs.newest(ticket)) | {"live_cursors": cursors}
    return render(request, "tickets/ticket_rail.html", context)


@page("tickets.ticket_history", within(Role.VIEWER), find=find_ticket)
def ticket_history(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    cursors = streams.cursors(ticket.subject)
    context = {"ticket": ticket, "history": timeline.history_of(ticket), "live_cursors": cursors}
    return render(request, "tickets/ticket_history.html", context)


def _everything(request: HttpRequest, ticket: Ticket, tried: Form | None = None) -> dict[str, Any]:
    answered = tried if isinstance(tried, AnswerForm) else None
    body = _body(request, ticket, answered)
    written = tried if isinstance(tried, MessageForm) else MessageForm(to=_agent_of(ticket))
    beside = None if tried in {written, answered} else tried
    return (
        body
        | _rail(request, ticket, body["measured"], beside)
        | {"history": timeline.history_of(ticket), "composer": written, "may_edit": body["may_write"]}
    )


def _body(request: HttpRequest, ticket: Ticket, answered: AnswerForm | None = None) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(ticket.subject)
    shown = timeline.of(ticket, lists.before_of(request))
    return {
        "ticket": ticket,
        "timeline": shown,
        "asks": question_panel.of(ticket, request.user, answered),
        "measured": diffs.newest(ticket),
        "aliases": list(ticket.aliases.order_by("key").values_list("key", flat=True)[:ALIASES_SHOWN]),
        "files": ticket.attachments.filter(removed_at__isnull=True).count(),
        "may_write": access.may(request.user, within(Role.OPERATOR), ticket.project.scope),
        "live_cursors": cursors | shown.cursors,
    }


def _agent_of(ticket: Ticket) -> str:
    return ticket.agent_version.agent.name if ticket.agent_version else ""


def _rail(
    request: HttpRequest, ticket: Ticket, measured: Measurement | None, tried: Form | None = None
) -> dict[str, Any]:
    offered = offered_for(ticket)
    mine = [step for step in offered if may_take(request.user, step, ticket)]
    forms = {step.verb: ACTIONS[step.verb][1]() for step in mine} | _taking(request, ticket)
    if tried is not None:
        # Refused or not, what was typed stays where it was typed.
        forms[tried.name] = tried
    for form in (forms.get("assign"), forms.get("hand_back")):
        if ticket.agent_version and form is not None and not form.is_bound:
            form.initial["agent"] = ticket.agent_version.agent_id
    return {
        "ticket": ticket,
        "forms": forms,
        "held": [(step.label, ACTIONS[step.verb][0].label) for step in offered if step not in mine],
        "job": turn_jobs.live_job(ticket),
        "facts": facts.of(ticket, measured),
        "panels": panels.of_ticket(ticket, request.user),
        "tried": tried is not None,
        "taken": taking_over.place_of(ticket) if ticket.taken_at else None,
    }


def offered_for(ticket: Ticket) -> list[Transition]:
    """What a person with the right could do to it now, by a form on its page."""
    offered = [step for step in TICKET.allowed(ticket.state) if step.verb in ACTIONS]
    return offered if ticket.taken_at is None else [step for step in offered if step.verb not in BEGINNING]


def may_take(reader: Any, step: Transition, ticket: Ticket) -> bool:
    return access.may(reader, within(ACTIONS[step.verb][0]), ticket.project.scope)


def _taking(request: HttpRequest, ticket: Ticket) -> dict[str, Form]:
    if not access.may(request.user, within(Role.OPERATOR), ticket.project.scope):
        return {}
    if ticket.taken_at is not None:
        return {"hand_back": HandBackForm()}
    return {} if ticket.state in {TicketState.DONE, TicketState.MERGING} else {"take": TakeForm()}


def _act(
    request: HttpRequest, ticket: Ticket, form: Form, act: Callable[[dict[str, Any]], Ticket], said: str
) -> HttpResponse:
    """One change asked for by a form: done and said, or the page again with the reason where the button was."""
    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, said.format(ticket.key))
        return redirect(ticket)
    return again(request, ticket, form, status)


def again(request: HttpRequest, ticket: Ticket, form: Form, status: int) -> HttpResponse:
    found = find_ticket(ticket.key)
    fresh = found.object if found else ticket
    return render(request, "tickets/ticket.html", _everything(request, fresh, form), status=status)


def refused(request: HttpRequest, ticket: Ticket, status: int = 409, **said: object) -> HttpResponse:
    """The page again; ``said`` is the sentence, and what names its place in the conversation."""
    context = _everything(request, ticket) | {"refused": said}
    return render(request, "tickets/ticket.html", context, status=status)


@page("tickets.assign", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def assign(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.assign(ticket, asked["agent"], expected_version=asked["expected_version"])

    return _act(request, ticket, AssignForm(request.POST), act, "{} waits for its turn.")


@page("tickets.review", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def review(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.have_reviewed(ticket, asked["agent"], expected_version=asked["expected_version"])

    return _act(request, ticket, ReviewForm(request.POST), act, "{} waits for its review.")


@page("tickets.stop", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def stop(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.stop(ticket, reason=asked["reason"] or "Stopped on its page.")

    return _act(request, ticket, StopForm(request.POST), act, "{}: its turn was told to stop.")


@page("tickets.accept", within(Role.REVIEWER), find=find_ticket, methods=("POST",))
def accept(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        seen = asked["expected_version"]
        return work.accept(ticket, by=cast(User, request.user), reason=asked["reason"], expected_version=seen)

    return _act(request, ticket, AcceptForm(request.POST), act, "{} is accepted.")


@page("tickets.reopen", within(Role.REVIEWER), find=find_ticket, methods=("POST",))
def reopen(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Ticket:
        return work.reopen(ticket, reason=asked["reason"], expected_version=asked["expected_version"])

    return _act(request, ticket, ReopenForm(request.POST), act, "{} is open again.")


# What is written on it --------------------------------------------------------------


@page("tickets.post_message", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def post_message(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    form = MessageForm(request.POST, request.FILES, to=_agent_of(ticket))

    def act(asked: dict[str, Any]) -> Message:
        files = request.FILES.getlist("files")
        return conversation.post(ticket, author=cast(User, request.user), files=files, **asked)[0]

    status, message = form.carry_out(act)
    if message is not None:
        return redirect(f"{ticket.get_absolute_url()}#m{message.number}")
    return again(request, ticket, form, status)


@page("tickets.withdraw_message", within(Role.OPERATOR), find=find_message, methods=("POST",))
def withdraw_message(request: HttpRequest, message: Message, key: str, message_number: int) -> HttpResponse:
    ticket = message.ticket
    try:
        conversation.withdraw(message, by=cast(User, request.user))
    except Refused as refusal:
        return refused(request, ticket, number=message.number, sentence=str(refusal))
    messages.success(request, f"#{message.number} is withdrawn.")
    return redirect(f"{ticket.get_absolute_url()}#m{message.number}")


@page("tickets.edit", within(Role.OPERATOR), find=find_ticket, methods=("GET", "POST"))
def edit(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    if request.method != "POST":
        form = EditForm(initial={"title": ticket.title, "body": ticket.body})
        return render(request, "tickets/edit.html", {"ticket": ticket, "form": form, "seen": ticket.version})
    form = EditForm(request.POST)
    context = {"form": form, "ticket": ticket, "seen": request.POST.get("expected_version", "")}
    if not form.is_valid():
        return render(request, "tickets/edit.html", context, status=422)
    try:
        work.edit(ticket, **form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        found = find_ticket(ticket.key)
        stored = found.object if found else ticket
        # Both texts are shown; sent again, under the version that is shown now, it is a decision.
        context |= {"stored": stored, "seen": stored.version}
        return render(request, "tickets/edit.html", context, status=409)
    messages.success(request, f"{ticket.key} has its new words.")
    return redirect(ticket)

"""Files of a ticket: attach, download, remove."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response

from portal.core import access
from portal.core.access import Role, within
from portal.core.doors import Found, page
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.live import streams
from tickets import attachments, downloads
from tickets.forms import AttachForm, RemoveFileForm
from tickets.keys import find_by_name
from tickets.models import Attachment, Ticket
from tickets.rights import is_key


def find_ticket(key: str) -> Found | None:
    ticket = find_by_name(key) if is_key(key) else None
    return Found(ticket, ticket.project.scope) if ticket else None


def find_attachment(key: str, number: int) -> Found | None:
    rows = Attachment.objects.filter(ticket__key=key, pk=number).select_related("ticket__project")
    attachment = rows.first() if is_key(key) and number < 2**63 else None
    return Found(attachment, attachment.ticket.project.scope) if attachment else None


# The page of files ----------------------------------------------------------------


@page("tickets.files", within(Role.VIEWER), find=find_ticket)
def files(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    return _files(request, ticket, AttachForm())


@page("tickets.files_fragment", within(Role.VIEWER), find=find_ticket)
def files_fragment(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    return render(request, "tickets/files_body.html", _shown(request, ticket))


def _shown(request: HttpRequest, ticket: Ticket) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(ticket.subject)
    found = attachments.of_ticket(ticket)
    return {
        "ticket": ticket,
        "live_cursors": cursors,
        "attachments": found.rows,
        "more": found.more,
        "bytes": found.bytes,
        "operates": access.may(request.user, within(Role.OPERATOR), ticket.project.scope),
    }


def _files(request: HttpRequest, ticket: Ticket, form: AttachForm, status: int = 200) -> HttpResponse:
    return render(request, "tickets/files.html", _shown(request, ticket) | {"form": form}, status=status)


@page("tickets.attach", within(Role.OPERATOR), find=find_ticket, methods=("POST",))
def attach(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    form = AttachForm(request.POST, request.FILES)
    status = 422
    if form.is_valid():
        try:
            made = attachments.attach(
                ticket, form.cleaned_data["file"], uploader=cast(User, request.user), digest=form.cleaned_data["sha256"]
            )
        except Refused as refusal:
            form.add_error("file", str(refusal))
            status = refusal.status
        else:
            for attachment, new in made:
                said = "is attached" if new else "was attached before, under this name"
                messages.success(request, f"{attachment.name} {said}.")
            return redirect("ticket_files", ticket.key)
    return _files(request, ticket, form, status=status)


# One file -------------------------------------------------------------------------


@page("tickets.attachment", within(Role.VIEWER), find=find_attachment)
def attachment(request: HttpRequest, attachment: Attachment, key: str, number: int) -> HttpResponseBase:
    """The bytes, to keep: never a page, never of a type that its sender chose."""
    try:
        file = attachments.open_file(attachment)
    except attachments.FileGone as gone:
        context = {"ticket": attachment.ticket, "sentence": str(gone)}
        return render(request, "tickets/file_gone.html", context, status=gone.status)
    etag = f'"{attachment.digest}"'
    known = get_conditional_response(request, etag=etag)
    if known is not None:
        file.close()
        return known
    answer = downloads.of(attachment, file)
    answer["ETag"] = etag
    return answer


@page("tickets.attachment_remove", within(Role.OPERATOR), find=find_attachment, methods=("GET", "POST"))
def attachment_remove(request: HttpRequest, attachment: Attachment, key: str, number: int) -> HttpResponse:
    form = RemoveFileForm(request.POST or None)
    status = 200
    if form.is_bound:
        status, _ = form.carry_out(lambda asked: attachments.remove(attachment, reason=asked["reason"]))
        if status == 200:
            messages.success(request, f"{attachment.name} is removed.")
            return redirect("ticket_files", key)
    context = {"form": form, "attachment": attachment, "ticket": attachment.ticket}
    return render(request, "tickets/file_remove.html", context, status=status)

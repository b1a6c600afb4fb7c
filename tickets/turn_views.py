"""Pages of a ticket's turns: what each said and wrote, and what the portal saw of its work."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import BadRequest
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core.access import Role, within
from portal.core.doors import Found, page
from tickets import diffs, output, transcript
from tickets.attachment_views import find_ticket
from tickets.fields import number_of
from tickets.models import Measurement, Ticket, Turn, TurnState
from tickets.rights import is_key

DIFFS_NAMED: Final = 20


def find_turn(key: str, seq: int) -> Found | None:
    rows = Turn.objects.filter(ticket__key=key, seq=seq).select_related("ticket__project", "agent_version")
    turn = rows.first() if is_key(key) and seq < 2**31 else None
    return Found(turn, turn.ticket.project.scope) if turn else None


# What it said and wrote -----------------------------------------------------------


@page("tickets.turn_output", within(Role.VIEWER), find=find_turn)
def turn_output(request: HttpRequest, turn: Turn, key: str, seq: int) -> HttpResponse:
    return output.as_text(turn.attempt_id, f"{key}-turn-{seq}.txt")


@page("tickets.turn_output_fragment", within(Role.VIEWER), find=find_turn)
def turn_output_fragment(request: HttpRequest, turn: Turn, key: str, seq: int) -> HttpResponse:
    return output.fragment(request, turn.attempt_id, running=turn.state == TurnState.RUNNING, name=seq)


@page("tickets.turn_transcript", within(Role.VIEWER), find=find_turn)
def turn_transcript(request: HttpRequest, turn: Turn, key: str, seq: int) -> HttpResponse:
    if not transcript.is_structured(turn.agent_version.adapter):
        return output.fragment(request, turn.attempt_id, running=turn.state == TurnState.RUNNING, name=seq)
    found = transcript.of(turn)
    context = {"turn": turn, "ticket": turn.ticket, "transcript": found, "live_cursors": found.source.cursors}
    return render(request, "tickets/transcript.html", context)


# What the portal saw --------------------------------------------------------------


@page("tickets.diff", within(Role.VIEWER), find=find_ticket)
def diff(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    found = _measured(request, ticket)
    context: dict[str, Any] = {
        "ticket": ticket,
        "measured": found,
        "turns": diffs.measured_turns(ticket, DIFFS_NAMED),
        "newest_turn": ticket.turns.aggregate(seq=Max("seq"))["seq"],
        "files": ticket.attachments.filter(removed_at__isnull=True).count(),
    }
    if found is not None:
        context["diff"] = diffs.read(found.diff)
    return render(request, "tickets/diff.html", context)


@page("tickets.diff_text", within(Role.VIEWER), find=find_ticket)
def diff_text(request: HttpRequest, ticket: Ticket, key: str) -> HttpResponse:
    """The diff as a file to keep, which `git apply` takes where nothing of it is cut."""
    found = _measured(request, ticket)
    if found is None:
        return HttpResponse(f"{ticket.key} has no diff yet.\n", content_type="text/plain; charset=utf-8")
    cut = f"\n# Shiproom: {found.diff_cut} more characters were not kept.\n" if found.diff_cut else ""
    answer = HttpResponse(found.diff + cut, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{ticket.key}-turn-{found.turn.seq}.diff.txt"'
    return answer


def _measured(request: HttpRequest, ticket: Ticket) -> Measurement | None:
    """The measurement that the address means. Raises ``BadRequest``, or ``Http404`` for a turn without one."""
    text = request.GET.get("turn")
    seq = number_of(text)
    if text and (seq is None or seq >= 2**31):
        raise BadRequest("No turn has such a number.")
    found = diffs.shown(ticket, seq)
    if seq and found is None:
        raise Http404
    return found

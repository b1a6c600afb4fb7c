"""The list of findings, its export, and the tickets made from it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.core import access, limits
from portal.core.access import SIGNED_IN, Role
from portal.core.doors import page
from reviews import answers, evidence
from reviews.forms import FindingFilter, MakeListedTicketsForm
from reviews.models import Finding, FindingState
from reviews.queries import findings as queries
from reviews.wording import tickets_made
from tickets import lists
from tickets.exporting import csv_response
from tickets.queries import Page
from tickets.rights import projects_with

COLUMNS: Final = (
    "Project", "Series", "Reference", "Severity", "State", "Standing", "Title", "Category", "Files", "Ticket", "Answer",
    "Found",
)  # fmt: skip


@page("findings.list", SIGNED_IN)
def findings(request: HttpRequest) -> HttpResponse:
    return render(request, "findings/list.html", _list(request))


@page("findings.list_fragment", SIGNED_IN)
def findings_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "findings/list_body.html", _list(request))


def _list(request: HttpRequest, made: MakeListedTicketsForm | None = None) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return queries.finding_list(request.user, asked.wanted, asked.before)

    form = FindingFilter(request.GET)
    asked = lists.context(request, form, rows, role=Role.OPERATOR, fragment="findings_fragment")
    held = access.roles(request.user)
    every = access.is_admin(request.user)
    makers = {scope for scope, role in held.items() if role >= Role.OPERATOR}
    ticked = set(made.chosen) if made else set()
    evidence.mark(asked["rows"])
    for finding in asked["rows"]:
        finding.ticked = str(finding.pk) in ticked
        open_and_bare = finding.state == FindingState.OPEN and finding.ticket_id is None
        finding.selectable = open_and_bare and (every or finding.series.project.scope in makers)
    return asked | {
        "made": made,
        "query": request.GET.urlencode(),
        "selectable": sum(finding.selectable for finding in asked["rows"]),
        "states": [value for value in FindingState.values if value != FindingState.WITHDRAWN],
        "live": "" if made else asked["live"],
    }


@page("findings.make_tickets", SIGNED_IN, methods=("POST",))
def make_tickets(request: HttpRequest) -> HttpResponse:
    """Tickets of the chosen findings, in the projects where the person may make them."""
    mine = Finding.objects.filter(series__project__in=projects_with(request.user, Role.OPERATOR))
    form = MakeListedTicketsForm(mine.select_related("series__project"), request.POST)
    status, made = form.carry_out(lambda asked: answers.make_tickets(asked["findings"], together=asked["together"]))
    if made is not None:
        messages.success(request, tickets_made(made, form.left))
        query = request.GET.urlencode()
        return redirect(reverse("findings") + (f"?{query}" if query else ""))
    return render(request, "findings/list.html", _list(request, form), status=status)


@page("findings.export", SIGNED_IN)
def export(request: HttpRequest) -> HttpResponse:
    """The filtered list as CSV: bounded, and its last line says so where it is cut."""
    wanted = lists.wanted_of(FindingFilter(request.GET))
    most = limits.value("EXPORT_MAX_ROWS")
    found = queries.matching(request.user, wanted).order_by("-id")[: most + 1]
    return csv_response("findings.csv", COLUMNS, map(_cells, found), most)


def _cells(finding: Finding) -> list[str]:
    return [
        finding.series.project.key,
        finding.series.name,
        finding.reference,
        finding.get_severity_display(),
        finding.get_state_display(),
        evidence.standing(finding),
        finding.title,
        finding.category,
        ", ".join(map(str, finding.files)),
        finding.ticket.key if finding.ticket else "",
        finding.answer,
        finding.created_at.isoformat(timespec="seconds"),
    ]

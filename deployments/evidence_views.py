"""Pages of evidence: parse, one call inward, answer."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deployments import chains
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found, page
from portal.live import streams
from reviews import standing
from reviews.models import Finding, Severity
from reviews.queries.findings import visible
from tickets import lists
from tickets.fields import HIGHEST_ID, Form, Words
from tickets.queries import Page, page_of

# By the word of an address: what it means, and how its view is called.
STANDINGS: Final = {
    "open": (standing.OPEN, "Open"),
    "claimed": (standing.CLAIMED, "Fix claimed"),
    "present": (standing.PRESENT, "Fixed, not live"),
    "live": (standing.LIVE, "Live"),
    "verified": (standing.VERIFIED, "Verified live"),
}


class EvidenceFilter(Form):
    """Which findings the list shows. What cannot be read is left out of the filter, and said."""

    name = "filter"
    project = Words(limit=10, label="Project", required=False)
    standing = forms.ChoiceField(
        choices=[("", "Any standing"), *((word, label) for word, (_, label) in STANDINGS.items())],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no standing of a fix."},
    )
    severity = forms.ChoiceField(
        choices=[("", "Any severity"), *Severity.choices],
        required=False,
        error_messages={"invalid_choice": "“%(value)s” is no severity."},
    )


def find_finding(number: int) -> Found | None:
    rows = Finding.objects.select_related("series__project", "ticket")
    finding = standing.with_newest(rows).filter(pk=number).first() if number <= HIGHEST_ID else None
    return Found(finding, finding.series.project.scope) if finding else None


@page("evidence.list", SIGNED_IN)
def evidence(request: HttpRequest) -> HttpResponse:
    return render(request, "evidence/list.html", _list(request))


@page("evidence.list_fragment", SIGNED_IN)
def evidence_fragment(request: HttpRequest) -> HttpResponse:
    return render(request, "evidence/list_body.html", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    def rows(asked: lists.Asked) -> Page:
        return page_of(_matching(request, asked.wanted), asked.before)

    asked = lists.context(request, EvidenceFilter(request.GET), rows, role=Role.OPERATOR, fragment="evidence_fragment")
    standing.mark(asked["rows"])
    return asked | {"standings": [(word, label) for word, (_, label) in STANDINGS.items()]}


def _matching(request: HttpRequest, wanted: dict[str, str]) -> QuerySet[Finding]:
    rows = standing.with_newest(visible(request.user))
    same = {"project": "series__project__key", "severity": "severity"}
    rows = rows.filter(**{column: wanted[name] for name, column in same.items() if wanted[name]})
    return standing.that_stand(rows, STANDINGS[wanted["standing"]][0]) if wanted["standing"] else rows


# One chain ----------------------------------------------------------------------


@page("evidence.chain", within(Role.VIEWER), find=find_finding)
def chain(request: HttpRequest, finding: Finding, number: int) -> HttpResponse:
    """The chain of one finding: is its fix live, and how do we know?"""
    return render(request, "evidence/chain.html", _chain(finding))


@page("evidence.chain_fragment", within(Role.VIEWER), find=find_finding)
def chain_fragment(request: HttpRequest, finding: Finding, number: int) -> HttpResponse:
    return render(request, "evidence/chain_body.html", _chain(finding))


def _chain(finding: Finding) -> dict[str, Any]:
    # A page shows what is at least as new as its cursors: they are read first.
    cursors = streams.cursors(finding.series.project.scope)
    found = chains.chain_of(finding)
    return {"finding": finding, "chain": found, "text": chains.as_text(found), "live_cursors": cursors}


@page("evidence.chain_text", within(Role.VIEWER), find=find_finding)
def chain_text(request: HttpRequest, finding: Finding, number: int) -> HttpResponse:
    """The same as text, to be pasted somewhere."""
    return HttpResponse(chains.as_text(chains.chain_of(finding)), content_type="text/plain; charset=utf-8")

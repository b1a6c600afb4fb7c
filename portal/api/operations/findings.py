"""Findings: listed, read, answered, made into tickets."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation, verbs
from portal.api.operations.tickets import TicketOut
from portal.api.operations.tickets import shown as ticket_shown
from portal.api.shapes import ID, Paged, Reason, Strict, Versioned, moment, page, project_by_key
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from reviews import answers, evidence
from reviews.models import Finding, FindingState, Severity
from reviews.queries.findings import matching

SHOWN = 50


class FindingOut(Schema):
    id: int
    project: str
    series: str
    reference: str
    title: str
    severity: str
    category: str
    state: str
    # "open", "fix claimed", "fix present", "live" or "verified live"; empty where it was rejected or waived
    standing: str
    version: int
    allowed: list[str]
    ticket: str | None


class OccurrenceOut(Schema):
    review: int
    number: int
    title: str
    reference: str
    severity_as_written: str
    status: str
    tier: str
    line_start: int
    line_end: int
    body: str


class FindingWhole(FindingOut):
    answer: str
    files: list[str]
    # the key that the document gives to its ticket
    ticket_key: str
    created_at: str
    # the newest first; at most 50
    occurrences: list[OccurrenceOut]
    occurrences_more: int


class Findings(Schema):
    items: list[FindingOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Paged):
    project: str = Field("", max_length=10)
    series: str = Field("", max_length=200)
    review: int | None = Field(None, ge=1, le=2**62)
    state: str = Field("", max_length=20)
    severity: str = Field("", max_length=20)
    ticket: Literal["", "with", "without"] = ""
    q: str = Field("", max_length=200)


class AnswerIn(Versioned):
    verb: Literal["fix", "reject", "waive", "open_again"]
    reason: Reason


class MakeIn(Strict):
    findings: list[ID] = Field(min_length=1, max_length=limits.BY_NAME["MAKE_TICKETS_ROWS"].high)
    # the title of one ticket for all of them; without it, each gets its own
    together: str = Field("", max_length=200)


class Made(Schema):
    made: list[TicketOut]


def find_finding(number: int) -> Found | None:
    rows = Finding.objects.select_related("series__project", "ticket")
    finding = evidence.with_newest(rows).filter(pk=number).first() if number < 2**63 else None
    return Found(finding, finding.series.project.scope) if finding else None


def shown(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.pk,
        "project": finding.series.project.key,
        "series": finding.series.name,
        "reference": finding.reference,
        "title": finding.title,
        "severity": finding.severity,
        "category": finding.category,
        "state": finding.state,
        "standing": evidence.standing(finding),
        "version": finding.version,
        "allowed": verbs(finding, finding.state),
        "ticket": finding.ticket.key if finding.ticket else None,
    }


def whole(finding: Finding) -> dict[str, Any]:
    said = finding.occurrences.select_related("review").order_by("-review__number", "-pk")
    occurrences = [
        {
            "review": row.review_id,
            "number": row.review.number,
            **{name: getattr(row, name) for name in OccurrenceOut.model_fields if name not in {"review", "number"}},
        }
        for row in said.defer("review__content", "review__reading")[:SHOWN]
    ]
    return shown(finding) | {
        "answer": finding.answer,
        "files": [str(place) for place in finding.files],
        "ticket_key": finding.ticket_key,
        "created_at": moment(finding.created_at),
        "occurrences": occurrences,
        "occurrences_more": said.count() - len(occurrences),
    }


@operation("get", "/findings", "api.findings", SIGNED_IN, query=Listing, response=Findings)
def findings(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The findings that the token's user sees, newest first; what was withdrawn is in no list."""
    states = [state for state in FindingState.values if state != FindingState.WITHDRAWN]
    if listing.state and listing.state not in states:
        raise Unfit("state", f"state is one of: {', '.join(states)}.")
    if listing.severity and listing.severity not in Severity.values:
        raise Unfit("severity", f"severity is one of: {', '.join(Severity.values)}.")
    wanted = {name: getattr(listing, name) for name in ("project", "series", "state", "severity", "ticket", "q")}
    wanted["review"] = str(listing.review or "")
    return page(matching(request.user, wanted), listing, shown)


@operation(
    "get", "/findings/{int:number}", "api.finding", within(Role.VIEWER), find=find_finding, response=FindingWhole
)
def finding(request: HttpRequest, number: int) -> dict[str, Any]:
    """One finding, with what each review says of it."""
    return whole(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/findings/{int:number}/answer",
    "api.finding.answer",
    within(Role.REVIEWER),
    find=find_finding,
    response=FindingOut,
)
def answer(request: HttpRequest, number: int, body: AnswerIn) -> dict[str, Any]:
    """Fix, reject, waive, or open again, with the reason in words."""
    finding: Finding = request.found  # type: ignore[attr-defined]
    if body.verb == "open_again":
        return shown(answers.open_again(finding, reason=body.reason, expected_version=body.version))
    return shown(answers.answer(finding, body.verb, reason=body.reason, expected_version=body.version))


@operation(
    "post",
    "/projects/{key}/findings/tickets",
    "api.findings.make_tickets",
    within(Role.OPERATOR),
    find=project_by_key,
    response=Made,
)
def make_tickets(request: HttpRequest, key: str, body: MakeIn) -> dict[str, Any]:
    """Tickets of these findings of the project; those that have one are left as they are."""
    most = limits.value("MAKE_TICKETS_ROWS")
    if len(body.findings) > most:
        raise Unfit("findings", f"At most {most:,} findings at once; you sent {len(body.findings):,}.")
    rows = Finding.objects.filter(pk__in=body.findings, series__project=request.found)  # type: ignore[attr-defined]
    found = list(rows.select_related("series__project").order_by("pk"))
    missing = set(body.findings) - {finding.pk for finding in found}
    if missing:
        raise Unfit("findings", f"{key} has no finding {min(missing)}.", 422)
    return {"made": [ticket_shown(ticket) for ticket in answers.make_tickets(found, together=body.together.strip())]}

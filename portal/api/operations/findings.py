"""Findings: listed, read, answered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation, speak_for, verbs
from portal.api.shapes import Paged, Reason, Versioned, moment, page
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from reviews import answers, decisions, evidence
from reviews.models import Finding, FindingState, Severity
from reviews.queries.findings import answers_to, matching

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
    category: str = Field("", max_length=100)
    rule: str = Field("", max_length=200)
    standing: Literal["", "open", "fix claimed", "fix present", "live", "verified live"] = ""
    age: Literal["", "1d", "7d", "30d", "over-7d", "over-30d", "over-90d"] = ""
    ticket: Literal["", "with", "without"] = ""
    q: str = Field("", max_length=200)


class AnswerIn(Versioned):
    verb: Literal["fix", "reject", "waive", "defer", "open_again"]
    reason: Reason
    # what shows that it is no problem, of a rejection: a link, a commit, a place in the code, a command, an explanation
    evidence: str = Field("", max_length=limits.BY_NAME["EVIDENCE_MAX_CHARS"].high)
    # when a waiver or a deferral ends: a day, or a moment with its zone
    until: str = Field("", max_length=40)
    # of a waiver: the environment in which alone it counts; empty: everywhere
    scope: str = Field("", max_length=130)


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


speak_for(Finding, lambda finding: [step.verb for step in answers_to(finding.state)])


@operation("get", "/findings", "api.findings", SIGNED_IN, query=Listing, response=Findings)
def findings(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The findings that the token's user sees, newest first; what was withdrawn is in no list."""
    states = [state for state in FindingState.values if state != FindingState.WITHDRAWN]
    if listing.state and listing.state not in states:
        raise Unfit("state", f"state is one of: {', '.join(states)}.")
    if listing.severity and listing.severity not in Severity.values:
        raise Unfit("severity", f"severity is one of: {', '.join(Severity.values)}.")
    wanted = {name: getattr(listing, name) for name in Listing.model_fields if name not in Paged.model_fields}
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
    """Fix, reject, defer, or open again, with the reason in words; or ask that it be waived, which another gives."""
    finding: Finding = request.found  # type: ignore[attr-defined]
    said: dict[str, Any] = {"reason": body.reason, "expected_version": body.version}
    if body.verb == "open_again":
        return shown(answers.open_again(finding, **said))
    until = _until(body)
    if body.verb == "reject" and (problem := decisions.problem_of_evidence(body.evidence)):
        raise Unfit("evidence", problem)
    said |= {"by": request.user, "evidence": body.evidence, "scope": body.scope, "until": until}
    return shown(answers.answer(finding, body.verb, **said))


def _until(body: AnswerIn) -> datetime | None:
    """A day counts to its end."""
    if body.verb not in {"waive", "defer"}:
        return None
    try:
        found = end_of(body.until) if body.until else None
    except ValueError:
        said = "until is a day, such as 2026-12-31, or a moment with its zone, such as 2026-12-31T12:00:00Z."
        raise Unfit("until", said) from None
    if problem := decisions.problem_of_end(body.verb, found):
        raise Unfit("until", problem)
    return found


def end_of(text: str) -> datetime:
    """Raises ``ValueError`` for what is no day, and no moment with a zone."""
    if len(text) == len("2026-12-31"):
        return decisions.end_of(date.fromisoformat(text))
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found

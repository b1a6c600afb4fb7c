"""Many findings at once, named or all that a filter lets through: as a file, made into tickets, answered."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation
from portal.api.operations.findings import end_of
from portal.api.operations.tickets import TicketOut
from portal.api.operations.tickets import shown as ticket_shown
from portal.api.shapes import ID, Reason, Strict, project_by_key
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from reviews import answers, bulk_answers, decisions
from reviews.exporting import download
from reviews.forms import FindingFilter
from reviews.models import Decision, Finding, FindingState
from reviews.queries.findings import matching
from tickets.models import Project

IDS = limits.BY_NAME["MAKE_TICKETS_ROWS"].high


class Filter(Strict):
    """As the list of findings is narrowed; what is left out narrows nothing."""

    series: str = Field("", max_length=200)
    review: int | None = Field(None, ge=1, le=2**62)
    state: str = Field("", max_length=20)
    severity: str = Field("", max_length=20)
    category: str = Field("", max_length=100)
    rule: str = Field("", max_length=200)
    standing: str = Field("", max_length=20)
    age: str = Field("", max_length=20)
    ticket: Literal["", "with", "without"] = ""
    q: str = Field("", max_length=200)


class ExportAsked(Filter):
    project: str = Field("", max_length=10)
    format: Literal["csv", "json", "sarif", "markdown"] = "json"


class Chosen(Strict):
    """``findings``, or ``filter`` with ``expected``: how many its sender saw, so that no more are meant."""

    findings: list[ID] | None = Field(None, min_length=1, max_length=IDS)
    filter: Filter | None = None
    expected: int | None = Field(None, ge=0, le=2**31 - 1)


class MakeIn(Chosen):
    # one for each file, rule or title; left out, each finding gets its own
    by: Literal["", "file", "rule", "title"] = ""
    # the title of one ticket for all of them
    together: str = Field("", max_length=200)


class Made(Schema):
    made: list[TicketOut]
    # of a filter, how many more there are without a ticket
    left: int


class AnswersIn(Chosen):
    verb: Literal["fix", "reject", "defer", "waive", "open_again"]
    reason: Reason
    # of a rejection
    evidence: str = Field("", max_length=limits.BY_NAME["EVIDENCE_MAX_CHARS"].high)
    # of a deferral and a waiver: a day, or a moment with its zone
    until: str = Field("", max_length=40)


class RefusalOut(Schema):
    finding: int
    why: str


class Answered(Schema):
    done: int
    refused: int
    # the first 50
    refusals: list[RefusalOut]
    left: int


def wanted_of(asked: Filter, project: str = "") -> dict[str, str]:
    """What a filter asks for, by the form of the page. Raises ``Unfit``, with the name of what cannot be read."""
    said = {name: str(value) for name, value in asked.dict().items() if value and name != "format"}
    form = FindingFilter(said | ({"project": project} if project else {}))
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise Unfit(name, " ".join(map(str, problems)))
    return {name: form.cleaned_data.get(name) or "" for name in form.fields}


@operation("get", "/findings/export", "api.findings.export", SIGNED_IN, query=ExportAsked)
def export(request: HttpRequest, asked: Query[ExportAsked]) -> download.Streamed:
    """The findings that the token's user sees and the filter lets through, as a file; cut, it says so."""
    return download.of(matching(request.user, wanted_of(asked)), asked.format)


@operation(
    "post",
    "/projects/{key}/findings/tickets",
    "api.findings.make_tickets",
    within(Role.OPERATOR),
    find=project_by_key,
    response=Made,
)
def make_tickets(request: HttpRequest, key: str, body: MakeIn) -> dict[str, Any]:
    """Tickets of findings of the project: each, by group, or one; those that have one are left as they are."""
    if body.by and body.together.strip():
        raise Unfit("by", "by and together exclude each other: one ticket for all has no groups.")
    bare = {"state": FindingState.OPEN, "ticket": None}
    found, left = _chosen(request, body, bare, limits.value("MAKE_TICKETS_ROWS"))
    made = answers.make_tickets(found, together=body.together.strip(), by=body.by)
    return {"made": [ticket_shown(ticket) for ticket in made], "left": left}


@operation(
    "post",
    "/projects/{key}/findings/answers",
    "api.findings.answer",
    within(Role.REVIEWER),
    find=project_by_key,
    response=Answered,
)
def answer(request: HttpRequest, key: str, body: AnswersIn) -> dict[str, Any]:
    """Findings of the project answered with one reason; one that cannot be is named with why, and stops no other."""
    words = _words(request, body)
    able = {"state__in": sorted(bulk_answers.sources(body.verb))}
    found, left = _chosen(request, body, able, limits.value("BULK_ANSWERS_ROWS"))
    came = bulk_answers.answer((finding.pk for finding in found), body.verb, words)
    refusals = [{"finding": one.finding, "why": one.why} for one in came.refusals]
    return {"done": came.done, "refused": came.refused, "refusals": refusals, "left": left}


def _words(request: HttpRequest, body: AnswersIn) -> bulk_answers.Words:
    needs = bulk_answers.VERBS[body.verb].needs
    said: dict[str, Any] = {"by": request.user, "reason": body.reason}
    if needs == "evidence":
        said["evidence"], problem = body.evidence, decisions.problem_of_evidence(body.evidence)
    elif needs == "until":
        try:
            said["until"] = end_of(body.until) if body.until else None
        except ValueError:
            raise Unfit("until", "until is a day, such as 2026-12-31, or a moment with its zone.") from None
        kind = Decision.Kind.DEFER if body.verb == "defer" else Decision.Kind.WAIVE
        problem = decisions.problem_of_end(kind, said["until"])
    else:
        problem = ""
    if problem:
        raise Unfit(needs, problem)
    return bulk_answers.Words(**said)


def _chosen(request: HttpRequest, body: Chosen, able: dict[str, Any], most: int) -> tuple[list[Finding], int]:
    project: Project = request.found  # type: ignore[attr-defined]
    if (body.filter is None) == (body.findings is None):
        raise Unfit("findings", "Send findings, or filter with expected, one of the two.")
    if body.findings is None:
        return _all(request, body, able, most)
    if len(body.findings) > most:
        raise Unfit("findings", f"At most {most:,} findings at once; you sent {len(body.findings):,}.")
    named: QuerySet[Finding] = Finding.objects.filter(pk__in=body.findings, series__project=project)
    found = list(named.select_related("series__project").order_by("pk"))
    missing = set(body.findings) - {finding.pk for finding in found}
    if missing:
        raise Unfit("findings", f"{project.key} has no finding {min(missing)}.", 422)
    return found, 0


def _all(request: HttpRequest, body: Chosen, able: dict[str, Any], most: int) -> tuple[list[Finding], int]:
    project: Project = request.found  # type: ignore[attr-defined]
    if body.expected is None:
        raise Unfit("expected", "expected is how many the filter let through when you looked: it guards the rest.")
    rows = matching(request.user, wanted_of(body.filter or Filter.model_validate({}), project.key)).filter(**able)
    return bulk_answers.take(rows, body.expected, most)

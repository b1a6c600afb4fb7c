"""What was decided of findings: listed, given or refused by a second person, ended."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import Unfit, operation, verbs
from portal.api.shapes import Paged, Reason, Versioned, moment, page
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from reviews import decisions
from reviews.decision_forms import STATES
from reviews.models import Decision
from reviews.queries import decisions as queries

REVIEWER = within(Role.REVIEWER)


class PremiseOut(Schema):
    path: str
    start: int
    end: int
    commit: str


class DecisionOut(Schema):
    id: int
    project: str
    finding: int
    title: str
    kind: str
    state: str
    version: int
    allowed: list[str]
    reason: str
    evidence: str
    # where a waiver counts: the name of an environment; empty: everywhere
    scope: str
    until: str | None
    asked_by: str
    asked_at: str
    # of a waiver: the second person, who gave or refused it
    given_by: str
    ended_at: str | None
    end_reason: str
    # the code that a rejection rests on; at most 40
    premises: list[PremiseOut]


class Decisions(Schema):
    items: list[DecisionOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Paged):
    project: str = Field("", max_length=10)
    kind: str = Field("", max_length=10)
    # "standing": waiting or in force; "soon": of these, what ends within two weeks
    state: str = Field("", max_length=10)
    finding: int | None = Field(None, ge=1, le=2**62)


class Because(Versioned):
    reason: Reason


def find_decision(number: int) -> Found | None:
    decision = queries.by_number(number)
    return Found(decision, decision.finding.series.project.scope) if decision else None


def shown(decision: Decision) -> dict[str, Any]:
    names = ("kind", "state", "version", "reason", "evidence", "scope", "end_reason")
    return {
        **{name: getattr(decision, name) for name in names},
        "id": decision.pk,
        "project": decision.finding.series.project.key,
        "finding": decision.finding_id,
        "title": decision.finding.title,
        "allowed": verbs(decision, decision.state),
        "until": moment(decision.until),
        "asked_by": decision.asked_label,
        "asked_at": moment(decision.asked_at),
        "given_by": decision.given_label,
        "ended_at": moment(decision.ended_at),
        "premises": [{name: premise[name] for name in PremiseOut.model_fields} for premise in decision.premises],
    }


@operation("get", "/findings/decisions", "api.finding.decisions", SIGNED_IN, query=Listing, response=Decisions)
def listed(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The decisions on findings that the token's user sees, newest first."""
    states = [value for value, _ in STATES if value]
    if listing.state and listing.state not in states:
        raise Unfit("state", f"state is one of: {', '.join(states)}.")
    if listing.kind and listing.kind not in Decision.Kind.values:
        raise Unfit("kind", f"kind is one of: {', '.join(Decision.Kind.values)}.")
    wanted = {name: getattr(listing, name) for name in ("project", "kind", "state")}
    wanted["finding"] = str(listing.finding or "")
    return page(queries.matching(request.user, wanted), listing, shown)


@operation(
    "post",
    "/findings/decisions/{int:number}/give",
    "api.decision.give",
    REVIEWER,
    find=find_decision,
    response=DecisionOut,
)
def give(request: HttpRequest, number: int, body: Versioned) -> dict[str, Any]:
    """Give a waiver that another person asked for; a token counts as its user."""
    decision: Decision = request.found  # type: ignore[attr-defined]
    return shown(decisions.give(decision, by=request.user, expected_version=body.version))  # type: ignore[arg-type]


@operation(
    "post",
    "/findings/decisions/{int:number}/refuse",
    "api.decision.refuse",
    REVIEWER,
    find=find_decision,
    response=DecisionOut,
)
def refuse(request: HttpRequest, number: int, body: Because) -> dict[str, Any]:
    """Refuse a waiver: the finding stays open."""
    decision: Decision = request.found  # type: ignore[attr-defined]
    said: dict[str, Any] = {"reason": body.reason, "expected_version": body.version}
    return shown(decisions.refuse(decision, by=request.user, **said))  # type: ignore[arg-type]


@operation(
    "post",
    "/findings/decisions/{int:number}/end",
    "api.decision.end",
    REVIEWER,
    find=find_decision,
    response=DecisionOut,
)
def end(request: HttpRequest, number: int, body: Because) -> dict[str, Any]:
    """End it before its time: what rested on it is open again."""
    decision: Decision = request.found  # type: ignore[attr-defined]
    return shown(decisions.end(decision, reason=body.reason, expected_version=body.version))

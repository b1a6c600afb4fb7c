"""Councils: asked for, handed in to, voted in, closed and made void."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from portal.api.doors import Unfit, operation, verbs
from portal.api.shapes import ID, Flag, Paged, Reason, Strict, Versioned, bounded, moment, page, project_by_key
from portal.core import limits
from portal.core.access import SIGNED_IN, Role, within
from portal.core.doors import Found
from reviews.council_forms import SERIES, AskForm
from reviews.councils import answering, asking, voting
from reviews.models import Ballot, Council, CouncilState, Member
from reviews.queries import councils as queries
from tickets.models import Project
from tickets.queries import assignable

VIEWER, OPERATOR, REVIEWER = within(Role.VIEWER), within(Role.OPERATOR), within(Role.REVIEWER)


class SeatOut(Schema):
    member: int
    version: int
    name: str
    kind: str
    state: str
    problem: str
    # the ticket on which its agent reads; the review that it handed in
    ticket: str | None
    review: int | None
    vote: str | None
    reason: str


class MergedOut(Schema):
    finding: int
    title: str
    severity: str
    found_by: list[str]
    of: int
    # a sentence for each thing in which the documents differ; none where they agree
    disputes: list[str]


class CouncilOut(Schema):
    id: int
    project: str
    series: str
    about: str
    asked: str
    commit: str
    base: str
    state: str
    version: int
    allowed: list[str]
    quorum: int
    deadline: str | None
    # what comes of it, once it is closed: "ship", "ship_after", "do_not_ship"; empty where there is none
    outcome: str
    detail: str
    asked_by: str
    asked_at: str
    # votes that are still needed to close it
    missing: int
    members: list[SeatOut]
    # of the documents that are imported; at most 200
    findings: list[MergedOut]
    findings_more: int


class CouncilLine(Schema):
    id: int
    project: str
    series: str
    about: str
    asked: str
    commit: str
    state: str
    outcome: str
    members: int
    answered: int


class Councils(Schema):
    items: list[CouncilLine]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class Listing(Paged):
    project: str = Field("", max_length=10)
    state: str = Field("", max_length=10)
    # a whole name, or how it begins
    commit: str = Field("", max_length=64)


class Asking(Strict):
    about: str = Field(max_length=12)
    asked: str = Field("", max_length=200)
    since: str = Field("", max_length=200)
    # names of agents, and e-mail addresses of people
    agents: list[str] = Field([], max_length=50)
    people: list[str] = Field([], max_length=50)
    instructions: str = ""
    series: str = Field(SERIES, max_length=200)
    quorum: Annotated[StrictInt, Field(ge=1, le=50)] | None = None
    # a day: its last second, in UTC
    deadline: str = Field("", max_length=10)
    imports: Flag = False


class HandIn(Strict):
    text: str
    file_name: str = Field("", max_length=200)


class Casting(Strict):
    vote: str = Field(max_length=12)
    reason: Reason


class Because(Versioned):
    reason: Reason


class About(Strict):
    member: ID


class Again(Versioned):
    member: ID


def find_council(number: int) -> Found | None:
    council = queries.by_number(number)
    return Found(council, council.series.project.scope) if council else None


def shown(council: Council, reader: Any) -> dict[str, Any]:
    found = queries.everything(council, reader)
    names = ("about", "asked", "commit", "base", "state", "version", "quorum", "outcome", "detail")
    every = [*found.findings.disputed, *found.findings.agreed]
    return {
        **{name: getattr(council, name) for name in names},
        "id": council.pk,
        "project": council.series.project.key,
        "series": council.series.name,
        "allowed": verbs(council, council.state),
        "deadline": moment(council.deadline),
        "asked_by": council.asked_label,
        "asked_at": moment(council.asked_at),
        "missing": found.tally.missing if found.open else 0,
        "members": [_seat(seat) for seat in found.seats],
        "findings": [_merged(one) for one in every],
        "findings_more": found.findings.more,
    }


def _seat(seat: queries.Seat) -> dict[str, Any]:
    member = seat.member
    return {
        "member": member.pk,
        "version": member.version,
        "name": member.label,
        "kind": "agent" if member.agent_id else "person",
        "state": member.state,
        "problem": member.problem,
        "ticket": member.ticket.key if member.ticket else None,
        "review": member.review_id,
        "vote": seat.vote.ballot if seat.vote else None,
        "reason": seat.vote.reason if seat.vote else "",
    }


def _merged(one: queries.Merged) -> dict[str, Any]:
    finding = one.finding
    found_by = [said.by for said in one.said]
    facts = {"finding": finding.pk, "title": finding.title, "severity": finding.severity}
    return facts | {"found_by": found_by, "of": one.of, "disputes": one.disputes}


def _line(council: Any) -> dict[str, Any]:
    names = ("about", "asked", "commit", "state", "outcome")
    facts = {name: getattr(council, name) for name in names}
    facts |= {"id": council.pk, "project": council.series.project.key, "series": council.series.name}
    return facts | {"members": council.asked_number, "answered": council.answered_number}


@operation("get", "/councils", "api.councils", SIGNED_IN, query=Listing, response=Councils)
def listed(request: HttpRequest, listing: Query[Listing]) -> dict[str, Any]:
    """The councils that the token's user sees, newest first."""
    if listing.state and listing.state not in CouncilState.values:
        raise Unfit("state", f"state is one of: {', '.join(CouncilState.values)}.")
    wanted = {name: getattr(listing, name) for name in ("project", "state", "commit")}
    return page(queries.matching(request.user, wanted), listing, _line)


@operation("get", "/councils/{int:number}", "api.council", VIEWER, find=find_council, response=CouncilOut)
def one(request: HttpRequest, number: int) -> dict[str, Any]:
    """One council: who answered, what they found, how they vote, and what comes of it."""
    return shown(request.found, request.user)  # type: ignore[attr-defined]


@operation("post", "/projects/{key}/councils", "api.council.ask", OPERATOR, find=project_by_key, response=CouncilOut)
def ask(request: HttpRequest, key: str, body: Asking) -> dict[str, Any]:
    """Ask agents and people to review one commit; a worker looks it up, then they are asked."""
    project: Project = request.found  # type: ignore[attr-defined]
    known = {agent.name: agent.pk for agent in assignable().filter(name__in=body.agents)}
    if missing := [name for name in body.agents if name not in known]:
        raise Unfit("agents", f"No agent that could work is called {missing[0][:80]}.")
    sent = {
        "project": project.key,
        "about": body.about,
        # What may be left out, and what nobody can see, are two things.
        "asked_for": bounded("asked", body.asked, 200, required=bool(body.asked)),
        "since": bounded("since", body.since, 200, required=bool(body.since)),
        "agents": [known[name] for name in body.agents],
        "people": "\n".join(body.people),
        "instructions": body.instructions,
        "series": body.series,
        "quorum": body.quorum or "",
        "deadline": body.deadline,
        "imports": body.imports,
    }
    form = AskForm(request.user, sent)
    if not form.is_valid():
        name, said = next(iter(form.errors.items()))
        raise Unfit({"asked_for": "asked", "__all__": "body"}.get(name, name), str(said[0]))
    asked = {**form.asked(), "by": request.user}
    return shown(asking.ask(project, form.cleaned_data["subject"], **asked), request.user)


@operation(
    "post", "/councils/{int:number}/review", "api.council.hand_in", OPERATOR, find=find_council, response=CouncilOut
)
def hand_in(request: HttpRequest, number: int, body: HandIn) -> dict[str, Any]:
    """Hand in a review of your own; who was not asked is a member from then on."""
    council: Council = request.found  # type: ignore[attr-defined]
    text = bounded("text", body.text, limits.value("DOCUMENT_TEXT_MAX_BYTES"), required=True)
    answering.by_person(council, by=request.user, content=text.encode(), file_name=body.file_name)  # type: ignore[arg-type]
    return shown(council, request.user)


@operation("post", "/councils/{int:number}/vote", "api.council.vote", OPERATOR, find=find_council, response=CouncilOut)
def vote(request: HttpRequest, number: int, body: Casting) -> dict[str, Any]:
    """Vote as the member that the token's user is; a later vote counts in place of an earlier one."""
    council: Council = request.found  # type: ignore[attr-defined]
    if body.vote not in Ballot.values:
        raise Unfit("vote", f"vote is one of: {', '.join(Ballot.values)}.")
    voting.vote(council, body.vote, by=request.user, reason=body.reason)  # type: ignore[arg-type]
    return shown(council, request.user)


@operation(
    "post", "/councils/{int:number}/close", "api.council.close", REVIEWER, find=find_council, response=CouncilOut
)
def close(request: HttpRequest, number: int, body: Versioned) -> dict[str, Any]:
    """End it, once as many have voted as it takes: its outcome is of its commit alone."""
    council: Council = request.found  # type: ignore[attr-defined]
    return shown(voting.close(council, expected_version=body.version), request.user)


@operation("post", "/councils/{int:number}/void", "api.council.void", REVIEWER, find=find_council, response=CouncilOut)
def void(request: HttpRequest, number: int, body: Because) -> dict[str, Any]:
    """Another commit is meant: no verdict goes by it."""
    council: Council = request.found  # type: ignore[attr-defined]
    return shown(voting.void(council, reason=body.reason, expected_version=body.version), request.user)


@operation(
    "post",
    "/councils/{int:number}/ask_again",
    "api.council.ask_again",
    OPERATOR,
    find=find_council,
    response=CouncilOut,
)
def ask_again(request: HttpRequest, number: int, body: Again) -> dict[str, Any]:
    """Another turn of an agent that gave no answer, or another answer; ``version`` is the member's."""
    council: Council = request.found  # type: ignore[attr-defined]
    asking.ask_again(_member(council, body.member), expected_version=body.version)
    return shown(council, request.user)


@operation(
    "post", "/councils/{int:number}/import", "api.council.take_in", REVIEWER, find=find_council, response=CouncilOut
)
def take_in(request: HttpRequest, number: int, body: About) -> dict[str, Any]:
    """Apply the plan of what a member handed in; what it does not speak of was not assessed."""
    council: Council = request.found  # type: ignore[attr-defined]
    answering.of_member(_member(council, body.member), by=request.user)  # type: ignore[arg-type]
    return shown(council, request.user)


def _member(council: Council, number: int) -> Member:
    member = queries.member_of(council, number)
    if member is None:
        raise Unfit("member", f"{str(council).capitalize()} has no member {number}.", 404)
    return member

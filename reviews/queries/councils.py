"""What the pages of councils show: members with votes and documents, their findings merged, agreements and disputes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from portal.core import access
from portal.core.access import Role, within
from reviews.councils import subjects, voting
from reviews.councils.voting import Tally
from reviews.models import (
    Council,
    CouncilState,
    Finding,
    ImportRow,
    Member,
    MemberState,
    Review,
    ReviewState,
    Severity,
    Vote,
)
from tickets.fields import number_of
from tickets.models import Project, Ticket
from tickets.queries import Page, page_of, seen_by

FINDINGS_SHOWN: Final = 200
EARLIER_SHOWN: Final = 20
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity.values)}
# What a document says of a finding that it does not call open.
_ANSWERED: Final = {"fixed": "fixed", "rejected": "not a problem", "deferred": "deferred", "waived": "accepted"}


@dataclass(slots=True)
class Seat:
    """A member as the page shows it: the vote that counts, earlier ones, and what the reader may do."""

    member: Member
    vote: Vote | None = None
    earlier: list[Vote] = field(default_factory=list)
    tried: Any = None

    @property
    def unread(self) -> bool:
        """Whether its document came to no plan, and can be asked for again."""
        review = self.member.review
        return self.member.agent_id is not None and review is not None and review.state == ReviewState.FAILED

    @property
    def may_ask_again(self) -> bool:
        agent = self.member.agent_id is not None
        return agent and self.member.state in {MemberState.FAILED, MemberState.ANSWERED}

    @property
    def may_import(self) -> bool:
        review = self.member.review
        return review is not None and review.state in {ReviewState.PLANNED, ReviewState.RECEIVED}


@dataclass(frozen=True, slots=True)
class Said:
    """What one member's document says of a finding."""

    by: str
    severity: str
    status: str


@dataclass(slots=True)
class Merged:
    """One finding, and what each document says of it. ``of``: how many documents were imported."""

    finding: Finding
    of: int
    # the id of a review that speaks of it
    review: int
    said: list[Said] = field(default_factory=list)

    @property
    def number(self) -> int:
        return len(self.said)

    @property
    def agreed(self) -> bool:
        return not self.disputes

    @property
    def disputes(self) -> list[str]:
        """A sentence for each thing in which the documents are not of one mind; none where they are."""
        found: list[str] = []
        if self.of > 1 and self.number == 1:
            found.append(f"Only {self.said[0].by} found it.")
        graded = [one for one in self.said if one.severity]
        if len({one.severity for one in graded}) > 1:
            # The worst first, whoever was the first to answer.
            graded.sort(key=lambda one: (_RANK.get(one.severity, 9), one.by))
            words = ", ".join(f"{one.by}: {_word(one.severity)}" for one in graded)
            found.append(f"They grade it differently: {words}.")
        closed = [one for one in self.said if one.status in _ANSWERED]
        if closed and len(closed) < self.number:
            words = ", ".join(f"{one.by} says {_ANSWERED[one.status]}" for one in closed)
            found.append(f"{words}; the others call it open.")
        return found


def _word(severity: str) -> str:
    return str(Severity(severity).label).lower() if severity in Severity.values else severity


@dataclass(frozen=True, slots=True)
class Findings:
    disputed: list[Merged]
    agreed: list[Merged]
    # documents that are imported, and those that are not yet
    imported: int
    waiting: int
    more: int


@dataclass(frozen=True, slots=True)
class Everything:
    """What the page of a council shows."""

    council: Council
    seats: list[Seat]
    tally: Tally
    findings: Findings
    own: Member | None
    # why the reader cannot take part; empty where they can
    why_not: str
    takes_part: bool
    operates: bool
    reviews: bool

    @property
    def unanswered(self) -> list[Seat]:
        waiting = (MemberState.WAITING, MemberState.FAILED)
        return [seat for seat in self.seats if seat.member.state in waiting]

    @property
    def open(self) -> bool:
        return self.council.state == CouncilState.OPEN


def councils() -> QuerySet[Council]:
    return Council.objects.select_related("series__project", "ticket", "asked_by")


def by_number(number: int) -> Council | None:
    return councils().filter(pk=number).first() if number < 2**63 else None


def member_of(council: Council, number: int) -> Member | None:
    rows = Member.objects.select_related("agent", "user", "review", "ticket").filter(council=council)
    member = rows.filter(pk=number).first() if number < 2**63 else None
    if member is not None:
        member.council = council
    return member


def everything(council: Council, reader: Any) -> Everything:
    seats = seats_of(council)
    scope = council.series.project.scope
    own = next((seat.member for seat in seats if seat.member.user_id == reader.pk), None)
    why = subjects.why_not(council, person=reader.pk)
    operates = access.may(reader, within(Role.OPERATOR), scope)
    return Everything(
        council,
        seats,
        voting.tally(council),
        merged(council, seats),
        own,
        why,
        takes_part=operates and not why and council.state == CouncilState.OPEN,
        operates=operates,
        reviews=access.may(reader, within(Role.REVIEWER), scope),
    )


def seats_of(council: Council) -> list[Seat]:
    members = Member.objects.filter(council=council).select_related("agent", "user", "ticket", "review__series")
    rows = members.defer("review__content", "review__read_text", "review__reading").order_by("pk")
    seats = {member.pk: Seat(member) for member in rows}
    for vote in Vote.objects.filter(member__council=council).select_related("review__series").order_by("-pk"):
        seat = seats[vote.member_id]
        if seat.vote is None:
            seat.vote = vote
        elif len(seat.earlier) < EARLIER_SHOWN:
            seat.earlier.append(vote)
    return list(seats.values())


# Merged -----------------------------------------------------------------------------


def merged(council: Council, seats: Iterable[Seat]) -> Findings:
    """The findings of the documents that are imported: one finding is one row, whoever named it."""
    authors: dict[int, list[str]] = {}
    waiting = 0
    for seat in seats:
        review = seat.member.review
        if review is not None and seat.member.state == MemberState.ANSWERED:
            if review.state == ReviewState.APPLIED:
                authors.setdefault(review.pk, []).append(seat.member.label)
            elif review.state in {ReviewState.RECEIVED, ReviewState.PLANNED}:
                waiting += 1
    number = sum(map(len, authors.values()))
    rows = ImportRow.objects.filter(review__in=list(authors), outcome=ImportRow.Outcome.APPLIED, left_out=False)
    rows = rows.exclude(action=ImportRow.Action.CARRY).exclude(finding=None).select_related("finding__ticket")
    found: dict[int, Merged] = {}
    for row in rows.order_by("finding", "review"):
        finding = row.finding
        if finding is None:
            continue
        one = found.setdefault(finding.pk, Merged(finding, number, row.review_id))
        severity, status = row.item.get("severity") or "", row.item.get("status") or ""
        one.said += [Said(label, severity, status) for label in authors[row.review_id]]
    every = sorted(found.values(), key=lambda one: (-one.number, _RANK.get(one.finding.severity, 9), one.finding.pk))
    shown = every[:FINDINGS_SHOWN]
    disputed = [one for one in shown if one.disputes]
    return Findings(disputed, [one for one in shown if not one.disputes], number, waiting, len(every) - len(shown))


# Lists ------------------------------------------------------------------------------


def matching(reader: Any, wanted: dict[str, str]) -> QuerySet[Council]:
    """The councils that ``reader`` may see and that the filters of a list let through, with members and answers."""
    rows: QuerySet[Council] = seen_by(reader, councils(), "series__project")
    if wanted.get("project"):
        rows = rows.filter(series__project__key=wanted["project"])
    if wanted.get("state"):
        rows = rows.filter(state=wanted["state"])
    if wanted.get("commit"):
        rows = rows.filter(commit__startswith=wanted["commit"])
    if wanted.get("series"):
        rows = rows.filter(series=number_of(wanted["series"]) or 0)
    return rows.annotate(
        asked_number=Count("members", filter=~Q(members__state=MemberState.REFUSED), distinct=True),
        answered_number=Count("members", filter=Q(members__state=MemberState.ANSWERED), distinct=True),
    )


def council_list(reader: Any, wanted: dict[str, str], before: int | None) -> Page:
    return page_of(matching(reader, wanted), before)


def of_ticket(ticket: Ticket, most: int) -> Sequence[Council]:
    return list(councils().filter(ticket=ticket).order_by("-pk")[:most])


def member_that_reads(ticket: Ticket) -> Member | None:
    """The member for which the agent of this ticket read, where it is such a ticket."""
    return Member.objects.filter(ticket=ticket).select_related("council").first()


def of_review(review: Review) -> Member | None:
    """The member whose answer a review is, for the page of the review."""
    return Member.objects.filter(review=review).select_related("council", "ticket").order_by("-pk").first()


# For the verdict ----------------------------------------------------------------------


def newest_on(project: Project, commit: str) -> Council | None:
    """The newest council on this very commit that is open or closed: what a verdict goes by."""
    return newest_of([project], [commit]).get((project.pk, commit)) if commit else None


def newest_of(projects: Iterable[Project], commits: Iterable[str]) -> dict[tuple[int, str], Council]:
    """The same of many: by the number of the project and the commit."""
    rows = Council.objects.filter(series__project__in=list(projects), commit__in=[name for name in commits if name])
    rows = rows.filter(state__in=[CouncilState.OPEN, CouncilState.CLOSED]).select_related("series").order_by("pk")
    return {(council.series.project_id, council.commit): council for council in rows}

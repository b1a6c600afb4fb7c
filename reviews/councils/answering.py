"""What the members of a council hand in: an agent by its turn, a person by the page. Each is a review of the series."""

from __future__ import annotations

from typing import Final

import structlog

from portal.core import redaction, secrets
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.redaction import redact
from portal.core.unit import current, unit_of_work
from reviews import applying, documents, telling
from reviews.applying import Applied
from reviews.councils import subjects, voting
from reviews.councils.asking import may_take_part
from reviews.importing import BadInput as Unreadable
from reviews.models import Council, ImportRow, Member, MemberState, Review, ReviewState
from reviews.transitions import MEMBER
from tickets.models import Turn
from tickets.readers import Answer
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput

log = structlog.get_logger(__name__)
IMPORT_KIND: Final = "council.import"
PROBLEM_CHARS: Final = 500
_READ: Final = (ReviewState.PLANNED, ReviewState.APPLIED)


def by_agent(answer: Answer) -> None:
    """The turn of an agent ended that a council had asked. In the transaction of that end."""
    rows = Member.objects.filter(ticket=answer.ticket, state=MemberState.WAITING)
    member = rows.select_related("council__series__project", "agent").first()
    if member is None or member.agent is None:
        return
    with acting(Actor("agent", str(member.agent_id), member.agent.name)):
        problem = answer.handed.problem
        review = None
        if not problem and answer.turn is not None:
            review, problem = _received(member, answer.turn, answer.handed.content)
        if review is None:
            MEMBER.move(member, "fail", reason=problem, problem=problem[:PROBLEM_CHARS])
            telling.council_has_no_answer(member)
            return
        MEMBER.move(member, "answer", reason=f"It is {review}.", review=review, problem="", answered_at=Wall())
        telling.council_has_answer(member)
        if voting.by_agent(member, answer.payload) is None and review.state in _READ:
            # The very document of another member was read before.
            voting.by_document(review, review.reading.get("verdict"))


def _received(member: Member, turn: Turn, content: bytes) -> tuple[Review | None, str]:
    """The document as a review of the council's series, or why it cannot be one."""
    council = member.council
    name = f"{turn.ticket.key}-turn-{turn.seq}.md"
    said, cut = _without_secrets(content)
    review, made = documents.receive(
        council.series.project,
        series_name=council.series.name,
        content=said,
        file_name=name,
        turn=turn,
        reviewer=f"{member.label}, turn {turn.seq} of {turn.ticket.key}",
        subject_commit=council.commit,
    )
    if not made and review.subject_commit != council.commit:
        of = f"about {review.subject_commit[:12]}" if review.subject_commit else "and was not asked for here"
        return None, f"It handed in, byte for byte, what {review} is already, {of}."
    if cut:
        current().record("review.redacted", review.subject, reason="What was a secret in it was taken out.")
    return review, ""


def _without_secrets(content: bytes) -> tuple[bytes, bool]:
    """As it is, word for word, unless it holds what is a secret for certain."""
    text = content.decode("utf-8", "surrogateescape")
    with secrets.all_known():
        if next(iter(redaction.kinds(text)), None) is None:
            return content, False
        return redact(text).encode("utf-8", "surrogateescape"), True


def by_person(council: Council, *, by: User, content: bytes, file_name: str = "") -> Member:
    """A person's own review, as a document of the series; who was not asked is a member from then on.

    Raises ``Refused`` for an author of what is looked at, and where the council is not open.
    """
    if not may_take_part(council.series.project, by):
        raise Refused(f"It takes an operator of {council.series.project.key} to hand in a review.")
    with unit_of_work():
        _refuse(council, by)
        review, made = documents.receive(
            council.series.project,
            series_name=council.series.name,
            content=content,
            file_name=file_name,
            reviewer=str(by),
            subject_commit=council.commit,
        )
        others = Member.objects.filter(review=review).exclude(user=by)
        if not made and (review.subject_commit != council.commit or others.exists()):
            raise Refused(f"This document is {review} already: a review of yours is in words of your own.")
        held = voting.lock(council)
        voting.refuse_ended(held)
        member = Member.objects.filter(council=held, user=by).first()
        if member is None:
            member = Member.objects.create(council=held, user=by, label=str(by)[:254], state=MemberState.WAITING)
        member.council = held
        MEMBER.move(member, "answer", reason=f"It is {review}.", review=review, problem="", answered_at=Wall())
    return member


def _refuse(council: Council, by: User) -> None:
    """Before the document is stored; the lock of the council is taken after those of its series and review."""
    now = Council.objects.get(pk=council.pk)
    voting.refuse_ended(now)
    if why := subjects.why_not(now, person=by.pk):
        raise Refused(why)


# Imported ---------------------------------------------------------------------------


def planned(review: Review) -> None:
    """A plan is ready: the agent's verdict is its vote, and where the council says so, the plan is applied by a job."""
    voting.by_document(review, review.reading.get("verdict"))
    asked = Member.objects.filter(review=review, council__imports=True, state=MemberState.ANSWERED)
    council = Council.objects.filter(members__in=asked).select_related("series__project").order_by("pk").first()
    if council is not None:
        queue.enqueue(
            IMPORT_KIND,
            subject=f"council:{council.pk}",
            payload={"review": review.pk},
            unique_key=review.subject,
            # Of one series one after the other: each plan is made of the series as the one before left it.
            lane=f"series:{review.series_id}",
            audience=council.series.project.scope,
        )


def run(claim: Claim) -> None:
    """The handler of kind "council.import". What a person has to decide on stays a plan, and says what it waits for."""
    review = _found(claim.payload["review"])
    if review is None or review.state != ReviewState.PLANNED:
        return
    try:
        if applying.plan_is_stale(review):
            with claim.fenced():
                documents.read_again(review)
            documents.read_now(review, claim.fenced)
        with claim.fenced():
            _apply(review)
    except (Refused, BadInput, Unreadable) as refusal:
        log.info("council_review_not_imported", review=review.pk, why=str(refusal))


def take_in(review: Review, *, by: User) -> Applied:
    """Import a member's document now, its plan made again where the series has moved. Raises ``Refused``."""
    found = _found(review.pk)
    if found is None or found.state not in {ReviewState.PLANNED, ReviewState.RECEIVED}:
        raise Refused(f"{review} is {review.get_state_display().lower()}: it has no plan that could be applied.")
    with unit_of_work():
        try:
            if found.state == ReviewState.PLANNED and applying.plan_is_stale(found):
                documents.read_again(found)
            if found.state == ReviewState.RECEIVED:
                documents.read_now(found)
        except BadInput as refusal:
            raise Refused(f"{found} could not be read. {refusal}") from None
        return _apply(found, by)


def of_member(member: Member, *, by: User) -> Applied:
    """Import what the member handed in. Raises ``Refused``."""
    if member.review is None:
        raise Refused(f"{member} has handed in nothing yet.")
    return take_in(member.review, by=by)


def _apply(review: Review, by: User | None = None) -> Applied:
    """What others of the council found and this one does not name was not assessed by it: silence closes nothing."""
    return applying.apply(review, rest=ImportRow.Disposition.NOT_ASSESSED, by=by)


def _found(number: int) -> Review | None:
    rows = Review.objects.select_related("series__project").defer("content", "read_text")
    return rows.filter(pk=number).first()

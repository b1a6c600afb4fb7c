"""Votes of a council's members, and its end: by a quorum or a deadline, with an outcome that is of its commit alone."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from portal.core import clock
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused, Stale
from portal.core.models import User
from portal.core.redaction import redact
from portal.core.storable import is_storable
from portal.core.unit import current, unit_of_work
from portal.core.unseen import is_unseen
from reviews.councils import subjects
from reviews.councils.ballots import ballot_of, outcome_of
from reviews.models import Ballot, Council, CouncilState, Member, MemberState, Review, Vote
from reviews.transitions import COUNCIL, MEMBER

REASON_CHARS: Final = 2000
NOT_OPEN: Final = "{} is {}: it takes no vote and no document any more."


def lock(council: Council, expected_version: int | None = None) -> Council:
    """The row as it is now, until the transaction ends: votes and the end go one after the other."""
    rows = Council.objects.select_for_update(of=("self",), no_key=True).select_related("series__project", "ticket")
    held = rows.filter(pk=council.pk).first()
    if held is None:
        raise Gone(f"Council {council.pk} is not there any more.")
    if expected_version is not None and held.version != expected_version:
        raise Stale(held.subject, expected_version, held.version)
    return held


def refuse_ended(council: Council) -> None:
    if council.state != CouncilState.OPEN:
        raise Refused(NOT_OPEN.format(str(council).capitalize(), council.get_state_display().lower()))


def refuse_author(council: Council, member: Member) -> None:
    if why := subjects.why_not(council, agent=member.agent_id, person=member.user_id):
        raise Refused(why)


# Voting ---------------------------------------------------------------------------


def vote(council: Council, ballot: str, *, by: User, reason: str) -> Vote:
    """The vote of a person who is a member; a later one counts in its place, and the earlier is kept.

    Raises ``Refused``: for no member, an author of what is looked at, or a council that is not open.
    """
    if ballot not in Ballot.values:
        raise Refused(f"A vote is one of: {', '.join(Ballot.values)}.")
    words = checked(reason)
    with unit_of_work():
        held = lock(council)
        refuse_ended(held)
        if why := subjects.why_not(held, person=by.pk):
            raise Refused(why)
        member = Member.objects.filter(council=held, user=by).first()
        if member is None:
            raise Refused(f"You are no member of {held}, so you have no vote. Hand in a review first.")
        return _cast(held, member, Ballot(ballot), words)


def by_agent(member: Member, payload: Any) -> Vote | None:
    """The vote that the end of an agent's turn carries: ``{"vote": "ship", "reason": "..."}``; none in other words."""
    if not isinstance(payload, dict):
        return None
    said, reason = payload.get("vote"), payload.get("reason")
    ballot = said if said in Ballot.values else ballot_of(said if isinstance(said, str) else None)
    words = reason if isinstance(reason, str) else ""
    return _machine_cast(member, ballot, words or "As it ended its turn, without a reason.", None)


def by_document(review: Review, verdict: str | None) -> None:
    """The document of an agent was read: its verdict is the agent's vote, unless it has voted as it ended its turn."""
    ballot = ballot_of(verdict)
    if ballot is None:
        return
    members = Member.objects.filter(review=review, agent__isnull=False, state=MemberState.ANSWERED)
    for member in members.select_related("council__series", "agent").order_by("pk"):
        newest = Vote.objects.filter(member=member).order_by("-pk").first()
        # A vote of before it was asked again is of another document.
        if newest is None or member.answered_at is None or newest.at < member.answered_at:
            _machine_cast(member, ballot, f"Its document says: {verdict}", review)


def _machine_cast(member: Member, ballot: str | None, reason: str, review: Review | None) -> Vote | None:
    if ballot is None or member.agent is None:
        return None
    with unit_of_work(), acting(Actor("agent", str(member.agent_id), member.agent.name)):
        held = lock(member.council)
        if held.state != CouncilState.OPEN or subjects.why_not(held, agent=member.agent_id):
            return None
        words = redact(reason).replace("\x00", "")[:REASON_CHARS].strip() or "No reason was given."
        return _cast(held, member, Ballot(ballot), words, review)


def _cast(council: Council, member: Member, ballot: Ballot, reason: str, review: Review | None = None) -> Vote:
    newest = Vote.objects.filter(member=member).order_by("-pk").first()
    if newest is not None and (newest.ballot, newest.reason, newest.review_id) == (ballot, reason, _id(review)):
        return newest
    made = Vote.objects.create(member=member, ballot=ballot, reason=reason, review=review)
    before = {"vote": newest.ballot} if newest else {}
    after = {"member": member.label, "vote": str(ballot)}
    current().record("council.voted", council.subject, before=before, after=after, reason=reason[:500])
    COUNCIL.announce(council)
    member.council = council
    MEMBER.announce(member)
    return made


def _id(review: Review | None) -> int | None:
    return review.pk if review else None


def checked(reason: str) -> str:
    """A reason as it is kept. Raises ``Refused``."""
    if not is_storable(reason):
        raise Refused("The words hold a NUL or half a character (a lone surrogate), which no database keeps.")
    words = reason.strip()
    if is_unseen(words):
        raise Refused("Say why: the reason is what the next reader has.")
    if len(words) > REASON_CHARS:
        raise Refused(f"A reason has at most {REASON_CHARS:,} characters (you sent {len(words):,}).")
    return words


# The end --------------------------------------------------------------------------


class Tally(NamedTuple):
    """``standing``: the vote of each member that counts. ``needed`` before the deadline, of ``able`` members."""

    standing: dict[int, Vote]
    able: int
    needed: int

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.standing))


def tally(council: Council) -> Tally:
    able = set(Member.objects.filter(council=council).exclude(state=MemberState.REFUSED).values_list("pk", flat=True))
    votes = Vote.objects.filter(member__council=council).select_related("member").order_by("pk")
    standing = {one.member_id: one for one in votes if one.member_id in able}
    return Tally(standing, len(able), council.quorum or max(1, len(able)))


def close(council: Council, *, expected_version: int | None = None) -> Council:
    """End it, with what most votes say, once as many have voted as its quorum wants. Raises ``Refused``."""
    with unit_of_work():
        held = lock(council, expected_version)
        counted = tally(held)
        if held.state == CouncilState.OPEN and counted.missing:
            raise Refused(
                f"{counted.missing} more vote{'s' if counted.missing > 1 else ''} needed: {len(counted.standing)} of"
                f" {counted.needed} are in. It closes by itself at its deadline, where it has one; or make it void."
            )
        _end(held, counted)
    council.refresh_from_db()
    return council


def end_due(council: Council) -> None:
    """Its deadline has come: the votes that are in count, if they are as many as its quorum names."""
    with unit_of_work():
        held = lock(council)
        if held.state == CouncilState.OPEN and held.deadline is not None and held.deadline <= clock.now():
            counted = tally(held)
            _end(held, counted._replace(needed=held.quorum or 1), "At its deadline")


def _end(council: Council, counted: Tally, when: str = "") -> None:
    said = Counter(one.get_ballot_display().lower() for one in counted.standing.values())
    number = f"{len(counted.standing)} of {counted.able} members voted"
    if counted.missing:
        detail = f"{when}: {number}, and it takes {counted.needed}. There is no outcome."
        COUNCIL.move(council, "close", reason=detail, detail=detail, ended_at=Wall())
        return
    outcome = outcome_of(one.ballot for one in counted.standing.values())
    words = ", ".join(f"{count} {word}" for word, count in sorted(said.items()))
    detail = f"{f'{when}: ' if when else ''}{number}: {words}."
    COUNCIL.move(council, "close", reason=detail, outcome=outcome, detail=detail, ended_at=Wall())


def void(council: Council, *, reason: str, expected_version: int | None = None) -> Council:
    """Another commit is meant: what was said of this one counts no more. Raises ``Refused``."""
    words = checked(reason)
    with unit_of_work():
        COUNCIL.move(
            council, "void", reason=words, expected_version=expected_version, detail=words[:500], ended_at=Wall()
        )
    return council

"""Who is told what: of a review whoever brought its document or had it read again, of a decision whom it concerns."""

from __future__ import annotations

from typing import Final

from portal.core import notifications
from portal.core.access import Role
from portal.core.models import Activity, User
from reviews.models import Decision, Member, Review
from tickets.models import Membership
from tickets.rights import readers

_BROUGHT: Final = ("review.received", "review.read_again")


def planned(review: Review) -> None:
    _tell(review, "review.plan", f"The plan of {review} is ready: {review.title}")


def failed(review: Review) -> None:
    _tell(review, "review.fail", f"{review} could not be read. {review.error}")


def _tell(review: Review, verb: str, title: str) -> None:
    project = review.series.project_id
    brought = Activity.objects.filter(subject=review.subject, verb__in=_BROUGHT, actor_kind__in=["user", "token"])
    people = readers(project, notifications.people_of(brought.values_list("actor_kind", "actor_id").distinct()))
    url, scope = review.get_absolute_url(), f"project:{project}"
    notifications.notify(people, verb=verb, subject=review.subject, scope=scope, title=title, url=url)


# Decisions ------------------------------------------------------------------------


def waiver_asked(decision: Decision) -> None:
    """Those who may give it: reviewers other than who asks; admins where the project has none."""
    rows = Membership.objects.filter(project=_project(decision), role__gte=Role.REVIEWER.value)
    people: set[int | None] = set(rows.values_list("user", flat=True))
    people = people - {decision.asked_by_id} or set(
        User.objects.filter(is_superuser=True, is_active=True).values_list("pk", flat=True)
    )
    title = f"{decision.asked_label} asks that {decision.finding} be waived: {decision.reason}"
    _tell_of(decision, people - {decision.asked_by_id}, "decision.asked", title)


def waiver_given(decision: Decision) -> None:
    title = f"{decision.given_label} gave the waiver of {decision.finding}"
    _tell_of(decision, {decision.asked_by_id}, "decision.give", title)


def waiver_refused(decision: Decision) -> None:
    title = f"{decision.given_label} refused the waiver of {decision.finding}: {decision.end_reason}"
    _tell_of(decision, {decision.asked_by_id}, "decision.refuse", title)


def ended_by_itself(decision: Decision) -> None:
    """Its time is over, or the code that it rests on is another: who asked for it, and who gave it."""
    title = f"{decision.finding}: {decision.end_reason}"
    _tell_of(decision, {decision.asked_by_id, decision.given_by_id}, "decision.end", title)


def _project(decision: Decision) -> int:
    return decision.finding.series.project_id


def _tell_of(decision: Decision, people: set[int | None], verb: str, title: str) -> None:
    project = _project(decision)
    seeing = readers(project, [person for person in people if person is not None])
    url = f"/findings/decisions/?finding={decision.finding_id}"
    notifications.notify(seeing, verb=verb, subject=decision.subject, scope=f"project:{project}", title=title, url=url)


# Councils -------------------------------------------------------------------------


def council_asks(member: Member) -> None:
    """A person was asked for a review, and for a vote."""
    council = member.council
    title = f"{council.asked_label} asks for your review of {council.commit[:9]}: {council.title}"
    _tell_of_council(member, {member.user_id}, "council.asks", title)


def council_has_no_answer(member: Member) -> None:
    """Who asked hears that an agent handed in nothing."""
    title = f"{member.label} handed in no review of {member.council.commit[:9]}. {member.problem}"
    _tell_of_council(member, {member.council.asked_by_id}, "council.no_answer", title)


def council_has_answer(member: Member) -> None:
    """Who asked hears that an agent handed in its review, which is read next."""
    title = f"{member.label} handed in its review of {member.council.commit[:9]}: {member.council.title}"
    _tell_of_council(member, {member.council.asked_by_id}, "council.answer", title)


def _tell_of_council(member: Member, people: set[int | None], verb: str, title: str) -> None:
    council, project = member.council, member.council.series.project_id
    seeing = readers(project, [person for person in people if person is not None])
    url, scope = council.get_absolute_url(), f"project:{project}"
    notifications.notify(seeing, verb=verb, subject=council.subject, scope=scope, title=title, url=url)

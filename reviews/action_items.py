"""What a document wants done, as a checklist: who owns an item, and whether a person says that it is done."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from portal.core import cause
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused
from portal.core.models import User
from portal.core.unit import UnitOfWork, unit_of_work
from reviews.models import ActionItem, ReviewState
from reviews.transitions import REVIEW
from tickets.models import Membership

OWNERS_OFFERED: Final = 200
TEXT_SAID: Final = 120


def tick(item: ActionItem, done: bool) -> ActionItem:
    """Done, or not, by a person's word, which stands above the document's; said twice it is said once.

    Raises ``Refused`` where the item's review was taken back.
    """
    by = cause.current().actor.label[:254]
    with unit_of_work() as work:
        before = item.ticked
        changed = _standing(item).exclude(ticked=done).update(ticked=done, ticked_by=by, ticked_at=Wall())
        _read_again(item)
        if changed:
            _tell(work, item, "ticked" if done else "unticked", {"done": before}, {"done": done})
    return item


def own(item: ActionItem, owner: User | None, *, seen: int | None) -> ActionItem:
    """Give the item to a member of its project, or to nobody; ``seen`` is who had it when that was decided.

    Raises ``Refused`` for anybody else, and where somebody was faster.
    """
    project = item.review.series.project
    if owner is not None and not members(project.pk).filter(user=owner).exists():
        raise Refused(f"Only a member of {project.key} can own it.")
    if seen == (owner.pk if owner else None):
        return item
    with unit_of_work() as work:
        before = item.owner
        if not _standing(item).filter(owner=seen).update(owner=owner):
            _read_again(item)
            raise Refused(f"It is {item.owner or 'nobody’s'} by now. Look again, then decide.")
        _read_again(item)
        _tell(work, item, "given", {"owner": str(before or "")}, {"owner": str(owner or "")})
    return item


def members(project: int) -> QuerySet[Membership]:
    return Membership.objects.filter(project=project, user__is_active=True).select_related("user")


def member(item: ActionItem, **named: Any) -> User:
    """The member of its project of that id or address. Raises ``Refused``, which tells nothing of other people."""
    project = item.review.series.project
    found = members(project.pk).filter(**{f"user__{name}": value for name, value in named.items()}).first()
    if found is None:
        raise Refused(f"Only a member of {project.key} can own it.")
    return found.user


def owners(project: int) -> list[User]:
    """Whom an item of this project can be given to, by name; bounded."""
    return [row.user for row in members(project).order_by("user__name", "user__email")[:OWNERS_OFFERED]]


def _standing(item: ActionItem) -> QuerySet[ActionItem]:
    """The row, while its review is in force: of one that was taken back nothing is to be done."""
    return ActionItem.objects.filter(pk=item.pk, review__state=ReviewState.APPLIED)


def _read_again(item: ActionItem) -> None:
    found = ActionItem.objects.select_related("owner", "review__series__project").filter(pk=item.pk).first()
    if found is None:
        raise Gone("This action item is not there any more.")
    if found.review.state != ReviewState.APPLIED:
        raise Refused(f"{found.review} is {found.review.state}: its action items are not worked on.")
    for name in ("owner", "ticked", "ticked_by", "ticked_at"):
        setattr(item, name, getattr(found, name))


def _tell(work: UnitOfWork, item: ActionItem, verb: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """In the history of the review, and to the pages that show it."""
    review, said = item.review, item.text if len(item.text) <= TEXT_SAID else f"{item.text[:TEXT_SAID]}…"
    work.record(f"review.item_{verb}", review.subject, before=before, after=after, reason=f"{item.n}. {said}")
    REVIEW.announce(review)

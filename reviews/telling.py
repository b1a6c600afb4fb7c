"""Who is told what of a review: whoever brought its document, or asked that it be read again."""

from __future__ import annotations

from typing import Final

from portal.core import notifications
from portal.core.models import Activity
from reviews.models import Review
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

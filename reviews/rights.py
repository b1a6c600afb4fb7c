"""Who may follow which stream of this app. A finding has none: its changes are told on its project's."""

from __future__ import annotations

from portal.core.access import Role, within
from portal.live import streams
from reviews.models import Council, Review
from tickets.rights import row_number


def register() -> None:
    streams.register("review", within(Role.VIEWER), review_scope, label="Review")
    streams.register("council", within(Role.VIEWER), council_scope, label="Council")


def review_scope(name: str) -> str | None:
    number = row_number(name)
    if number is None:
        return None
    project = Review.objects.filter(pk=number).values_list("series__project_id", flat=True).first()
    return None if project is None else f"project:{project}"


def council_scope(name: str) -> str | None:
    number = row_number(name)
    if number is None:
        return None
    project = Council.objects.filter(pk=number).values_list("series__project_id", flat=True).first()
    return None if project is None else f"project:{project}"

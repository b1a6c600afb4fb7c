"""Who is told what of a review: whoever brought its document, or asked that it be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core import cause, tokens
from portal.core.cause import Actor
from portal.core.models import Notification, User
from reviews import documents
from reviews.models import Review
from tests.reviews import build
from tickets.models import Membership
from workers.draining import Drain
from workers.leases import LeaseKeeper

if TYPE_CHECKING:
    from tests.factories import World


def told(user: User) -> list[tuple[str, str]]:
    return list(Notification.objects.filter(user=user).order_by("at").values_list("verb", "title"))


def brought(world: World, actor: Actor, text: str = build.DOCUMENT) -> Review:
    with cause.acting(actor):
        review, _ = documents.receive(world.mc, series_name="Delivery path", content=text.encode())
    return review


def drain() -> None:
    Drain("short", "short@test", LeaseKeeper("short@test"), lambda: False).run()


@pytest.mark.django_db(transaction=True)
class TestReadByAWorker:
    def test_the_uploader_is_told_that_the_plan_is_ready(self, world: World) -> None:
        review = brought(world, Actor("user", str(world.operator.pk), "Operator"))
        drain()
        review.refresh_from_db()
        assert told(world.operator) == [("review.plan", f"The plan of Delivery path v1 is ready: {review.title}")]
        row = Notification.objects.get()
        assert (row.url, row.scope) == (review.get_absolute_url(), world.mc.scope)

    def test_and_that_it_could_not_be_read_with_the_reason(self, world: World) -> None:
        review = brought(world, Actor("user", str(world.operator.pk), "Operator"), "\x00\x01\x02")
        drain()
        review.refresh_from_db()
        assert review.state == "failed"
        assert told(world.operator) == [("review.fail", f"Delivery path v1 could not be read. {review.error}")]

    def test_so_is_the_person_behind_a_token(self, world: World) -> None:
        token, _ = tokens.issue(world.owner, name="ci", days=1, may_write=True)
        brought(world, Actor("token", token.prefix, "Owner by token ci"))
        drain()
        assert [verb for verb, _ in told(world.owner)] == ["review.plan"]

    def test_who_asked_that_it_be_read_again_is_told_too(self, world: World) -> None:
        review = brought(world, Actor("user", str(world.operator.pk), "Operator"))
        drain()
        Notification.objects.all().delete()
        review.refresh_from_db()
        with cause.acting(Actor("user", str(world.owner.pk), "Owner")):
            documents.read_again(review)
        drain()
        assert [verb for verb, _ in told(world.owner)] == [verb for verb, _ in told(world.operator)] == ["review.plan"]

    def test_who_left_the_project_is_not(self, world: World) -> None:
        brought(world, Actor("user", str(world.operator.pk), "Operator"))
        Membership.objects.filter(user=world.operator).delete()
        drain()
        assert told(world.operator) == []


def test_who_has_it_read_at_once_is_not_told_what_they_see(world: World) -> None:
    review = brought(world, Actor("user", str(world.operator.pk), "Operator"))
    with cause.acting(Actor("user", str(world.operator.pk), "Operator")):
        documents.read_now(review)
    assert told(world.operator) == []

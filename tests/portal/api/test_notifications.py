"""Notifications through the API: the token's user's own, and marked as read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.core import notifications
from portal.core.models import Notification, User
from portal.core.unit import unit_of_work
from tests.factories import World
from tickets.models import Membership

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


def tell(world: World, *people: User, n: int = 1) -> None:
    said = {"subject": f"ticket:MC-{n}", "scope": world.mc.scope, "title": f"Line {n}", "url": f"/tickets/MC-{n}/"}
    with unit_of_work():
        notifications.notify([person.pk for person in people or [world.viewer]], verb="ticket.fail", **said)


def test_a_list_holds_ones_own_lines_with_declared_fields(call: Call, world: World) -> None:
    tell(world)
    tell(world, world.owner, n=2)
    answer = call("get", "/notifications", world.viewer).json()
    (item,) = answer["items"]
    row = Notification.objects.get(user=world.viewer)
    assert item.pop("at").startswith("20")
    assert item == {
        "number": row.pk,
        "verb": "ticket.fail",
        "subject": "ticket:MC-1",
        "title": "Line 1",
        "url": "/tickets/MC-1/",
        "read_at": None,
    }
    assert (answer["next"], answer["until"]) == (None, notifications.place_of(row))
    Membership.objects.filter(user=world.viewer).delete()
    assert call("get", "/notifications", world.viewer).json() == {"items": [], "next": None, "until": None}


def test_pages_follow_each_other_and_the_unread_alone_can_be_asked_for(call: Call, world: World) -> None:
    for n in range(3):
        tell(world, n=n)
    first = call("get", "/notifications?limit=2", world.viewer).json()
    second = call("get", f"/notifications?limit=2&before={first['next']}", world.viewer).json()
    assert len({item["number"] for item in [*first["items"], *second["items"]]}) == 3 and second["next"] is None
    number = second["items"][0]["number"]
    assert call("post", f"/notifications/{number}/read", world.viewer).json() == {"read": 1}
    assert call("post", f"/notifications/{number}/read", world.viewer).json() == {"read": 0}
    unread = call("get", "/notifications?unread=true", world.viewer).json()["items"]
    assert number not in {item["number"] for item in unread} and len(unread) == 2


def test_all_are_read_up_to_what_a_list_said(call: Call, world: World) -> None:
    for n in range(3):
        tell(world, n=n)
    until = call("get", "/notifications", world.viewer).json()["until"]
    assert call("post", "/notifications/read", world.viewer, {"until": until}).json() == {"read": 3}
    assert call("get", "/notifications?unread=true", world.viewer).json()["items"] == []


def test_another_persons_line_is_not_there(call: Call, world: World) -> None:
    tell(world)
    number = Notification.objects.get().pk
    for user in (world.owner, world.admin):
        assert call("post", f"/notifications/{number}/read", user).status_code == 404
    assert Notification.objects.get().read_at is None


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/notifications?before=x", None, "before"),
        ("/notifications?limit=0", None, "limit"),
        ("/notifications?unread=perhaps", None, "unread"),
        ("/notifications?page=2", None, "page"),
        ("/notifications/read", {}, "until"),
        ("/notifications/read", {"until": "x"}, "until"),
        ("/notifications/read", {"until": "1" * 41}, "until"),
        ("/notifications/read", {"until": "1-1", "all": True}, "all"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Call, world: World, path: str, body: Any, field: str) -> None:
    answer = call("get" if body is None else "post", path, world.viewer, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"].rpartition(".")[2] == field


def test_a_token_that_may_only_read_marks_nothing(token: Callable[..., str], call: Call, world: World) -> None:
    tell(world)
    row = Notification.objects.get()
    bearer = f"Bearer {token(world.viewer, may_write=False)}"
    answer = call("post", f"/notifications/{row.pk}/read", world.viewer, Authorization=bearer)
    assert answer.status_code == 403
    row.refresh_from_db()
    assert row.read_at is None

"""The bell and the list of notifications: live, paged, read by POST alone, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F
from django.test import Client

from portal.core import notifications
from portal.core.models import Notification, User
from portal.core.unit import unit_of_work
from portal.live.models import Stream
from portal.site.tallies import bell, numbers
from tickets.models import Membership

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
SignIn = Callable[["User | None"], Client]


def tell(world: World, *people: User, n: int = 1, title: str = "", url: str = "/status/") -> Notification:
    with unit_of_work():
        title = title or f"Line {n}"
        ids = [person.pk for person in people or [world.viewer]]
        said = {"subject": f"ticket:MC-{n}", "scope": world.mc.scope, "title": title, "url": url}
        notifications.notify(ids, verb="ticket.fail", **said)
    return Notification.objects.latest("pk")


def label(page: str) -> str:
    found = re.search(r'href="/notifications/" aria-label="([^"]*)"', page)
    assert found
    return found[1]


class TestBell:
    def test_it_says_how_many_are_unread_with_its_cursor(self, world: World, sign_in: SignIn) -> None:
        client = sign_in(world.viewer)
        page = client.get("/status/").content.decode()
        assert label(page) == "Notifications"
        assert f'data-live="user:{world.viewer.pk}" data-live-cursor="-:0"' in page
        tell(world)
        tell(world, n=2)
        page = client.get("/status/").content.decode()
        stream = Stream.objects.get(name=f"user:{world.viewer.pk}")
        assert label(page) == "Notifications, 2 unread"
        assert f'data-live-cursor="{stream.epoch}:2" data-live-url="/notifications/bell/"' in page
        fragment = client.get("/notifications/bell/").content.decode()
        assert label(fragment) == "Notifications, 2 unread" and fragment.startswith('<div class="bell" id="bell"')

    def test_it_costs_no_query_beside_that_of_the_navigation(
        self, world: World, django_assert_num_queries: Any
    ) -> None:
        tell(world)
        numbers(world.viewer)
        with django_assert_num_queries(1):
            found = numbers(world.viewer)
        assert found.bell == bell(world.viewer) and found.bell.unread == "1"

    def test_a_number_stops_at_its_bound(self, world: World) -> None:
        Notification.objects.bulk_create(
            Notification(user=world.viewer, verb="a.b", subject=f"a:{n}", title="a", url="/") for n in range(100)
        )
        assert bell(world.viewer).unread == "99+"

    def test_what_was_of_a_project_that_was_lost_is_not_counted(self, world: World, sign_in: SignIn) -> None:
        tell(world)
        Membership.objects.filter(user=world.viewer).delete()
        assert label(sign_in(world.viewer).get("/status/").content.decode()) == "Notifications"


class TestList:
    def test_the_newest_are_first_and_the_unread_are_marked(self, world: World, sign_in: SignIn) -> None:
        first = tell(world, n=1)
        Notification.objects.update(at=F("at") - timedelta(hours=1))
        second = tell(world, n=2)
        notifications.read(first)
        page = sign_in(world.viewer).get("/notifications/").content.decode()
        assert page.index("Line 2") < page.index("Line 1")
        unread, read = (
            page[page.index(f'id="notification-{row.pk}"') :].partition("</li>")[0] for row in (second, first)
        )
        assert "New</span>" in unread and f'action="/notifications/{second.pk}/open/"' in unread
        assert "New</span>" not in read and '<a class="plain small" href="/status/">' in read

    def test_it_holds_nobody_elses_lines_and_none_of_a_lost_project(self, world: World, sign_in: SignIn) -> None:
        tell(world, world.owner, title="Of the owner")
        tell(world, world.viewer, title="Of the viewer")
        page = sign_in(world.viewer).get("/notifications/").content.decode()
        assert "Of the viewer" in page and "Of the owner" not in page
        Membership.objects.filter(user=world.viewer).delete()
        for url in ("/notifications/", "/notifications/fragment/", "/notifications/?only=unread", "/"):
            assert "Of the viewer" not in sign_in(world.viewer).get(url).content.decode()

    def test_pages_have_no_gap_and_no_repeat(self, world: World, sign_in: SignIn, settings: Any) -> None:
        settings.LIMITS = {**settings.LIMITS, "LIST_PAGE_ROWS": 5}
        for n in range(12):
            tell(world, n=n)
        client, seen, address = sign_in(world.viewer), list[str](), "/notifications/"
        while address:
            page = client.get(address).content.decode()
            seen += re.findall(r"Line \d+(?=</bdi>)", page)
            older = re.search(r'href="(/notifications/\?before=[^"]+)">Older', page)
            address = older[1] if older else ""
        assert len(seen) == len(set(seen)) == 12

    def test_what_no_list_said_is_not_understood(self, world: World, sign_in: SignIn) -> None:
        client = sign_in(world.viewer)
        for before in ("x", "1", "9" * 40, "1-1-1", "\N{ARABIC-INDIC DIGIT ONE}-1"):
            assert client.get("/notifications/", {"before": before}).status_code == 400
        assert client.get("/notifications/?only=nonsense").status_code == 200

    def test_text_is_shown_as_text(self, world: World, sign_in: SignIn) -> None:
        tell(world, title="<script>alert(1)</script>")
        page = sign_in(world.viewer).get("/notifications/").content.decode()
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page

    def test_it_costs_the_same_however_many_there_are(
        self, world: World, sign_in: SignIn, django_assert_num_queries: Any
    ) -> None:
        client = sign_in(world.viewer)
        for count in (1, 30):
            for n in range(count):
                tell(world, n=n)
            client.get("/notifications/")
            # Session, user, roles, the stream, the lines, the frame.
            with django_assert_num_queries(6):
                client.get("/notifications/")


class TestMarking:
    def test_opening_a_line_reads_it_and_leads_there(self, world: World, sign_in: SignIn) -> None:
        row = tell(world)
        answer = sign_in(world.viewer).post(f"/notifications/{row.pk}/open/")
        assert (answer.status_code, answer["Location"]) == (302, "/status/")
        row.refresh_from_db()
        assert row.read_at is not None

    def test_following_a_link_changes_nothing(self, world: World, sign_in: SignIn) -> None:
        row = tell(world)
        for url in (f"/notifications/{row.pk}/open/", f"/notifications/{row.pk}/read/", "/notifications/read/"):
            assert sign_in(world.viewer).get(url).status_code == 405
        row.refresh_from_db()
        assert row.read_at is None

    def test_a_line_is_read_in_its_list(self, world: World, sign_in: SignIn) -> None:
        row = tell(world)
        answer = sign_in(world.viewer).post(f"/notifications/{row.pk}/read/", {"only": "unread"})
        assert answer["Location"] == "/notifications/?only=unread"
        row.refresh_from_db()
        assert row.read_at is not None

    @pytest.mark.parametrize("what", ["open", "read"])
    def test_another_persons_line_is_not_there(self, world: World, sign_in: SignIn, what: str) -> None:
        row = tell(world)
        for user in (world.owner, world.admin):
            assert sign_in(user).post(f"/notifications/{row.pk}/{what}/").status_code == 404
        Membership.objects.filter(user=world.viewer).delete()
        assert sign_in(world.viewer).post(f"/notifications/{row.pk}/{what}/").status_code == 404
        row.refresh_from_db()
        assert row.read_at is None

    def test_all_that_were_shown_are_read_at_once(self, world: World, sign_in: SignIn) -> None:
        for n in range(3):
            tell(world, world.viewer, world.owner, n=n)
        client = sign_in(world.viewer)
        Notification.objects.update(at=F("at") - timedelta(hours=1))
        until = client.get("/notifications/").context["until"]
        later = tell(world, n=9)
        answer = client.post("/notifications/read/", {"until": until}, follow=True)
        assert list(notifications.unread(world.viewer)) == [later]
        assert notifications.unread(world.owner).count() == 3
        assert "3 marked as read." in answer.content.decode()

    @pytest.mark.parametrize("until", ["", "x", "1-", "9" * 60])
    def test_a_damaged_form_is_refused_and_reads_nothing(self, world: World, sign_in: SignIn, until: str) -> None:
        row = tell(world)
        answer = sign_in(world.viewer).post("/notifications/read/", {"until": until})
        assert answer.status_code == 400 and "damaged on its way" in answer.content.decode()
        row.refresh_from_db()
        assert row.read_at is None


def test_an_admin_looks_at_what_was_told(world: World, sign_in: SignIn) -> None:
    row = tell(world)
    client = sign_in(world.admin)
    assert "Line 1" in client.get("/admin/core/notification/?q=viewer").content.decode()
    page = client.get(f"/admin/core/notification/{row.pk}/change/").content.decode()
    assert "Line 1" in page and 'name="_save"' not in page
    assert client.get("/admin/core/notification/add/").status_code == 403

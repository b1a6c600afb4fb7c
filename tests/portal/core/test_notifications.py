"""What people are told: once for each thing, never of themselves, and of nothing that they may not see."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from portal.core import access, cause, notifications, tokens
from portal.core.access import OWN
from portal.core.cause import Actor
from portal.core.models import Notification, User
from portal.core.unit import unit_of_work
from portal.live.models import Event, Stream
from tests.workers.racing import race
from tickets.models import Membership

if TYPE_CHECKING:
    from tests.factories import World


def tell(*people: User, verb: str = "door.squeaked", subject: str = "door:1", **said: Any) -> None:
    said = {"title": "The door squeaks", "url": "/doors/1/", **said}
    # A clock that counts milliseconds would have two lines at one moment.
    Notification.objects.update(at=F("at") - timedelta(seconds=1))
    with unit_of_work():
        notifications.notify([person.pk for person in people], verb=verb, subject=subject, **said)


def titles(user: User) -> list[str]:
    user = User.objects.get(pk=user.pk)
    return [row.title for row in notifications.page(notifications.seen_by(user), None, 50).rows]


class TestTelling:
    def test_each_is_told_and_their_own_stream_says_so(self, world: World) -> None:
        tell(world.viewer, world.owner)
        for user in (world.viewer, world.owner):
            assert titles(user) == ["The door squeaks"]
            (event,) = Event.objects.filter(stream=f"user:{user.pk}")
            assert (event.kind, event.object) == ("notification", f"user:{user.pk}")
        assert titles(world.operator) == [] and Stream.objects.count() == 2

    def test_nobody_is_told_what_they_did_themselves(self, world: World) -> None:
        with cause.acting(Actor("user", str(world.owner.pk), "Owner")):
            tell(world.owner, world.viewer)
        assert (titles(world.owner), len(titles(world.viewer))) == ([], 1)

    def test_nor_what_a_token_of_theirs_did(self, world: World) -> None:
        token, _ = tokens.issue(world.owner, name="ci", days=1, may_write=True)
        with cause.acting(Actor("token", token.prefix, "Owner by token ci")):
            tell(world.owner, world.viewer)
        assert (titles(world.owner), len(titles(world.viewer))) == ([], 1)

    def test_nor_what_is_said_to_be_theirs(self, world: World) -> None:
        tell(world.owner, world.viewer, by=world.owner.pk)
        assert (titles(world.owner), len(titles(world.viewer))) == ([], 1)

    def test_the_same_again_renews_the_unread_line_and_moves_it_to_the_top(self, world: World) -> None:
        tell(world.viewer, title="It squeaks", url="/doors/1/")
        first = Notification.objects.get()
        tell(world.viewer, subject="door:2", title="Another")
        tell(world.viewer, title="It squeaks again", url="/doors/1/#again")
        assert titles(world.viewer) == ["It squeaks again", "Another"]
        again = Notification.objects.get(pk=first.pk)
        assert (again.url, again.at > first.at) == ("/doors/1/#again", True)

    def test_twice_in_one_unit_is_one_line_of_the_last_words(self, world: World) -> None:
        with unit_of_work():
            for title in ("first", "last"):
                tell(world.viewer, title=title)
        assert titles(world.viewer) == ["last"]

    def test_after_it_was_read_the_same_is_a_new_line(self, world: World) -> None:
        tell(world.viewer)
        assert notifications.read(Notification.objects.get())
        tell(world.viewer)
        tell(world.viewer, verb="door.fell")
        assert Notification.objects.filter(read_at=None).count() == 2 and Notification.objects.count() == 3

    def test_what_is_rolled_back_is_told_to_nobody(self, world: World) -> None:
        with unit_of_work():
            with pytest.raises(ZeroDivisionError), unit_of_work():
                tell(world.viewer)
                raise ZeroDivisionError
            tell(world.owner)
        assert (titles(world.viewer), len(titles(world.owner))) == ([], 1)
        assert list(Stream.objects.values_list("name", flat=True)) == [f"user:{world.owner.pk}"]

    def test_lines_are_written_before_any_stream_is_locked_and_in_one_order(self, world: World) -> None:
        with CaptureQueriesContext(connection) as said, unit_of_work():
            tell(world.owner, world.viewer, subject="door:2")
            tell(world.viewer, world.owner, subject="door:1")
        wrote = [query["sql"] for query in said if "INSERT INTO core_notification" in query["sql"]]
        first_stream = next(n for n, query in enumerate(said) if "live_stream" in query["sql"])
        assert [n for n, query in enumerate(said) if query["sql"] in wrote][-1] < first_stream
        people = sorted([world.owner.pk, world.viewer.pk])
        wanted = [(user, f"door:{n}") for user in people for n in (1, 2)]
        told = zip(wanted, wrote, strict=True)
        assert all(f"({user}, 'door.squeaked', '{door}'" in statement for (user, door), statement in told)

    def test_a_long_title_is_cut_and_says_so(self, world: World) -> None:
        tell(world.viewer, title="word\n " * 100)
        (title,) = titles(world.viewer)
        assert len(title) == notifications.TITLE_CHARS and title.endswith("…") and "\n" not in title

    def test_a_text_that_no_database_keeps_does_not_break_it(self, world: World) -> None:
        tell(world.viewer, title="a\0b \ud800")
        assert titles(world.viewer) == ["a\N{REPLACEMENT CHARACTER}b \N{REPLACEMENT CHARACTER}"]

    @pytest.mark.parametrize("url", ["https://example.org/", "//example.org/", "javascript:alert(1)", ""])
    def test_a_line_leads_nowhere_else(self, world: World, url: str) -> None:
        with pytest.raises(ValueError, match="out of the portal"):
            tell(world.viewer, url=url)

    def test_outside_a_unit_of_work_it_is_a_mistake(self, world: World) -> None:
        with pytest.raises(RuntimeError, match="unit_of_work"):
            notifications.notify([world.viewer.pk], verb="a.b", subject="a:1", title="a", url="/")


class TestReading:
    def test_who_lost_the_project_reads_nothing_of_it_any_more(self, world: World) -> None:
        tell(world.viewer, world.admin, scope=world.mc.scope)
        tell(world.viewer, subject="user:1", title="Of the installation")
        assert len(titles(world.viewer)) == 2
        Membership.objects.filter(user=world.viewer).delete()
        assert titles(world.viewer) == ["Of the installation"]
        assert notifications.unread(User.objects.get(pk=world.viewer.pk)).count() == 1
        assert titles(world.admin) == ["The door squeaks"]

    def test_to_be_read_is_said_once_and_announced(self, world: World) -> None:
        tell(world.viewer)
        row = Notification.objects.get()
        assert [notifications.read(row), notifications.read(row)] == [True, False]
        assert Event.objects.filter(stream=f"user:{world.viewer.pk}").count() == 2
        assert notifications.unread(world.viewer).count() == 0

    def test_all_are_read_up_to_the_line_that_was_seen(self, world: World) -> None:
        for n in range(3):
            tell(world.viewer, world.owner, subject=f"door:{n}")
        Notification.objects.update(at=F("at") - timedelta(minutes=1))
        seen = notifications.place_of(notifications.seen_by(world.viewer).latest("at"))
        tell(world.viewer, subject="door:0", title="Again")
        tell(world.viewer, subject="door:9", title="Later")
        assert notifications.read_all(world.viewer, seen) == 2
        left = notifications.unread(world.viewer).order_by("at").values_list("title", flat=True)
        assert list(left) == ["Again", "Later"]
        assert notifications.unread(world.owner).count() == 3

    def test_pages_have_no_gap_and_no_repeat(self, world: World) -> None:
        for n in range(7):
            tell(world.viewer, subject=f"door:{n}")
        Notification.objects.update(at=Notification.objects.latest("at").at)  # all of one moment
        seen: list[int] = []
        before: str | None = None
        while True:
            page = notifications.page(notifications.seen_by(world.viewer), before, 3)
            seen += [row.pk for row in page.rows]
            before = page.older
            if before is None:
                break
        assert seen == sorted(Notification.objects.values_list("pk", flat=True), reverse=True)

    @pytest.mark.parametrize("place", ["x", "1", "1-", "-1-1", "1-0", "١-١", "9" * 30 + "-1", "1-" + "9" * 30])
    def test_a_place_that_no_list_said_is_refused(self, world: World, place: str) -> None:
        with pytest.raises(ValueError, match="No list begins there"):
            notifications.page(notifications.seen_by(world.viewer), place, 3)
        with pytest.raises(ValueError, match="No list begins there"):
            notifications.read_all(world.viewer, place)

    def test_what_is_ones_own_is_hidden_from_admins_too(self, world: World) -> None:
        scope = access.own_scope(world.viewer.pk)
        assert access.may(world.viewer, OWN, scope)
        assert not any(access.may(user, OWN, scope) for user in (world.admin, world.owner))
        with pytest.raises(access.Hidden):
            access.check(world.admin, OWN, scope)


class TestForgetting:
    def test_the_newest_of_each_person_are_kept(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(notifications, "PRUNED_AT_ONCE", 2)
        for n in range(12):
            tell(world.viewer, subject=f"door:{n}", title=f"{n}")
        tell(world.owner)
        tell(world.viewer, subject="door:0", title="0 again")
        assert notifications.prune(5) == 7
        assert titles(world.viewer) == ["0 again", "11", "10", "9", "8"]
        assert len(titles(world.owner)) == 1
        assert notifications.prune(5) == 0

    def test_the_clock_prunes(self, world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from workers import sweeping

        settings.LIMITS = {**settings.LIMITS, "NOTIFICATIONS_KEPT_ROWS": 10}
        for n in range(12):
            tell(world.viewer, subject=f"door:{n}")
        monkeypatch.setattr(sweeping, "_pruned_at", -sweeping.PRUNE_EVERY_SECONDS)
        assert sweeping.prune_if_due()
        assert Notification.objects.count() == 10


# At the same moment ------------------------------------------------------------------


def _tell_many(people: list[int], rounds: int) -> int:
    for n in range(rounds):
        with unit_of_work():
            for person in people:
                for door in (n % 3, (n + 1) % 3):
                    notifications.notify([person], verb="a.b", subject=f"door:{door}", title=str(n), url="/")
    return rounds


def _read_many(people: list[int], rounds: int) -> int:
    found = User.objects.in_bulk(people)
    done = 0
    for _ in range(rounds):
        for person in people:
            newest = Notification.objects.filter(user=person).order_by("-at").first()
            if newest is not None:
                done += notifications.read_all(found[person], notifications.place_of(newest))
        notifications.prune(4)
    return done


def _either(reads: bool, people: list[int], rounds: int) -> int:
    return _read_many(people, rounds) if reads else _tell_many(people, rounds)


@pytest.mark.django_db(transaction=True)
def test_telling_reading_and_forgetting_wait_for_each_other_in_no_circle(world: World, engine: str) -> None:
    """A deadlock would raise in one of them; a line told twice at once would break the constraint."""
    people = [world.owner.pk, world.viewer.pk]
    rounds = 40 if engine == "postgresql" else 5
    race(_either, [(reads, order, rounds) for reads in (False, False, True) for order in (people, people[::-1])])
    unread = Notification.objects.filter(read_at=None).values_list("user", "subject", "verb")
    assert len(set(unread)) == len(unread)
    assert Notification.objects.exists()


def test_a_place_is_exact_to_the_microsecond(world: World) -> None:
    tell(world.viewer)
    row = Notification.objects.get()
    Notification.objects.filter(pk=row.pk).update(at=row.at + timedelta(microseconds=1))
    assert notifications.read_all(world.viewer, notifications.place_of(row)) == 0
    row.refresh_from_db()
    assert notifications.read_all(world.viewer, notifications.place_of(row)) == 1

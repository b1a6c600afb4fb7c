"""The daily digest: once a day, to those for whom something waits, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models import F

from portal.core import notifications
from portal.core.models import Notification, User
from portal.site import digest
from tests.tickets import build
from workers import claims, queue, schedules
from workers.models import Schedule

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tell() -> Callable[[], int]:
    def tell() -> int:
        queue.enqueue(digest.KIND)
        (claim,) = claims.claim("short", [digest.KIND], worker="worker@test", most=1)
        return digest.run(claim)

    return tell


def told(user: User) -> list[str]:
    return list(Notification.objects.filter(user=user, verb=digest.VERB).order_by("id").values_list("title", flat=True))


def test_each_is_told_what_waits_for_them_and_who_has_nothing_is_told_nothing(
    world: World, tell: Callable[[], int]
) -> None:
    build.ticket(world.mc, state="in_review")
    build.ticket(world.mc, state="needs_person")
    build.ticket(world.mc, state="open")
    members = User.objects.filter(memberships__project=world.mc).count()
    assert tell() == members + 1, "and the admin, who sees all"
    assert told(world.viewer) == ["What needs you today: tickets 2."]
    assert told(world.outsider) == []
    line = Notification.objects.get(user=world.viewer)
    assert (line.url, list(notifications.unread(world.viewer))) == ("/", [line])


def test_with_nothing_to_do_it_is_silent(world: World, tell: Callable[[], int]) -> None:
    assert tell() == 0 and not Notification.objects.exists()


def test_once_a_day_read_or_not(world: World, tell: Callable[[], int]) -> None:
    build.ticket(world.mc, state="in_review")
    tell()
    notifications.read(Notification.objects.get(user=world.viewer))
    assert tell() == 0
    # The next morning: what was read is followed by a new line, what was not is renewed.
    Notification.objects.update(at=F("at") - timedelta(days=1))
    assert tell() > 0
    assert (len(told(world.viewer)), len(told(world.owner))) == (2, 1)


def test_who_is_not_here_any_more_is_told_nothing(world: World, tell: Callable[[], int]) -> None:
    build.ticket(world.mc, state="in_review")
    User.objects.filter(pk=world.viewer.pk).update(is_active=False)
    tell()
    assert told(world.viewer) == [] and told(world.owner) != []


def test_a_run_that_was_cut_short_is_gone_on_with(
    world: World, tell: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    build.ticket(world.mc, state="in_review")
    monkeypatch.setattr(digest, "TOLD_AT_ONCE", 2)
    first = digest.title_for

    def fail_at_the_viewer(user: User) -> str:
        if user.pk == world.viewer.pk:
            raise ZeroDivisionError
        return first(user)

    monkeypatch.setattr(digest, "title_for", fail_at_the_viewer)
    with pytest.raises(ZeroDivisionError):
        tell()
    monkeypatch.setattr(digest, "title_for", first)
    tell()
    everybody = Notification.objects.filter(verb=digest.VERB)
    assert everybody.count() == everybody.values("user").distinct().count() == 6


def test_it_comes_at_seven_in_the_installations_time_zone(world: World) -> None:
    Schedule.objects.filter(name="digest").delete()
    schedules.make_standing()
    made = Schedule.objects.get(name="digest")
    assert (made.kind, made.calendar, made.time_zone, made.next_due_at.hour) == (digest.KIND, "0 7 * * *", "UTC", 7)


def test_a_count_beyond_the_bound_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.site import tallies

    monkeypatch.setattr(tallies, "MOST", 3)
    for _ in range(4):
        build.ticket(world.mc, state="failed")
    assert digest.title_for(world.viewer) == "What needs you today: tickets 2+."


def test_all_that_is_counted_has_words(world: World) -> None:
    from portal.site import tallies

    assert set(digest.WORDS) == set(tallies._WAITING) <= set(tallies._asked(world.viewer))

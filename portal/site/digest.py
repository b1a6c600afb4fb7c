"""The daily digest: each person is told once in the morning what waits for them, where anything does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings

from portal.core import clock, notifications
from portal.core.access import own_scope
from portal.core.models import Notification, User
from portal.site import tallies
from workers import kinds, schedules
from workers.claims import Claim
from workers.models import Pool

KIND: Final = "digest"
VERB: Final = "digest.daily"
AT: Final = "0 7 * * *"
TOLD_AT_ONCE: Final = 50
# By the name of what is counted, in the order in which it is told.
WORDS: Final = {
    "waivers": "waivers to decide",
    "approvals": "approvals to give",
    "interrupted": "deployments that ask",
    "people": "tickets",
    "asking": "questions of running turns",
    "wrote": "unread messages",
    "reviews": "reviews to decide",
    "findings": "critical findings without a ticket",
    "held": "deployments held",
    "fallen": "deployments that failed",
    "degraded": "services that are not well",
    "dead": "dead jobs",
    "resting": "agents at rest",
}


def register() -> None:
    kinds.register(kinds.Kind(KIND, "Daily digest", Pool.SHORT, run))
    schedules.stand("digest", KIND, calendar=AT, time_zone=settings.TIME_ZONE)


def run(claim: Claim) -> int:
    """Tell everybody for whom something waits and who was not told today; returns how many. Raises ``LeaseLost``."""
    told = 0
    for people in _portions():
        claim.check()
        found = [(user, title) for user in people if (title := title_for(user))]
        with claim.fenced():
            already = _told_today([user.pk for user, _ in found])
            for user, title in found:
                if user.pk not in already:
                    notifications.notify([user.pk], verb=VERB, subject=own_scope(user.pk), title=title, url="/")
                    told += 1
    return told


def _portions() -> Iterator[list[User]]:
    after = 0
    while people := list(User.objects.filter(is_active=True, pk__gt=after).order_by("pk")[:TOLD_AT_ONCE]):
        yield people
        after = people[-1].pk


def _told_today(people: list[int]) -> set[int]:
    """A run that begins again, or another one on the same day, tells nobody twice, whether or not they have read it."""
    zone = ZoneInfo(settings.TIME_ZONE)
    midnight = datetime.combine(clock.now().astimezone(zone).date(), datetime.min.time(), tzinfo=zone)
    rows = Notification.objects.filter(user__in=people, verb=VERB, at__gte=midnight)
    return set(rows.values_list("user_id", flat=True))


def title_for(user: User) -> str:
    """What waits for ``user``, in one line; empty where nothing does."""
    found = tallies.waiting(user)
    parts = [f"{words} {_shown(found[name])}" for name, words in WORDS.items() if name in found]
    return f"What needs you today: {', '.join(parts)}." if parts else ""


def _shown(number: int) -> str:
    return f"{tallies.MOST - 1}+" if number >= tallies.MOST else str(number)

"""What people are told: one unread line for each thing and verb, and of each person the newest.

``notify`` says it within a unit of work, which stores it beside its history
and announces it on the stream of each person. Nobody is told what they did
themselves, and nobody reads of a project that they may not see any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet

from portal.core import access, unit
from portal.core import cause as causes
from portal.core.clock import Wall
from portal.core.doors import Found
from portal.core.models import ApiToken, Notification
from portal.core.storable import storable
from portal.core.unit import Notice, Pointer, unit_of_work

TITLE_CHARS: Final = 200
PRUNED_AT_ONCE: Final = 500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds and id; so many digits are a day that a database knows.
_PLACE: Final = re.compile(r"([0-9]{1,17})-([1-9][0-9]{0,17})", re.ASCII)
# An unread line of the same thing and verb takes the new words and moves to the top; who knew it knows it by its id.
_TELL: Final = """
INSERT INTO core_notification (user_id, verb, subject, scope, title, url, at) VALUES (%s, %s, %s, %s, %s, %s, {now})
ON CONFLICT (user_id, subject, verb) WHERE read_at IS NULL
DO UPDATE SET scope = excluded.scope, title = excluded.title, url = excluded.url, at = excluded.at
"""


# Telling ----------------------------------------------------------------------


def notify(
    users: Iterable[int], *, verb: str, subject: str, title: str, url: str, scope: str = "", by: int | None = None
) -> None:
    """Tell these people, by id, within the open unit of work; never the one who causes it, or ``by``.

    ``scope`` is what a reader must still see, such as ``project:3``. The
    title is cut at ``TITLE_CHARS``. Raises ``ValueError`` for a ``url`` that
    is no path of this portal.
    """
    work = unit.current()
    if not url.startswith("/") or url.startswith("//"):
        raise ValueError(f"{url!r} leads out of the portal.")
    told = {user for user in users if user != by} - people_of([_actor()])
    words = _cut(" ".join(storable(title).split()))
    for user in sorted(told):
        work.notify(Notice(user, verb[:60], subject[:120], scope, words, url[:300]))
        work.announce(access.own_scope(user), Pointer("notification", access.own_scope(user), 0))


def people_of(actors: Iterable[tuple[str, str]]) -> set[int]:
    """The people behind actors, given as (kind, id): themselves, or by a token of theirs."""
    found: set[int] = set()
    prefixes: set[str] = set()
    for kind, name in actors:
        if kind == "user" and name.isascii() and name.isdecimal():
            found.add(int(name))
        elif kind == "token":
            prefixes.add(name)
    if prefixes:
        found.update(ApiToken.objects.filter(prefix__in=prefixes).values_list("user_id", flat=True))
    return found


def store(notices: Iterable[Notice]) -> None:
    """Write them, the last of each person, thing and verb; in one order, so that no two units wait for each other."""
    last = {(notice.user, notice.subject, notice.verb): notice for notice in notices}
    if not last:
        return
    now, of_now = getattr(Wall(), f"as_{connection.vendor}")(None, connection)
    statement = _TELL.format(now=now)
    with connection.cursor() as cursor:
        for key in sorted(last):
            one = last[key]
            cursor.execute(statement, [one.user, one.verb, one.subject, one.scope, one.title, one.url, *of_now])


def _actor() -> tuple[str, str]:
    actor = causes.current().actor
    return actor.kind, actor.id


def _cut(text: str) -> str:
    return text if len(text) <= TITLE_CHARS else f"{text[: TITLE_CHARS - 1]}…"


# Reading ----------------------------------------------------------------------


def find(number: int) -> Found | None:
    row = Notification.objects.filter(pk=number).first()
    return Found(row, access.own_scope(row.user_id)) if row else None


def seen_by(user: Any) -> QuerySet[Notification]:
    """What ``user`` was told, but for what lies in a scope that they may not see any more."""
    rows = Notification.objects.filter(user=user.pk)
    return rows if access.is_admin(user) else rows.filter(scope__in=["", *access.roles(user)])


def unread(user: Any) -> QuerySet[Notification]:
    return seen_by(user).filter(read_at__isnull=True)


class Page(NamedTuple):
    """Lines, newest first, and where the next page begins."""

    rows: list[Notification]
    older: str | None


def page(rows: QuerySet[Notification], before: str | None, size: int) -> Page:
    """A page by key. Lines that are told again move, so the key is time and id. Raises ``ValueError``."""
    if before:
        at, pk = _read_place(before)
        rows = rows.filter(Q(at__lt=at) | Q(at=at, id__lt=pk))
    found = list(rows.order_by("-at", "-id")[: size + 1])
    return Page(found[:size], place_of(found[size - 1]) if len(found) > size else None)


def place_of(row: Notification) -> str:
    """Where a line stands, as an address carries it."""
    return f"{(row.at - _EPOCH) // timedelta(microseconds=1)}-{row.pk}"


def _read_place(text: str) -> tuple[datetime, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError("No list begins there.")
    return _EPOCH + timedelta(microseconds=int(found[1])), int(found[2])


def read(row: Notification) -> bool:
    """Mark one line as read; false where it was."""
    return bool(_mark([row.pk], row.user_id))


def read_all(user: Any, until: str) -> int:
    """Mark as read what ``user`` had been told when the newest line was the one at ``until``. Raises ``ValueError``."""
    at, _ = _read_place(until)
    with transaction.atomic():
        # A line that is told again at this very moment is left unread, and nobody waits for it.
        rows = unread(user).filter(at__lte=at).select_for_update(skip_locked=True, no_key=True)
        return _mark(list(rows.values_list("pk", flat=True)), user.pk)


def _mark(ids: list[int], user_id: int) -> int:
    with unit_of_work() as work:
        done = Notification.objects.filter(pk__in=ids, read_at__isnull=True).update(read_at=Wall())
        if done:
            work.announce(access.own_scope(user_id), Pointer("notification", access.own_scope(user_id), 0))
    return done


# Forgetting -------------------------------------------------------------------


def prune(kept: int) -> int:
    """Delete of each person all but the newest ``kept``; answers how many."""
    counted = Notification.objects.values("user").annotate(number=Count("id")).filter(number__gt=kept)
    return sum(_prune(user, kept) for user in counted.order_by("user").values_list("user", flat=True))


def _prune(user: int, kept: int) -> int:
    pruned = 0
    while True:
        with transaction.atomic():
            rows = Notification.objects.filter(user=user).order_by("-at", "-id").values_list("pk", flat=True)
            old = list(rows[kept : kept + PRUNED_AT_ONCE])
            # What is being told again is not old.
            free = Notification.objects.filter(pk__in=old).select_for_update(skip_locked=True)
            found = list(free.values_list("pk", flat=True))
            Notification.objects.filter(pk__in=found).delete()
        pruned += len(found)
        if len(found) < PRUNED_AT_ONCE:
            return pruned

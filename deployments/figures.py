"""How deployments go: how often, how long accepted work waits, how often it goes wrong, how long until it is right.

All of it is read from the history, and what only happened outside of the span
counts for nothing: the same span tells the same figures whenever it is asked.
Each figure is defined on the page that shows it, and in docs/deployments.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from deployments.models import Deployment, Release
from portal.core import bulk, limits
from portal.core.charts import Spread, spread
from portal.core.models import Activity
from tickets.models import Merge

LIVE, FAILED, WENT_BACK = "deployment.succeed", "deployment.fail", "deployment.roll_back"
DEGRADED, RECOVERED = "placement.degraded", "placement.recovered"
ENDS: Final = (LIVE, FAILED, WENT_BACK)
PLACES_SHOWN: Final = 100
DAILY: Final = 31
WEEK: Final = 7
_SUBJECT: Final = "deployment:"


@dataclass(frozen=True, slots=True)
class Asked:
    """Days in UTC, both ends in. An empty name is any; ``projects`` None: all."""

    projects: set[int] | None
    since: date
    until: date
    service: str = ""
    environment: str = ""

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    @property
    def begin(self) -> datetime:
        return _midnight(self.since)

    @property
    def end(self) -> datetime:
        return _midnight(self.until + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Place(NamedTuple):
    """In the order of a list: by project, service, and the order of the environments."""

    project: str
    service: str
    order: int
    environment: str


@dataclass(slots=True)
class Figures:
    """Of one place, or of all together."""

    place: Place | None
    days: int
    # went live; ended without having gone live
    live: int = 0
    failed: int = 0
    # of those that went live: taken back later in the span; and, still standing, not healthy any more
    taken_back: int = 0
    degraded: int = 0
    lead_seconds: list[float] = field(default_factory=list)
    restore_seconds: list[float] = field(default_factory=list)
    # failures after which nothing had gone live there when the span ended
    unrestored: int = 0
    # went live over something that is not known: what it brought is not known, either
    unknown: int = 0
    # accepted after it was live, so that it did not wait
    early: int = 0

    @property
    def attempts(self) -> int:
        return self.live + self.failed

    @property
    def failures(self) -> int:
        return self.failed + self.taken_back + self.degraded

    @property
    def rate(self) -> int | None:
        return round(100 * self.failures / self.attempts) if self.attempts else None

    @property
    def per_week(self) -> float:
        return round(self.live * WEEK / self.days, 1)

    @property
    def lead(self) -> Spread | None:
        return spread(self.lead_seconds) if self.lead_seconds else None

    @property
    def restore(self) -> Spread | None:
        return spread(self.restore_seconds) if self.restore_seconds else None

    def add(self, other: Figures) -> None:
        for name in ("live", "failed", "taken_back", "degraded", "unrestored", "unknown", "early"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lead_seconds += other.lead_seconds
        self.restore_seconds += other.restore_seconds


class Bucket(NamedTuple):
    """A day, or the seven days up to the last one: those that went live, and the attempts that failed."""

    first: date
    last: date
    live: int
    failed: int


@dataclass(frozen=True, slots=True)
class Report:
    """``cut``: there was more history in the span than was read; then the newest is counted."""

    asked: Asked
    whole: Figures
    places: list[Figures]
    places_more: int
    buckets: list[Bucket]
    cut: bool
    # the day from which on all was read, where it is cut
    from_day: date | None


class _Event(NamedTuple):
    deployment: int
    verb: str
    at: datetime


class _Row(NamedTuple):
    release: int | None
    previous: int | None
    place: Place


def of(asked: Asked) -> Report:
    """As many statements for many deployments as for few, but for one of each kind for every few hundred."""
    events, cut = _events(asked)
    from_day = events[0].at.date() if cut else None
    rows = _rows(asked, {event.deployment for event in events})
    events = [event for event in events if event.deployment in rows]
    were_live = _were_live(events)
    found = {place: Figures(place, asked.days) for place in sorted({rows[event.deployment].place for event in events})}
    outcomes = _outcomes(events, were_live)
    _count(found, rows, outcomes, events)
    _restore(found, rows, events)
    _lead(found, rows, [event for event in outcomes if event.verb == LIVE])
    whole = Figures(None, asked.days)
    for figures in found.values():
        whole.add(figures)
    shown = list(found.values())[:PLACES_SHOWN]
    more = len(found) - len(shown)
    return Report(asked, whole, shown, more, _buckets(asked, outcomes), cut, from_day)


# What happened ------------------------------------------------------------------------


def _events(asked: Asked) -> tuple[list[_Event], bool]:
    """The oldest first; of more than are read, the newest."""
    most = limits.value("FIGURES_EVENTS_ROWS")
    rows: QuerySet[Any] = Activity.objects.filter(verb__in=[*ENDS, DEGRADED, RECOVERED])
    if asked.projects is not None:
        rows = rows.filter(scope__in=[f"project:{pk}" for pk in sorted(asked.projects)])
    # History is written in the order of its ids: what is older than the first of them needs no look at its time.
    older = rows.filter(at__lt=asked.begin).order_by("-id").values_list("id", flat=True)[:1]
    rows = rows.filter(id__gt=next(iter(older), 0), at__gte=asked.begin, at__lt=asked.end).order_by("-id")
    found = [
        _Event(_number(subject) if verb in ENDS else after["deployment"], verb, at)
        for verb, subject, at, after in rows.values_list("verb", "subject", "at", "after")[: most + 1]
    ]
    return found[:most][::-1], len(found) > most


def _number(subject: str) -> int:
    return int(subject.removeprefix(_SUBJECT))


def _rows(asked: Asked, numbers: Iterable[int]) -> dict[int, _Row]:
    """By number, those that the names let through."""
    same = {"service__name": asked.service, "environment__name": asked.environment}
    rows = Deployment.objects.filter(**{name: value for name, value in same.items() if value})
    columns = ("service__project__key", "service__name", "environment__place", "environment__name")
    found: dict[int, _Row] = {}
    for chunk in bulk.chunks(sorted(numbers)):
        for row in rows.filter(pk__in=chunk).values_list("pk", "release", "previous", *columns):
            found[row[0]] = _Row(row[1], row[2], Place(*row[3:]))
    return found


def _were_live(events: Collection[_Event]) -> set[int]:
    """Those that went back and had gone live before the span."""
    back = {event.deployment for event in events if event.verb in {FAILED, WENT_BACK}}
    found: set[int] = set()
    for chunk in bulk.chunks(sorted(back - {event.deployment for event in events if event.verb == LIVE})):
        subjects = [f"{_SUBJECT}{number}" for number in chunk]
        rows = Activity.objects.filter(subject__in=subjects, verb=LIVE)
        found.update(map(_number, rows.values_list("subject", flat=True)))
    return found


def _outcomes(events: Iterable[_Event], were_live: set[int]) -> list[_Event]:
    """The first end of each deployment: it went live, or it did not."""
    first: dict[int, _Event] = {}
    for event in events:
        if event.verb in ENDS and event.deployment not in were_live:
            first.setdefault(event.deployment, event)
    return list(first.values())


# The figures ---------------------------------------------------------------------------


def _count(
    found: Mapping[Place, Figures],
    rows: Mapping[int, _Row],
    outcomes: Iterable[_Event],
    events: Collection[_Event],
) -> None:
    live = set()
    for event in outcomes:
        figures = found[rows[event.deployment].place]
        if event.verb == LIVE:
            live.add(event.deployment)
            figures.live += 1
        else:
            figures.failed += 1
    back = {event.deployment for event in events if event.verb in {FAILED, WENT_BACK}} & live
    degraded = {event.deployment for event in events if event.verb == DEGRADED} & live - back
    for number in back:
        found[rows[number].place].taken_back += 1
    for number in degraded:
        found[rows[number].place].degraded += 1


def _restore(found: Mapping[Place, Figures], rows: Mapping[int, _Row], events: Iterable[_Event]) -> None:
    """From the first failure at a place until something goes live there, or what stands there is healthy again."""
    broken: dict[Place, _Event] = {}
    for event in events:
        place = rows[event.deployment].place
        if event.verb in {FAILED, WENT_BACK, DEGRADED}:
            broken.setdefault(place, event)
        elif place in broken and (event.verb == LIVE or broken[place].verb == DEGRADED):
            found[place].restore_seconds.append((event.at - broken.pop(place).at).total_seconds())
    for place in broken:
        found[place].unrestored += 1


def _lead(found: Mapping[Place, Figures], rows: Mapping[int, _Row], live: list[_Event]) -> None:
    """Of each piece of accepted work, once for each place: the first time in the span that it came live there."""
    held = _merges_of({number for event in live for number in rows[event.deployment][:2] if number})
    came: dict[tuple[Place, int], datetime] = {}
    for event in live:
        row = rows[event.deployment]
        if row.release is None or row.previous is None:
            found[row.place].unknown += 1
            continue
        for merge in held.get(row.release, frozenset()) - held.get(row.previous, frozenset()):
            came.setdefault((row.place, merge), event.at)
    accepted = _accepted({merge for _, merge in came})
    for (place, merge), at in came.items():
        if merge not in accepted:
            continue
        seconds = (at - accepted[merge]).total_seconds()
        if seconds < 0:
            found[place].early += 1
        else:
            found[place].lead_seconds.append(seconds)


def _merges_of(releases: Iterable[int]) -> dict[int, frozenset[int]]:
    found: dict[int, frozenset[int]] = {}
    for chunk in bulk.chunks(sorted(releases)):
        for number, merges in Release.objects.filter(pk__in=chunk).values_list("pk", "merges"):
            found[number] = frozenset(merges)
    return found


def _accepted(merges: Iterable[int]) -> dict[int, datetime]:
    """When each was in its target; a merge keeps that."""
    found: dict[int, datetime] = {}
    for chunk in bulk.chunks(sorted(merges)):
        rows = Merge.objects.filter(pk__in=chunk, ended_at__isnull=False)
        found.update((merge, at) for merge, at in rows.values_list("pk", "ended_at") if at)
    return found


def _buckets(asked: Asked, outcomes: Iterable[_Event]) -> list[Bucket]:
    """Days for a month and less, else weeks back from the last day; the first may be shorter."""
    length = 1 if asked.days <= DAILY else WEEK
    counted: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for event in outcomes:
        back = (asked.until - event.at.astimezone(UTC).date()).days // length
        counted[back][event.verb != LIVE] += 1
    found = []
    for back in range((asked.days + length - 1) // length):
        last = asked.until - timedelta(days=back * length)
        first = max(asked.since, last - timedelta(days=length - 1))
        found.append(Bucket(first, last, *counted[back]))
    return found[::-1]

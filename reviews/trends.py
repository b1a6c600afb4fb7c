"""How findings went: open over time, how long a fix took, whose fixes came back; all read from the history.

Nothing is counted on the way: a state of the past is the state of today, taken back change by change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import BigIntegerField, Count, F, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Substr, TruncDate

from portal.core import clock, limits
from portal.core.charts import spread
from portal.core.models import Activity
from reviews.models import Finding, FindingState, Severity
from tickets.models import Purpose, Turn, TurnState
from workers.models import AgentVersion

PROFILES_SHOWN: Final = 50
_SUBJECT: Final = "finding:"
OPEN, FIXED = FindingState.OPEN.value, FindingState.FIXED.value


class Day(NamedTuple):
    """How many were open when the day ended, or now, by severity."""

    day: date
    open: dict[str, int]

    @property
    def all(self) -> int:
        return sum(self.open.values())


class Pace(NamedTuple):
    """How long the fixes of one severity took: the middle one, and the one that nine of ten were faster than."""

    severity: str
    fixes: int
    median: timedelta
    slow: timedelta


class Profile(NamedTuple):
    """A version of an agent: fixes whose ticket it worked last, and how many of such came back."""

    version: AgentVersion
    fixes: int
    back: int

    @property
    def share(self) -> int:
        return round(100 * self.back / self.fixes) if self.fixes else 100


@dataclass(frozen=True, slots=True)
class Trends:
    days: list[Day]
    paces: list[Pace]
    # whether there were more fixes than times were taken of
    cut: bool
    profiles: list[Profile]
    profiles_cut: bool


def of(projects: set[int] | None, now: datetime | None = None) -> Trends:
    """The trends of these projects, of all for None: a constant number of statements."""
    moment = now or clock.now()
    last = moment.astimezone(UTC).date()
    first = last - timedelta(days=limits.value("TRENDS_RANGE_DAYS") - 1)
    changes = _changes(projects, datetime(first.year, first.month, first.day, tzinfo=UTC))
    paces, cut = _paces(changes)
    profiles = _profiles(changes)
    return Trends(
        _days(projects, changes, first, last), paces, cut, profiles[:PROFILES_SHOWN], len(profiles) > PROFILES_SHOWN
    )


def _changes(projects: set[int] | None, since: datetime) -> QuerySet[Any]:
    """Each change of a finding's state since then, with the states before and after, and what the finding is now."""
    rows: QuerySet[Any] = Activity.objects.filter(verb__startswith="finding.")
    if projects is not None:
        rows = rows.filter(scope__in=[f"project:{pk}" for pk in sorted(projects)])
    # History is written in the order of its ids: what is older than the first of them needs no look at its time.
    older = rows.filter(at__lt=since).order_by("-id").values_list("id", flat=True)[:1]
    found = Finding.objects.filter(pk=OuterRef("number"))
    changes: QuerySet[Any] = (
        rows.filter(id__gt=next(iter(older), 0), at__gte=since)
        .annotate(was=_text("before"), became=_text("after"))
        .filter(Q(became=OPEN) | Q(was=OPEN))
        # of a finding that is new there is no state before
        .filter(Q(was__isnull=True) | ~Q(was=F("became")))
        .annotate(number=Cast(Substr("subject", len(_SUBJECT) + 1), BigIntegerField()))
        .annotate(severity=Subquery(found.values("severity")[:1]))
        .filter(severity__isnull=False)
    )
    return changes


def _text(column: str) -> Cast:
    """The state in a column of history. As a text: what compares with a key of JSON is read as JSON otherwise."""
    return Cast(KeyTextTransform("state", column), TextField())


# Open over time --------------------------------------------------------------------------


def _days(projects: set[int] | None, changes: QuerySet[Any], first: date, last: date) -> list[Day]:
    findings = Finding.objects.filter(state=OPEN)
    if projects is not None:
        findings = findings.filter(series__project__in=projects)
    standing = dict(findings.order_by().values_list("severity").annotate(number=Count("pk")))
    moved: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    counted = changes.annotate(day=TruncDate("at", tzinfo=UTC)).order_by().values_list("day", "severity", "became")
    for day, severity, became, number in counted.annotate(number=Count("pk")):
        moved[day][severity] += number if became == OPEN else -number
    days: list[Day] = []
    day = last
    while day >= first:
        days.append(Day(day, {severity: max(0, standing.get(severity, 0)) for severity in Severity.values}))
        for severity, difference in moved[day].items():
            standing[severity] = standing.get(severity, 0) - difference
        day -= timedelta(days=1)
    return days[::-1]


# Time to fix -----------------------------------------------------------------------------


def _paces(changes: QuerySet[Any]) -> tuple[list[Pace], bool]:
    """From when it was last opened to when it was fixed."""
    most = limits.value("TRENDS_FIXES_ROWS")
    opened = Activity.objects.filter(subject=OuterRef("subject"), id__lt=OuterRef("id")).annotate(became=_text("after"))
    found = Finding.objects.filter(pk=OuterRef("number")).values("created_at")[:1]
    since = Coalesce(Subquery(opened.filter(became=OPEN).order_by("-id").values("at")[:1]), Subquery(found))
    fixes = changes.filter(was=OPEN, became=FIXED).annotate(since=since).order_by("-id")
    rows = list(fixes.values_list("severity", "since", "at")[: most + 1])
    took: dict[str, list[float]] = defaultdict(list)
    for severity, begun, fixed in rows[:most]:
        took[severity].append(max(0.0, (fixed - begun).total_seconds()))
    return [_pace(severity, took[severity]) for severity in Severity.values if severity in took], len(rows) > most


def _pace(severity: str, seconds: list[float]) -> Pace:
    return Pace(severity, *spread(seconds))


# Fixes that came back ----------------------------------------------------------------------


def _profiles(changes: QuerySet[Any]) -> list[Profile]:
    """By the last turn that was done on the finding's ticket before: whose fix it was, and whose came back."""
    ticket = Finding.objects.filter(pk=OuterRef("number")).values("ticket")[:1]
    turns = Turn.objects.filter(ticket=OuterRef("ticket"), state=TurnState.DONE, purpose=Purpose.WORK)
    last = turns.filter(ended_at__lte=OuterRef("at")).order_by("-ended_at", "-seq").values("agent_version")[:1]
    fixed, back = Q(was=OPEN, became=FIXED), Q(was=FIXED, became=OPEN)
    rows = changes.filter(fixed | back).annotate(ticket=Subquery(ticket)).filter(ticket__isnull=False)
    counted = rows.annotate(profile=Subquery(last)).filter(profile__isnull=False).order_by()
    numbers: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for profile, became, number in counted.values_list("profile", "became").annotate(count=Count("pk")):
        numbers[profile][became] += number
    worst = sorted(numbers, key=lambda pk: (-numbers[pk][OPEN], -numbers[pk][FIXED], pk))[: PROFILES_SHOWN + 1]
    versions = AgentVersion.objects.select_related("agent").in_bulk(worst)
    return [Profile(versions[pk], numbers[pk][FIXED], numbers[pk][OPEN]) for pk in worst if pk in versions]


def severities(days: Iterable[Day]) -> list[str]:
    """Those of which any was open on any day, the gravest first."""
    listed = list(days)
    return [severity for severity in Severity.values if any(day.open[severity] for day in listed)]

"""The history across projects: the rows that a reader may see, in words, each with what it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet
from django.urls import reverse

from portal.core import access
from portal.core.lifecycle import declared, spoken
from portal.core.models import Activity
from tickets import history, queries
from tickets.history import Line
from tickets.models import Project
from tickets.queries import Page

RECENT: Final = 8
WORDS_SEARCHED: Final = 10
# Kinds that have a history and no table of transitions.
_OTHERS: Final = (
    "agent",
    "backup",
    "environment",
    "installation",
    "kind",
    "lane",
    "membership",
    "message",
    "pool",
    "project",
    "schedule",
    "secret",
    "service",
)
_PEOPLE: Final = ("token", "user")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


class Entry(NamedTuple):
    """One line, and what it is about; ``url`` is empty where no page shows that."""

    line: Line
    subject: str
    url: str


def kinds() -> list[str]:
    """What a subject may begin with."""
    return sorted({machine.kind for machine in declared()} | {*_OTHERS, *_PEOPLE})


def seen_by(reader: Any) -> QuerySet[Activity]:
    """The history of the reader's projects; an admin sees that of the installation, too."""
    rows = Activity.objects.all()
    return rows if access.is_admin(reader) else rows.filter(scope__in=list(access.roles(reader)))


def page(reader: Any, wanted: Mapping[str, str], before: int | None) -> Page:
    return queries.page_of(_matching(reader, wanted), before)


def recent(reader: Any) -> list[Entry]:
    """The newest few, for a panel."""
    rows = list(seen_by(reader).order_by("-id")[:RECENT])
    named = (row.subject.partition(":") for row in rows)
    numbers = [int(rest) for kind, _, rest in named if kind == "project" and _NUMBER.fullmatch(rest)]
    return entries(rows, Project.objects.filter(pk__in=numbers) if numbers else [])


def entries(rows: Iterable[Activity], projects: Iterable[Project]) -> list[Entry]:
    keys = {str(project.pk): project.key for project in projects}
    return [Entry(history.line(row), *_about(row.subject, keys)) for row in rows]


def _matching(reader: Any, wanted: Mapping[str, str]) -> QuerySet[Activity]:
    rows = seen_by(reader)
    if wanted["project"]:
        chosen = Project.objects.filter(key=wanted["project"]).values_list("pk", flat=True).first()
        rows = rows.filter(scope=f"project:{chosen or 0}")
    if wanted["kind"]:
        rows = rows.filter(subject__startswith=f"{wanted['kind']}:")
    if wanted["actor"]:
        portal = Q(actor_kind__in=history.PROCESSES)
        named = Q(actor_label__icontains=wanted["actor"])
        is_portal = wanted["actor"].lower() in history.PORTAL.lower()
        rows = rows.filter(portal | named if is_portal else named & ~portal)
    for word in wanted["q"].split()[:WORDS_SEARCHED]:
        ends = (Q(verb__endswith=f".{verb}") for verb in history.verbs_that_say(word))
        found = Q(verb__icontains=word) | Q(subject__icontains=word)
        for end in ends:
            found |= end
        rows = rows.filter(found)
    if wanted["since"]:
        rows = rows.filter(at__gte=_midnight(wanted["since"]))
    if wanted["until"]:
        rows = rows.filter(at__lt=_midnight(wanted["until"]) + timedelta(days=1))
    return rows


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)


# What a line is about ----------------------------------------------------------


def _of_ticket(rest: str) -> str:
    return reverse("ticket", args=[rest.partition("/")[0]])


def _of_message(rest: str) -> str:
    key, _, number = rest.partition("/")
    return f"{reverse('ticket', args=[key])}#m{number}"


def _of_turn(rest: str) -> str:
    key, _, number = rest.partition("/")
    return f"{reverse('ticket', args=[key])}#turn-{number}"


def _numbered(name: str) -> Callable[[str], str]:
    return lambda rest: reverse(name, args=[int(rest)]) if _NUMBER.fullmatch(rest) else ""


# Where the thing of a subject is shown, by kind.
_PAGES: Final[dict[str, Callable[[str], str]]] = {
    "ticket": _of_ticket,
    "turn": _of_turn,
    "message": _of_message,
    "question": _of_ticket,
    "merge": _of_ticket,
    "review": _numbered("review"),
    "deployment": _numbered("deployment"),
    "job": _numbered("job"),
}


# What people call a ticket and its parts: by its key, and a number within it.
_PARTS: Final = {
    "ticket": "{0}",
    "turn": "{0}, turn {1}",
    "message": "{0} #{1}",
    "question": "{0}, question of turn {1}",
    "merge": "{0}, merge",
}


def _about(subject: str, keys: Mapping[str, str]) -> tuple[str, str]:
    """What people call the thing, and the address of its page."""
    kind, _, rest = subject.partition(":")
    if kind == "project":
        key = keys.get(rest, "")
        return f"Project {key or rest}", reverse("project", args=[key]) if key else ""
    within, _, number = rest.partition("/")
    part = _PARTS.get(kind)
    name = part.format(within, number) if part else spoken(subject)
    return name, _PAGES[kind](rest) if kind in _PAGES and rest else ""

"""What the pages of projects and tickets show: bounded, within the reader's scopes, a constant number of queries."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.core import limits
from portal.core.access import Role
from tickets import panels
from tickets.models import KeyAlias, Membership, Message, Project, Ticket, TicketState, Turn
from tickets.rights import project_ids
from workers.models import Agent

# A list follows at most this many projects live: a socket has room for LIMITS["SOCKET_STREAMS"].
PROJECTS_FOLLOWED: Final = 20
MEMBERS_SHOWN: Final = 200
WORDS_SEARCHED: Final = 10


class Page(NamedTuple):
    """Rows of a list, newest first, and the id that the next page begins below."""

    rows: list[Any]
    older: int | None


def page_of(rows: QuerySet[Any], before: int | None) -> Page:
    """A page by key, not by offset: as fast at any depth, and no row is shown twice."""
    size = limits.value("LIST_PAGE_ROWS")
    found = list((rows.filter(id__lt=before) if before else rows).order_by("-id")[: size + 1])
    return Page(found[:size], found[size - 1].pk if len(found) > size else None)


def seen_by(reader: Any, rows: QuerySet[Any], path: str = "project") -> QuerySet[Any]:
    """The rows of the projects that ``reader`` belongs to; an admin sees all."""
    projects = project_ids(reader)
    return rows if projects is None else rows.filter(**{f"{path}__in": projects})


def projects_of(reader: Any) -> list[Project]:
    return list(seen_by(reader, Project.objects.all(), "pk").order_by("key"))


def followed(projects: list[Project], chosen: str = "") -> list[str]:
    """The streams that a list of these projects follows."""
    wanted = [project for project in projects if not chosen or project.key == chosen]
    return [project.scope for project in wanted[:PROJECTS_FOLLOWED]]


# Projects ---------------------------------------------------------------------


class ProjectRow(NamedTuple):
    project: Project
    waiting: int


def project_list(reader: Any, before: int | None) -> Page:
    found = page_of(seen_by(reader, Project.objects.all(), "pk"), before)
    waiting = Ticket.objects.filter(project__in=found.rows).exclude(state=TicketState.DONE)
    numbers = dict(waiting.values_list("project").annotate(number=Count("id")))
    return Page([ProjectRow(project, numbers.get(project.pk, 0)) for project in found.rows], found.older)


class StateCount(NamedTuple):
    state: str
    number: int


def counts(project: Project) -> list[StateCount]:
    """How many tickets are in each state, in the order of the states; those without any are left out."""
    found = dict(Ticket.objects.filter(project=project).values_list("state").annotate(number=Count("id")))
    return [StateCount(state, found[state]) for state in TicketState.values if state in found]


class Member(NamedTuple):
    user: Any
    role: Role


def members(project: Project) -> list[Member]:
    rows = Membership.objects.filter(project=project).select_related("user").order_by("-role", "user__email")
    return [Member(row.user, Role(row.role)) for row in rows[:MEMBERS_SHOWN]]


# Tickets ----------------------------------------------------------------------


def matching(reader: Any, wanted: dict[str, str]) -> QuerySet[Ticket]:
    """The tickets that ``reader`` may see and that the filters of the list let through, with all that a row shows."""
    rows = seen_by(reader, Ticket.objects.select_related("project", "agent_version__agent").defer("body"))
    last = Turn.objects.filter(ticket=OuterRef("pk")).order_by("-seq").values("seq")[:1]
    rows = panels.marked(rows.annotate(turn_count=Coalesce(Subquery(last), 0)))
    same = {"project": "project__key", "state": "state", "agent": "agent_version__agent__name"}
    rows = rows.filter(**{column: wanted[name] for name, column in same.items() if wanted.get(name)})
    if wanted.get("findings"):
        # Null where nothing waits for the ticket: see ``panels.in_lists``.
        rows = rows.filter(**{"severity__isnull": wanted["findings"] == "without"})
    if wanted.get("who") == "mine":
        rows = rows.filter(pk__in=Message.objects.filter(author=reader.pk).values("ticket"))
    elif wanted.get("who"):
        rows = rows.filter(agent_version__isnull=wanted["who"] == "nobody")
    for word in wanted.get("q", "").split()[:WORDS_SEARCHED]:
        named = KeyAlias.objects.filter(ticket=OuterRef("pk"), key__startswith=word.upper())
        rows = rows.filter(Q(title__icontains=word) | Q(key__startswith=word.upper()) | Exists(named))
    return rows


def ticket_list(reader: Any, wanted: dict[str, str], before: int | None) -> Page:
    return page_of(matching(reader, wanted), before)


def assignable() -> QuerySet[Agent]:
    """Agents that are switched on and have a profile, with the number of the newest."""
    rows = Agent.objects.filter(enabled=True).annotate(newest=Max("versions__number"))
    return rows.filter(newest__isnull=False).order_by("name")

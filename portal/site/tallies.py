"""The numbers of the frame: one statement, each count bounded, within the reader's scopes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import IntegerField, QuerySet, Subquery

from deployments import needs
from portal.core import notifications
from portal.core.access import own_scope
from portal.core.models import User
from portal.live.cursor import NO_STREAM, Cursor
from portal.live.models import Stream
from portal.site import queries
from portal.site.statements import Statement
from reviews.queries import decisions as decided
from tickets.models import Ticket, TicketState
from tickets.rights import project_ids

MOST: Final = 100
# What of all that is counted waits for somebody.
_WAITING: Final = (
    "people",
    "asking",
    "reviews",
    "findings",
    "waivers",
    "approvals",
    "interrupted",
    "held",
    "fallen",
    "degraded",
    "dead",
    "resting",
    "wrote",
)


class Tally(NamedTuple):
    """``text`` is the number as it is shown; ``words`` say what is counted."""

    text: str
    words: str


class Bell(NamedTuple):
    """What a person has not read, as it is shown; and their stream, where it was when that was counted."""

    unread: str
    stream: str
    cursor: str


class Numbers(NamedTuple):
    """All that the frame counts, at one moment."""

    tallies: dict[str, Tally]
    bell: Bell


class _Counted(Subquery):
    """How many rows a query has. The query brings its own bound."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()
    empty_result_set_value = 0


def numbers(user: User) -> Numbers:
    """What the navigation and the bell show, by one statement."""
    row = _STATEMENT.row(user)
    return Numbers(_told(row), _bell(user, row))


def _row(user: User) -> QuerySet[User, Any]:
    counted = {name: _Counted(rows.order_by().values("pk")[:MOST]) for name, rows in _asked(user).items()}
    return User.objects.filter(pk=user.pk).order_by().values(**counted, **_of_bell(user))


# Every page asks it.
_STATEMENT: Final = Statement(_row)


def tallies(user: User) -> dict[str, Tally]:
    """By the address of the entry; an entry with nothing to count is left out."""
    return numbers(user).tallies


def waiting(user: User) -> dict[str, int]:
    """How many of each kind wait for ``user``, each counted up to ``MOST``; a kind without any is left out."""
    row = _STATEMENT.row(user)
    return {name: row[name] for name in _WAITING if row.get(name)}


def bell(user: User) -> Bell:
    row: Any = User.objects.filter(pk=user.pk).values(**_of_bell(user)).first()
    return _bell(user, row or {})


def _of_bell(user: User) -> dict[str, Any]:
    """Counted in the statement that reads the cursor: no line lies between the two."""
    stream = Stream.objects.filter(name=own_scope(user.pk))
    columns = {f"stream_{name}": Subquery(stream.values(name)[:1]) for name in ("epoch", "head")}
    return columns | {"unread": _Counted(notifications.unread(user).order_by().values("pk")[:MOST])}


def _bell(user: User, row: dict[str, Any]) -> Bell:
    begun = row.get("stream_epoch") is not None
    cursor = Cursor(row["stream_epoch"], row["stream_head"]) if begun else NO_STREAM.now
    unread = row.get("unread", 0)
    return Bell(_shown(unread) if unread else "", own_scope(user.pk), str(cursor))


def _shown(number: int) -> str:
    return f"{MOST - 1}+" if number >= MOST else str(number)


def _told(found: dict[str, Any]) -> dict[str, Tally]:
    waiting = sum(found.get(name, 0) for name in _WAITING)
    counts = {
        "/": (waiting, "waiting for a person"),
        "/tickets/": (found.get("tickets", 0), "not done"),
        "/reviews/": (found.get("reviews", 0), "to decide"),
        "/deployments/": (found.get("under_way", 0), "held or under way"),
        "/workers/": (found.get("dead", 0), "dead"),
    }
    return {url: Tally(_shown(number), words) for url, (number, words) in counts.items() if number}


def _asked(user: User) -> dict[str, QuerySet[Any]]:
    projects = project_ids(user)
    stopped = [*queries.ANSWERS, *queries.ACCEPTANCE, *queries.STOPPED]
    return {
        "people": queries.tickets_in(stopped, projects),
        "asking": queries.live_questions(projects),
        "reviews": queries.reviews_to_decide(projects),
        "findings": queries.critical_without_ticket(projects),
        "waivers": decided.to_give(user),
        "approvals": needs.to_approve(user),
        "interrupted": needs.interrupted(projects),
        "held": needs.held(projects),
        "fallen": needs.fallen(projects),
        "degraded": needs.degraded(projects),
        "dead": queries.dead_jobs(user),
        "resting": queries.agents_at_rest(user),
        "wrote": queries.unread_messages(user),
        "tickets": queries.within(Ticket.objects.exclude(state=TicketState.DONE), "project", projects),
        "under_way": needs.under_way(projects),
    }

"""What layers above add to the pages of tickets and projects: panels, and columns of the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import CharField, QuerySet, Value

from tickets.models import Project, Ticket


@dataclass(frozen=True, slots=True)
class Panel:
    """A template, shown with ``panel`` as its context."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


# Given the object and the reader; None where there is nothing to say.
OfTicket = Callable[[Ticket, Any], Panel | None]
OfProject = Callable[[Project, Any], Panel | None]
Marks = Callable[[QuerySet[Ticket]], QuerySet[Ticket]]

_of_ticket: list[OfTicket] = []
_of_project: list[OfProject] = []
_marks: list[Marks] = []
Registered = TypeVar("Registered")


def on_tickets(maker: OfTicket) -> None:
    _add(_of_ticket, maker)


def on_projects(maker: OfProject) -> None:
    _add(_of_project, maker)


def in_lists(marks: Marks) -> None:
    """``marks`` annotates rows of the list in the list's own statement.

    ``severity`` is of what waits for the ticket, and null where nothing does; ``reference`` names it.
    """
    _add(_marks, marks)


def _add(registry: list[Registered], entry: Registered) -> None:
    if entry not in registry:
        registry.append(entry)


def of_ticket(ticket: Ticket, reader: Any) -> list[Panel]:
    return [panel for maker in _of_ticket if (panel := maker(ticket, reader))]


def of_project(project: Project, reader: Any) -> list[Panel]:
    return [panel for maker in _of_project if (panel := maker(project, reader))]


def marked(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """Rows with the columns that the layers above fill in, if any does."""
    rows = rows.annotate(severity=Value(None, output_field=CharField()), reference=Value(""))
    for marks in _marks:
        rows = marks(rows)
    return rows

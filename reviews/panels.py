"""What findings add to the pages of tickets and projects."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery

from reviews.models import Finding, FindingState, Severity
from reviews.queries.series import worst_first
from tickets.models import Project, Ticket
from tickets.panels import Panel, in_lists, on_projects, on_tickets

FINDINGS_SHOWN: Final = 20
SERIES_SHOWN: Final = 10


def register() -> None:
    on_tickets(findings_of)
    on_projects(series_of)
    in_lists(marks)


def marks(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """The worst finding of each ticket: its severity and its reference."""
    worst = Finding.objects.filter(ticket=OuterRef("pk")).order_by(worst_first(), "pk")
    return rows.annotate(
        severity=Subquery(worst.values("severity")[:1]), reference=Subquery(worst.values("reference")[:1])
    )


def findings_of(ticket: Ticket, reader: Any) -> Panel | None:
    rows = (
        Finding.objects.filter(ticket=ticket).annotate(review=Max("occurrences__review")).order_by(worst_first(), "pk")
    )
    found = list(rows[: FINDINGS_SHOWN + 1])
    context = {"findings": found[:FINDINGS_SHOWN], "cut": len(found) > FINDINGS_SHOWN}
    return Panel("reviews/ticket_panel.html", context) if found else None


def series_of(project: Project, reader: Any) -> Panel | None:
    waiting = Q(findings__state=FindingState.OPEN)
    rows = project.series.annotate(
        waiting=Count("findings", filter=waiting, distinct=True),
        critical=Count("findings", filter=waiting & Q(findings__severity=Severity.CRITICAL), distinct=True),
        newest=Max("reviews__id"),
    )
    found = list(rows.order_by("-newest")[: SERIES_SHOWN + 1])
    return Panel(
        "reviews/project_panel.html",
        {"project": project, "series": found[:SERIES_SHOWN], "cut": len(found) > SERIES_SHOWN},
    )

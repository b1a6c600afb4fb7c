"""What findings add to the pages of tickets and projects."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.core import access
from portal.core.access import Role, within
from reviews import evidence
from reviews.models import Finding, FindingState, Review, Severity
from reviews.queries import councils
from reviews.queries.series import worst_first
from tickets.models import Project, Purpose, Ticket, Turn
from tickets.panels import Panel, in_lists, on_projects, on_tickets

FINDINGS_SHOWN: Final = 20
REVIEWS_SHOWN: Final = 5
SERIES_SHOWN: Final = 10
COUNCILS_SHOWN: Final = 5


def register() -> None:
    on_tickets(findings_of)
    on_tickets(reviews_about)
    on_tickets(councils_of)
    on_projects(series_of)
    in_lists(marks)


def shown(rows: QuerySet[Finding]) -> QuerySet[Finding]:
    """Without those whose import was taken back."""
    return rows.exclude(state=FindingState.WITHDRAWN)


def marks(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """The severity of each ticket's worst open finding, and the reference of its worst, open ones first."""
    worst = shown(Finding.objects.filter(ticket=OuterRef("pk"))).order_by(worst_first(), "pk")
    waiting = worst.filter(state=FindingState.OPEN)
    return rows.annotate(
        severity=Subquery(waiting.values("severity")[:1]),
        reference=Coalesce(Subquery(waiting.values("reference")[:1]), Subquery(worst.values("reference")[:1])),
    )


def findings_of(ticket: Ticket, reader: Any) -> Panel | None:
    rows = shown(Finding.objects.filter(ticket=ticket)).annotate(review=Max("occurrences__review"))
    found = list(evidence.with_newest(rows).order_by(worst_first(), "pk")[: FINDINGS_SHOWN + 1])
    evidence.mark(found)
    context = {"findings": found[:FINDINGS_SHOWN], "cut": len(found) > FINDINGS_SHOWN}
    return Panel("reviews/ticket_panel.html", context) if found else None


def reviews_about(ticket: Ticket, reader: Any) -> Panel | None:
    """Documents that say they are about this ticket, such as the log of its work."""
    rows = (
        Review.objects.filter(subject_ticket=ticket)
        .select_related("series")
        .defer("content", "read_text")
        .order_by("-pk")
    )
    found = list(rows[: REVIEWS_SHOWN + 1])
    context = {"reviews": found[:REVIEWS_SHOWN], "cut": len(found) > REVIEWS_SHOWN}
    return Panel("reviews/about_panel.html", context) if found else None


def councils_of(ticket: Ticket, reader: Any) -> Panel | None:
    """Councils about the work of this ticket; of a ticket on which an agent only reads, the council it reads for."""
    reads = councils.member_that_reads(ticket)
    found = councils.of_ticket(ticket, COUNCILS_SHOWN + 1)
    worked = Turn.objects.filter(ticket=ticket, purpose=Purpose.WORK).exclude(head_commit="").exists()
    may_ask = worked and access.may(reader, within(Role.OPERATOR), ticket.project.scope)
    if not (reads or found or may_ask):
        return None
    context = {
        "ticket": ticket,
        "reads": reads,
        "councils": found[:COUNCILS_SHOWN],
        "cut": len(found) > COUNCILS_SHOWN,
        "may_ask": may_ask,
    }
    return Panel("councils/ticket_panel.html", context)


def series_of(project: Project, reader: Any) -> Panel | None:
    waiting = Q(findings__state=FindingState.OPEN)
    # Its newest review by a query of its own: joined too, each finding would be read once a review.
    newest = Review.objects.filter(series=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    rows = project.series.annotate(
        waiting=Count("findings", filter=waiting),
        critical=Count("findings", filter=waiting & Q(findings__severity=Severity.CRITICAL)),
        newest=Subquery(newest),
    )
    found = list(rows.order_by("-newest")[: SERIES_SHOWN + 1])
    return Panel(
        "reviews/project_panel.html",
        {"project": project, "series": found[:SERIES_SHOWN], "cut": len(found) > SERIES_SHOWN},
    )

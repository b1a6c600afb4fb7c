"""Findings: those of one review beside its document, and the list of all that somebody may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from portal.core.access import Role
from portal.core.clock import Wall
from reviews import evidence, standing
from reviews.models import Finding, FindingState, Occurrence, Review
from reviews.queries.document import Mark
from reviews.transitions import ANSWERS, FINDING
from tickets.fields import number_of
from tickets.queries import WORDS_SEARCHED, Page, page_of, seen_by
from tickets.rights import project_ids

FINDINGS_SHOWN: Final = 300
ONLY: Final = ("open", "bare")


# Of one review --------------------------------------------------------------------


@dataclass(slots=True)
class FindingRow:
    occurrence: Occurrence
    finding: Finding
    verbs: list[Any]
    # the answer that was tried and refused, with what was typed
    tried: Any = None
    # chosen in a form that was refused
    ticked: bool = False
    # what stands of what was decided of it
    decision: Any = None
    # runs by the portal of the checks that name it
    proofs: Any = ()

    @property
    def selectable(self) -> bool:
        return self.finding.ticket_id is None and self.finding.state == FindingState.OPEN

    @property
    def as_written(self) -> str:
        """The document's own word for the severity, where it is another than ours."""
        words, finding = self.occurrence.severity_as_written, self.finding
        ours = {finding.severity, finding.get_severity_display().lower()}
        return "" if words.lower() in ours else words

    @property
    def mark(self) -> Mark:
        finding, said = self.finding, self.occurrence
        label = said.reference or finding.reference or f"finding {finding.pk}"
        return Mark(said.line_start, said.line_end, f"finding-{finding.pk}", label, finding.severity)


class Findings(NamedTuple):
    """``more``: those behind the bound. ``open`` and ``unowned`` count the whole review."""

    rows: list[FindingRow]
    more: int
    total: int
    open: int
    unowned: int
    only: str


def findings(review: Review, only: str = "") -> Findings:
    every = Occurrence.objects.filter(review=review)
    waiting = Q(finding__state=FindingState.OPEN)
    found = every.aggregate(
        all=Count("id"), open=Count("id", filter=waiting), bare=Count("id", filter=waiting & Q(finding__ticket=None))
    )
    only = only if only in ONLY else ""
    shown = every.filter(waiting) if only else every
    if only == "bare":
        shown = shown.filter(finding__ticket=None)
    occurrences = evidence.with_newest(shown.select_related("finding__ticket"), "finding_id")
    rows = [_row(said) for said in occurrences.order_by("line_start", "id")[:FINDINGS_SHOWN]]
    return Findings(rows, found[only or "all"] - len(rows), found["all"], found["open"], found["bare"], only)


def _row(said: Any) -> FindingRow:
    finding = said.finding
    standing.carry_over(said, finding)
    evidence.mark([finding])
    return FindingRow(said, finding, answers_to(finding.state))


def answers_to(state: str) -> list[Any]:
    """The answers that a person may give to a finding in ``state``; other ways lead over other forms."""
    return [step for step in FINDING.allowed(state) if step.verb in (*ANSWERS, "open_again")]


def of_review(review: Review, number: int) -> Finding | None:
    rows: QuerySet[Finding] = Finding.objects.filter(occurrences__review=review).select_related("series__project")
    return rows.filter(pk=number).first() if number < 2**63 else None


# The list -----------------------------------------------------------------------------


def visible(reader: Any) -> QuerySet[Finding]:
    """What ``reader`` may see; a finding that was withdrawn with its import is in no list."""
    rows = Finding.objects.exclude(state=FindingState.WITHDRAWN).select_related("series__project", "ticket")
    return seen_by(reader, rows, "series__project")


def held(rows: QuerySet[Finding], user: Any, role: Role) -> QuerySet[Finding]:
    """Those of the projects in which ``user`` holds ``role`` or more."""
    projects = project_ids(user, role)
    return rows if projects is None else rows.filter(series__project__in=projects)


def matching(reader: Any, wanted: dict[str, str]) -> QuerySet[Finding]:
    """The findings that ``reader`` may see and that the filters of a list let through."""
    rows = visible(reader)
    same = {"project": "series__project__key", "series": "series__name"}
    same |= {name: name for name in ("state", "severity", "category", "rule")}
    rows = rows.filter(**{column: wanted[name] for name, column in same.items() if wanted.get(name)})
    if wanted.get("ticket"):
        rows = rows.filter(ticket__isnull=wanted["ticket"] == "without")
    if wanted.get("review"):
        rows = rows.filter(occurrences__review=number_of(wanted["review"]) or 0)
    for word in wanted.get("q", "").split()[:WORDS_SEARCHED]:
        rows = rows.alias(places=Cast("files", TextField())).filter(
            Q(title__icontains=word) | Q(reference__istartswith=word) | Q(places__icontains=word)
        )
    if wanted.get("age"):
        rows = _of_age(rows, wanted["age"])
    said_in = Occurrence.objects.filter(finding=OuterRef("pk")).order_by("-review_id").values("review_id")[:1]
    marked = evidence.with_newest(rows.annotate(said_in=Subquery(said_in)))
    return standing.that_stand(marked, wanted["standing"]) if wanted.get("standing") else marked


def _of_age(rows: QuerySet[Finding], age: str) -> QuerySet[Finding]:
    """ "7d": found within the last 7 days; "over-7d": before that."""
    since = Wall(-86_400 * int(age.removeprefix("over-").removesuffix("d")))
    return rows.filter(created_at__lt=since) if age.startswith("over-") else rows.filter(created_at__gte=since)


def finding_list(reader: Any, wanted: dict[str, str], before: int | None) -> Page:
    return page_of(matching(reader, wanted), before)

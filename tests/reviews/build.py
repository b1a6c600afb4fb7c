"""Reviews in any state, one plain function each."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from portal.core import clock
from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews import applying, decisions, dispositions, documents, planning
from reviews.importing import parse
from reviews.models import Decision, Finding, ImportRow, Review, Series
from tickets.models import Project

_numbers = count(1)
DOCUMENT = """# Delivery path review

2 issues found. 1 CRITICAL, 1 IMPORTANT.

| Ref | Severity | Title |
|---|---|---|
| DP-1 | CRITICAL | Outbox drain deletes rows it never sent |
| DP-2 | IMPORTANT | Template upload accepts anonymous requests |
| DP-3 | MINOR | Retry delay has no jitter |
"""


def received(of: Project, content: str | bytes = DOCUMENT, *, series: str = "Delivery path") -> Review:
    data = content.encode() if isinstance(content, str) else content
    return documents.receive(of, series_name=series, content=data, file_name="review.md")[0]


def planned(of: Project, content: str | bytes = DOCUMENT, *, series: str = "Delivery path") -> Review:
    """Read as its job reads it, without a worker."""
    review = received(of, content, series=series)
    parsed = parse(bytes(review.content), name=review.file_name)
    with unit_of_work():
        planning.make(review, parsed)
    return review


def applied(of: Project, content: str | bytes = DOCUMENT, *, series: str = "Delivery path") -> Review:
    review = planned(of, content, series=series)
    applying.apply(review, rest="not_assessed")
    return review


def choose_first(review: Review) -> int:
    """Each row that may be more than one finding is the first of them that no other row is; returns how many."""
    taken = set[int]()
    rows = list(ImportRow.objects.filter(review=review, action="choose", left_out=False).order_by("n"))
    for row in rows:
        chosen = next((pk for pk in row.candidates if pk not in taken), 0)
        taken.add(chosen)
        dispositions.choose(row, chosen)
    return len(rows)


def in_state(of: Project, state: str) -> Review:
    """A review in any state, past the transitions."""
    n = next(_numbers)
    series = Series.objects.create(project=of, name=f"Series {n}")
    return Review.objects.create(
        series=series, number=1, title=f"Review {n}", content=b"# x\n", digest=f"{n:064d}", state=state
    )


def finding(of: Project, state: str = "open", severity: str = "critical") -> Finding:
    n = next(_numbers)
    series, _ = Series.objects.get_or_create(project=of, name="Sample")
    return Finding.objects.create(
        series=series, identity=f"F-{n}", reference=f"F-{n}", title=f"Finding {n}", severity=severity, state=state
    )


def _decider(name: str) -> User:
    found = User.objects.filter(email=f"{name}@example.org").first()
    return found or User.objects.create_superuser(f"{name}@example.org", None, name=name.capitalize())


def reject(finding: Finding, *, reason: str = "Not so.") -> Decision:
    return decisions.reject(finding, by=_decider("asks"), reason=reason, evidence="The test in tests/test_door.py:12.")


def ask_waiver(finding: Finding, *, scope: str = "", days: int = 7, reason: str = "Until spring.") -> Decision:
    until = clock.now() + timedelta(days=days)
    return decisions.ask_waiver(finding, by=_decider("asks"), reason=reason, until=until, scope=scope)


def waive(finding: Finding, *, scope: str = "", days: int = 7, reason: str = "Until spring.") -> Decision:
    """As two people do it; the row in hand carries what came of it."""
    made = decisions.give(ask_waiver(finding, scope=scope, days=days, reason=reason), by=_decider("gives"))
    finding.refresh_from_db(fields=["state", "version", "answer"])
    return made


def defer(finding: Finding, *, days: int = 7) -> Decision:
    until = clock.now() + timedelta(days=days)
    return decisions.defer(finding, by=_decider("asks"), reason="After the release.", until=until)


def over(decision: Decision) -> Decision:
    """Its time is over, past the transitions."""
    Decision.objects.filter(pk=decision.pk).update(until=clock.now() - timedelta(seconds=1))
    decision.refresh_from_db()
    return decision

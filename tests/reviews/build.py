"""Reviews in any state, one plain function each."""

from __future__ import annotations

from itertools import count

from portal.core.unit import unit_of_work
from reviews import applying, documents, planning
from reviews.importing import parse
from reviews.models import Finding, Review, Series
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
    applying.apply(review)
    return review


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

"""Evidence derived again from what happened, and compared with what is stored.

What happened is in turns, merges, releases and the history of what was put
where; the rows of evidence say nothing beside that. So whoever doubts them can
look, and mend them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from django.db import transaction

from deployments import proof
from portal.core.unit import unit_of_work
from reviews import evidence, links
from reviews.evidence import Difference
from reviews.links import Link
from reviews.models import Edge, Evidence, Finding
from tickets.models import Project

FINDINGS_AT_ONCE: Final = 200
REASON: Final = "Nothing that happened gives it: evidence was derived again."


def projects(key: str = "") -> list[Project]:
    """The one of that key, or all."""
    rows = Project.objects.order_by("key")
    return list(rows.filter(key=key) if key else rows)


def look(project: Project) -> Iterator[Difference]:
    """Where the stored evidence of the project is another than what happened gives. Writes nothing."""
    for chunk in _chunks(project):
        # What is written just now looks like a difference; under the locks of its findings nothing is.
        with transaction.atomic():
            found = _differences(project, evidence.locked(_suspects(project, chunk)))
        yield from found


def mend(project: Project) -> Iterator[Difference]:
    """Write what is missing or other, take back what is too much, and tell each; history has it, too."""
    for chunk in _chunks(project):
        with unit_of_work():
            found = _differences(project, evidence.locked(_suspects(project, chunk)))
            evidence.mend(found, reason=REASON)
        yield from found


def _chunks(project: Project) -> Iterator[list[Finding]]:
    last = 0
    rows = Finding.objects.filter(series__project=project).select_related("series").order_by("pk")
    while chunk := list(rows.filter(pk__gt=last)[:FINDINGS_AT_ONCE]):
        yield chunk
        last = chunk[-1].pk


def _suspects(project: Project, findings: Sequence[Finding]) -> list[int]:
    return sorted({difference.finding.pk for difference in _differences(project, findings)})


def _differences(project: Project, findings: Sequence[Finding]) -> list[Difference]:
    if not findings:
        return []
    return evidence.differences(derived(project, findings), list(Edge))


def derived(project: Project, findings: Sequence[Finding]) -> dict[Finding, list[Link]]:
    """All the evidence that these findings of the project have by what happened."""
    near = links.of_findings(findings)
    fixes = {
        finding: {link.ref for link in given if link.edge == Edge.COMMIT}
        for finding, given in near.items()
        if any(link.edge == Edge.COMMIT for link in given)
    }
    far = proof.derive(project, fixes) if fixes else {}
    return {finding: near.get(finding.pk, []) + far.get(finding.pk, []) for finding in findings}


def stored(project: Project) -> int:
    """How many rows of evidence the project has."""
    return Evidence.objects.filter(finding__series__project=project).count()

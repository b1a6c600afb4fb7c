"""The gate: may this ship? A frozen answer, and every reason with what lifts it."""

from __future__ import annotations

import hashlib
import json

from deployments.models import Verdict
from reviews.models import Finding, FindingState, Severity
from tickets.models import Project

# While a finding of one of these severities is open, nothing of its project ships.
HOLDING = (Severity.CRITICAL,)
REASONS_SHOWN = 50


def judge(project: Project) -> Verdict:
    """Look at the findings now: the answer, not stored yet. Its digest names what it saw."""
    rows = list(
        Finding.objects.filter(series__project=project, state=FindingState.OPEN, severity__in=HOLDING)
        .select_related("ticket")
        .order_by("pk")
    )
    seen = [[finding.pk, finding.version] for finding in rows]
    return Verdict(
        project=project,
        digest=hashlib.sha256(json.dumps(seen).encode()).hexdigest(),
        go=not rows,
        blocking=[finding.pk for finding in rows],
        reasons=[_reason(finding) for finding in rows[:REASONS_SHOWN]],
    )


def _reason(finding: Finding) -> dict[str, object]:
    lift = f"accept {finding.ticket.key}, or answer the finding" if finding.ticket else "make it a ticket, or answer it"
    return {
        "finding": finding.pk,
        "text": f"{finding.reference or finding.title} is open ({finding.severity}): {finding.title}",
        "lift": lift,
        "ticket": finding.ticket.key if finding.ticket else "",
    }

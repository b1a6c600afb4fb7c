"""What a release brings over another, and what it takes away: commits, tickets, findings, and what the work cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db.models import Max, QuerySet

from deployments.models import Deployment, Release
from reviews import standing
from reviews.models import Edge, Evidence, Finding, FindingState
from tickets.models import Merge, MergeState, Ticket, Turn

TICKETS_SHOWN: Final = 50
FINDINGS_SHOWN: Final = 50
# what is looked at, the newest first; beyond it the numbers say "at least"
MERGES_READ: Final = 2000
TURNS_READ: Final = 5000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the turns of the tickets, from their beginning or the accepted work before until they were accepted.

    ``untold``: turns whose agent told no price; ``usd`` is of the others, None where none told.
    """

    turns: int = 0
    usd: Decimal | None = None
    tokens: int | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """Accepted work that one release holds and another does not, and the findings that it alone fixes there."""

    merges: int = 0
    tickets: list[Ticket] = field(default_factory=list)
    tickets_more: int = 0
    findings: list[Finding] = field(default_factory=list)
    findings_more: int = 0
    cost: Cost = Cost()
    # whether more accepted work is in it than was looked at
    cut: bool = False

    @property
    def number(self) -> int:
        return len(self.tickets) + self.tickets_more

    @property
    def fixes(self) -> int:
        return len(self.findings) + self.findings_more


class Commits(NamedTuple):
    """As git counted them when it was prepared; ``number`` None: nobody knows. The newest are named."""

    number: int | None
    newest: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Changes:
    """``first``: nothing was ever started there before it. ``known``: what stood there before it is known."""

    first: bool
    known: bool
    commits: Commits
    gone: Commits
    brings: Work
    takes: Work
    # findings open when the release was made that were not when the one before was
    found_since: int
    pipeline: bool

    @property
    def goes_back(self) -> bool:
        """Whether something that stood there is taken away."""
        return bool(self.gone.number or self.takes.merges)


def of(deployment: Deployment) -> Changes | None:
    """Over what stood there when its plan was made; None until it is prepared. A constant number of queries."""
    release, previous = deployment.release, deployment.previous
    if release is None:
        return None
    commits, gone = _counted(deployment.changes, previous)
    return Changes(
        first=previous is None and not _started_before(deployment),
        known=previous is not None,
        commits=commits,
        gone=gone,
        brings=brought(release, previous),
        takes=brought(previous, release, costs=False) if previous else Work(),
        found_since=len(set(release.open_findings) - set(previous.open_findings)) if previous else 0,
        pipeline=previous is not None and previous.pipeline != release.pipeline,
    )


def _started_before(deployment: Deployment) -> bool:
    rows = Deployment.objects.filter(service=deployment.service_id, environment=deployment.environment_id)
    return rows.filter(started_at__isnull=False, pk__lt=deployment.pk).exists()


def _counted(told: Mapping[str, Any], previous: Release | None) -> tuple[Commits, Commits]:
    """What was counted, where that was over what it goes over now."""
    if previous is None or told.get("over", previous.commit) != previous.commit:
        return Commits(None, []), Commits(None, [])
    gone = Commits(told.get("gone"), told.get("gone_newest", []))
    return Commits(told.get("commits"), told.get("newest", [])), gone


# Between two releases -----------------------------------------------------------------


def brought(release: Release, over: Release | None, *, costs: bool = True) -> Work:
    """The accepted work that ``release`` holds and ``over`` does not; all of it, over nothing."""
    other = set(over.merges if over else ())
    new = sorted(set(release.merges) - other, reverse=True)
    looked_at = new[:MERGES_READ]
    if not looked_at:
        return Work()
    merges = list(Merge.objects.filter(pk__in=looked_at).order_by("-pk").values_list("ticket", "merged_commit"))
    numbers = list(dict.fromkeys(ticket for ticket, _ in merges))
    tickets = list(Ticket.objects.filter(pk__in=numbers[:TICKETS_SHOWN]).order_by("-pk").defer("body"))
    fixed = _fixed(release, {commit for _, commit in merges}, other)
    findings = list(standing.with_newest(fixed).order_by("-pk")[:FINDINGS_SHOWN])
    standing.mark(findings)
    return Work(
        merges=len(new),
        tickets=tickets,
        tickets_more=max(len(numbers) - len(tickets), 0),
        findings=findings,
        findings_more=max(fixed.count() - FINDINGS_SHOWN, 0),
        cost=_cost(numbers, set(looked_at), other) if costs else Cost(),
        cut=len(new) > len(looked_at),
    )


def _fixed(release: Release, commits: Collection[str], other: Collection[int]) -> QuerySet[Finding]:
    """The findings that these commits fix, without those that work in the other release fixes, too."""
    edges = Evidence.objects.filter(edge=Edge.COMMIT)
    fixed = edges.filter(ref__in=commits, finding__series__project=release.service.project_id)
    both = edges.filter(finding__in=fixed.values("finding"))
    refs = Merge.objects.filter(
        merged_commit__in=both.values("ref"), ticket__project=release.service.project_id, state=MergeState.MERGED
    )
    kept = {commit for merge, commit in refs.values_list("pk", "merged_commit") if merge in other}
    rows = Finding.objects.filter(pk__in=fixed.values("finding")).exclude(state=FindingState.WITHDRAWN)
    if kept:
        rows = rows.exclude(pk__in=edges.filter(ref__in=kept).values("finding"))
    return rows.annotate(review=Max("occurrences__review"))


# What it cost -----------------------------------------------------------------------------


def _cost(tickets: Collection[int], new: Collection[int], other: Collection[int]) -> Cost:
    """Of each ticket the turns that began after the work that the other release holds, until this was accepted."""
    spans = _spans(tickets, new, other)
    columns = ("ticket", "started_at", "cost_usd", "input_tokens", "output_tokens")
    rows = Turn.objects.filter(ticket__in=spans).order_by("-pk").values_list(*columns)[:TURNS_READ]
    return _sum(row[2:] for row in rows if spans[row[0]].holds(row[1]))


class _Span(NamedTuple):
    since: datetime | None
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at > self.since) and (self.until is None or at <= self.until)


def _spans(tickets: Collection[int], new: Collection[int], other: Collection[int]) -> dict[int, _Span]:
    since: dict[int, datetime] = {}
    until: dict[int, datetime] = {}
    rows = Merge.objects.filter(ticket__in=tickets, state=MergeState.MERGED).order_by("pk")
    for merge, ticket, accepted in rows.values_list("pk", "ticket", "asked_at"):
        if merge in new:
            until[ticket] = accepted
        elif merge in other:
            since[ticket] = accepted
    return {ticket: _Span(since.get(ticket), until.get(ticket)) for ticket in tickets}


def _sum(rows: Iterable[tuple[Any, ...]]) -> Cost:
    turns, untold, prices, tokens = 0, 0, [], []
    for price, read, written in rows:
        turns += 1
        untold += price is None
        prices += [price] if price is not None else []
        tokens += [number for number in (read, written) if number is not None]
    return Cost(turns, sum(prices, Decimal(0)) if prices else None, sum(tokens) if tokens else None, untold)

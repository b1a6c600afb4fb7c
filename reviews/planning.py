"""The plan of an import: what applying a document would do, one row for each thing it would do it to.

A row for each item that was read, and one for each open finding of the series
of which the document does not speak: silence is no fix. What the document
says beside its findings is kept with the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from django.db.models import Max

from portal.core import bulk, limits
from reviews import matching, telling
from reviews.deciding import Item, decide
from reviews.importing.model import ParsedFinding, ParsedReview
from reviews.matching import Known, Match, Print
from reviews.models import (
    ActionItem,
    Check,
    Finding,
    FindingState,
    Fingerprint,
    ImportRow,
    Occurrence,
    Review,
    ReviewState,
    Series,
)
from reviews.reading import beside, reading
from reviews.transitions import REVIEW
from tickets import keys
from tickets.models import Ticket

Action = ImportRow.Action


class TooMany(Exception):
    """The plan would have more rows than are kept. The text is for people."""


class Draft(NamedTuple):
    """A plan that is not stored yet, and the version of the series that it was made on."""

    rows: list[ImportRow]
    checks: list[Check]
    action_items: list[ActionItem]
    reading: dict[str, Any]
    title: str
    subject_ticket: Ticket | None
    planned_on: int


def make(review: Review, parsed: ParsedReview) -> None:
    """Draft the plan of ``parsed`` and store it. Inside a unit of work; raises ``TooMany``."""
    store(review, draft(review, parsed))


def draft(review: Review, parsed: ParsedReview) -> Draft:
    """What applying ``parsed`` would do to the series as it stands. Only reads; raises ``TooMany``."""
    _bounded(len(parsed.findings), 0)
    # Before the findings: what changes after this look makes the plan stale, and that is said.
    version = Series.objects.values_list("version", flat=True).get(pk=review.series_id)
    checks, action_items = beside(review, parsed)
    named = keys.named_in(parsed.metadata.ticket or "")
    return Draft(
        _rows(review, parsed),
        checks,
        action_items,
        reading(parsed),
        (parsed.title or review.title)[:300],
        keys.find_by_name(named, review.series.project) if named else None,
        version,
    )


def store(review: Review, plan: Draft) -> bool:
    """Leave the plan as rows and the review planned; false where somebody else has read it. Inside a unit of work."""
    state = Review.objects.filter(pk=review.pk).select_for_update().values_list("state", flat=True).first()
    if state != ReviewState.RECEIVED:
        return False
    for model, rows in ((ImportRow, plan.rows), (Check, plan.checks), (ActionItem, plan.action_items)):
        model._default_manager.filter(review=review).delete()
        model._default_manager.bulk_create(rows, batch_size=bulk.CHUNK_ROWS)  # type: ignore[arg-type]
    REVIEW.move(
        review,
        "plan",
        reading=plan.reading,
        title=plan.title,
        subject_ticket=plan.subject_ticket,
        planned_on=plan.planned_on,
    )
    telling.planned(review)
    return True


def _bounded(items: int, carried: int) -> None:
    most = limits.value("PLAN_MAX_ROWS")
    if items + carried > most:
        open_ones = f" and {carried} open ones of the series that it does not name" if carried else ""
        raise TooMany(f"The document has {items} findings{open_ones}: a plan has at most {most} rows (PLAN_MAX_ROWS).")


def _rows(review: Review, parsed: ParsedReview) -> list[ImportRow]:
    items = parsed.findings
    world = _known(review, items)
    former, left_out = _former(review, items)
    matches = matching.match(items, world.findings, former)
    named = {match.known.pk for match in matches.values()}
    carried = [one for one in world.findings if one.state == FindingState.OPEN and one.pk not in named]
    _bounded(len(items), len(carried))
    chosen = keys.choices(review.series.project, {key for item in items if (key := matching.key_of(item))})
    ranks = _ranks(parsed)
    names = _Names(world.identities)
    rows = []
    for n, item in enumerate(items):
        said = _item(item) | ranks.get(item.ref or item.ticket_key or "", {})
        row = _row(review, said, matches.get(n), world)
        row.n, row.left_out = n + 1, n in left_out
        row.identity = row.identity or names.free(item)
        _choose_key(row, matching.key_of(item), chosen, matches.get(n))
        rows.append(row)
    return rows + [_carry(review, one, world, n) for n, one in enumerate(carried, start=len(rows) + 1)]


def _row(review: Review, item: Item, match: Match | None, world: World) -> ImportRow:
    if match is None:
        action, reason = decide(item, None, "")
        return ImportRow(review=review, action=action, reason=reason, item=item)
    known = match.known
    newer = world.last_named.get(known.pk, 0)
    if newer > review.number and known.state != FindingState.WITHDRAWN:
        # An older document tells how it was: it neither closes nor opens anything.
        action, item = Action.SEEN, {**item, "older": True}
        reason = f"Known; v{newer}, which is newer, speaks of it too, so nothing of the finding changes."
    else:
        action, reason = decide(item, known, match.how)
    return ImportRow(
        review=review, action=action, reason=reason, identity=known.identity, finding_id=known.pk, item=item
    )


def _choose_key(row: ImportRow, key: str, chosen: Mapping[str, keys.Choice], match: Match | None) -> None:
    row.ticket_key = key
    if key and not (match and match.known.ticket_id):
        row.keys = chosen[key].keys.value
        row.item["keys_reason"] = chosen[key].reason


def _carry(review: Review, known: Known, world: World, n: int) -> ImportRow:
    last = world.last_named.get(known.pk)
    since = f"Open, last named in v{last}; " if last else "Open; "
    return ImportRow(
        review=review,
        n=n,
        action=Action.CARRY,
        reason=f"{since}this document does not speak of it, and silence is no fix.",
        identity=known.identity,
        finding_id=known.pk,
        item={},
    )


class _Names:
    """Identities that are free in the series. Two items with one title are two findings."""

    def __init__(self, used: set[str]) -> None:
        self.used, self.next = used, dict[str, int]()

    def free(self, item: ParsedFinding) -> str:
        name = base = matching.identity(item)
        while name in self.used:
            self.next[base] = self.next.get(base, 1) + 1
            name = f"{base}#{self.next[base]}"
        self.used.add(name)
        return name


class World(NamedTuple):
    """What the series knows that matters for a document: findings, names in use, who named a finding last."""

    findings: list[Known]
    identities: set[str]
    last_named: dict[int, int]


def _known(review: Review, items: Sequence[ParsedFinding]) -> World:
    """Three queries; what the document shares no fingerprint with, and is not open, is not kept in memory."""
    wanted = {print_ for item in items for print_ in matching.wanted_of(item)}
    prints: dict[int, list[Print]] = {}
    rows = Fingerprint.objects.filter(finding__series=review.series_id).order_by("pk")
    columns = ("finding_id", "algorithm", "algorithm_version", "value")
    for pk, *values in rows.values_list(*columns).iterator(2000):
        if (print_ := Print(*values)) in wanted:
            prints.setdefault(pk, []).append(print_)
    findings, identities = [], set[str]()
    bases = {matching.identity(item) for item in items}
    for one in _findings(review):
        if one.identity.partition("#")[0] in bases:
            identities.add(one.identity)
        if one.state == FindingState.OPEN or one.pk in prints:
            one.prints = prints.get(one.pk, [])
            findings.append(one)
    said = Occurrence.objects.filter(finding__series=review.series_id).exclude(review=review)
    last = said.values_list("finding").annotate(last=Max("review__number"))
    kept = {one.pk for one in findings}
    return World(findings, identities, {pk: number for pk, number in last.iterator(2000) if pk in kept})


def _findings(review: Review) -> Any:
    columns = (
        "pk",
        "identity",
        "state",
        "title",
        "severity",
        "category",
        "reference",
        "ticket_key",
        "files",
        "ticket_id",
    )
    rows = Finding.objects.filter(series=review.series_id).order_by("pk")
    return (Known(*values) for values in rows.values_list(*columns).iterator(2000))


def _former(review: Review, items: Sequence[ParsedFinding]) -> tuple[dict[int, int], set[int]]:
    """What earlier plans of this very document led to: findings by item number, and rows that were left out."""
    found: dict[int, int] = {}
    left_out: set[int] = set()
    rows = ImportRow.objects.filter(review=review).exclude(action=Action.CARRY).order_by("n")
    for n, action, title, finding, out in rows.values_list("n", "action", "item__title", "finding", "left_out"):
        if n > len(items) or items[n - 1].title != title:
            continue
        if out:
            left_out.add(n - 1)
        if finding and action == Action.NEW:
            found[n - 1] = finding
    return found, left_out


def _ranks(parsed: ParsedReview) -> dict[str, dict[str, Any]]:
    """The author's order of fixing, by reference: the tier, and the place over all tiers."""
    ranks: dict[str, dict[str, Any]] = {}
    rank = 0
    for tier in parsed.fix_order:
        for ref in tier.refs:
            rank += 1
            ranks.setdefault(ref, {"tier": tier.label[:100], "rank": rank})
    return ranks


def _item(finding: ParsedFinding) -> dict[str, Any]:
    return asdict(finding) | {"fields": [list(pair) for pair in finding.fields], "files": list(finding.files)}

"""The plan of an import: what applying a document would do, one row for each thing it would do it to.

A row for each item that was read, and one for each open finding of the series
of which the document does not speak: silence is no fix, so a person says what
became of it. Where an item may be more than one finding, a person chooses.
What the document says beside its findings is kept with the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.db.models import Model

from portal.core import bulk, limits
from portal.core.storable import storable
from reviews import crossing, matching, pasts, telling, world
from reviews.deciding import SHARED, Item, claimed, cut, decide
from reviews.importing.model import ParsedFinding, ParsedReview
from reviews.matching import Doubt, Known, Match, Matches
from reviews.models import (
    ActionItem,
    Check,
    FindingState,
    ImportRow,
    Review,
    ReviewState,
    Series,
)
from reviews.reading import beside, reading
from reviews.transitions import REVIEW
from reviews.world import Former, World
from tickets import keys
from tickets.followers import Followers
from tickets.models import Ticket

Action = ImportRow.Action


class TooMany(Exception):
    """The plan would have more rows than are kept. The text is for people."""


class Moved(Exception):
    """The review is not what the plan was made of any more: somebody has read it, or has it read anew."""


class Draft(NamedTuple):
    """A plan that is not stored yet, and the version of the series that it was made on."""

    rows: list[ImportRow]
    checks: list[Check]
    action_items: list[ActionItem]
    reading: dict[str, Any]
    title: str
    subject_ticket: Ticket | None
    planned_on: int
    read_as: dict[str, str]


# The plan of a review is ready.
planned: Followers[Review] = Followers()


def make(review: Review, parsed: ParsedReview) -> None:
    """Draft the plan of ``parsed`` and store it. Inside a unit of work; raises ``TooMany``."""
    store(review, draft(review, parsed))


def draft(review: Review, parsed: ParsedReview) -> Draft:
    """What applying ``parsed`` would do to the series as it stands. Only reads; raises ``TooMany``."""
    with bulk.uncollected():
        return _draft(review, parsed)


def _draft(review: Review, parsed: ParsedReview) -> Draft:
    _bounded(len(parsed.findings), 0)
    # Before the findings: what changes after this look makes the plan stale, and that is said.
    version = Series.objects.values_list("version", flat=True).get(pk=review.series_id)
    checks, action_items = beside(review, parsed)
    named = keys.named_in(parsed.metadata.ticket or "")
    known = world.look(review, parsed)
    rows = _rows(review, parsed, known)
    return Draft(
        rows,
        checks,
        action_items,
        reading(parsed) | {"unlike_plan": crossing.notes(review, parsed.earlier, rows)},
        (parsed.title or review.title)[:300],
        keys.find_by_name(named, review.series.project) if named else None,
        version,
        {
            "form": parsed.form[:20],
            "tool": (parsed.tool or "")[:100],
            "commit": known.commit,
            # Lines of prose are those of the document; of another form they are those of what was read.
            "read_text": "" if parsed.form == "markdown" else storable(parsed.text),
        },
    )


def stage(review: Review, rows: Sequence[ImportRow], *, first: bool) -> None:
    """Leave some rows of a plan before the plan is there. Inside a unit of work; raises ``Moved``."""
    _hold(review)
    if first:
        ImportRow.objects.filter(review=review).delete()
    bulk.insert(ImportRow, rows, numbered=False)
    REVIEW.announce(review)


def staged(review: Review) -> int:
    """How many rows of its plan are there while a review is being read."""
    return 0 if review.reading else ImportRow.objects.filter(review=review).count()


def _hold(review: Review) -> None:
    """Lock the review, as it was when the document was taken up. Raises ``Moved``."""
    rows = Review.objects.filter(pk=review.pk).select_for_update(no_key=True)
    if rows.values_list("state", "version").first() != (ReviewState.RECEIVED, review.version):
        raise Moved


def store(review: Review, plan: Draft, *, rows_are_staged: bool = False) -> bool:
    """Leave the plan as rows and the review planned; false where somebody else has read it. Inside a unit of work."""
    try:
        _hold(review)
    except Moved:
        return False
    tables: list[tuple[type[Model], Sequence[Any]]] = [(Check, plan.checks), (ActionItem, plan.action_items)]
    if not rows_are_staged:
        tables.append((ImportRow, plan.rows))
    for model, rows in tables:
        model._default_manager.filter(review=review).delete()
        with bulk.uncollected():
            bulk.insert(model, rows, numbered=False)
    REVIEW.move(
        review,
        "plan",
        reading=plan.reading,
        title=plan.title,
        subject_ticket=plan.subject_ticket,
        planned_on=plan.planned_on,
        form=plan.read_as["form"],
        tool=plan.read_as["tool"],
        commit=plan.read_as["commit"],
        read_text=plan.read_as["read_text"],
    )
    telling.planned(review)
    planned.tell(review)
    return True


def _bounded(items: int, carried: int) -> None:
    most = limits.value("PLAN_MAX_ROWS")
    if items + carried > most:
        open_ones = f" and {carried} open ones of the series that it does not name" if carried else ""
        raise TooMany(f"The document has {items} findings{open_ones}: a plan has at most {most} rows (PLAN_MAX_ROWS).")


def _rows(review: Review, parsed: ParsedReview, known: World) -> list[ImportRow]:
    items = parsed.findings
    former = world.former(review, items)
    matches = matching.match(items, list(known.findings.values()), former.findings, known.code)
    named = {pk for match in matches.found.values() for pk in (match.known.pk, match.known.root)}
    carried = [one for one in known.findings.values() if one.state == FindingState.OPEN and one.pk not in named]
    _bounded(len(items), len(carried))
    chosen = keys.choices(review.series.project, {key for item in items if (key := matching.key_of(item))})
    planning = _Planning(review, parsed, known, matches, former)
    names = _Names(known.identities)
    rows = []
    for n, item in enumerate(items):
        row = planning.row(n, item)
        row.n, row.left_out = n + 1, n in former.left_out
        row.identity = row.identity or names.free(item)
        _choose_key(row, matching.key_of(item), chosen, matches.found.get(n))
        rows.append(row)
    doubted = {one.pk for doubt in matches.doubts.values() for one in doubt.candidates}
    return rows + [planning.carry(one, doubted, n) for n, one in enumerate(carried, start=len(rows) + 1)]


class _Planning:
    """What the document does to what it speaks of."""

    def __init__(self, review: Review, parsed: ParsedReview, known: World, matches: Matches, former: Former) -> None:
        self.review, self.known, self.former = review, known, former
        self.blank = bulk.blanks(ImportRow)
        self.found, self.doubts = self._followed(matches.found), matches.doubts
        self.ranks = _ranks(parsed)
        back = [
            match.known
            for n, (match, _) in self.found.items()
            if claimed({"status": parsed.findings[n].status}) == FindingState.OPEN
        ]
        self.pasts = pasts.of(review.series.project, known.commit, back)

    def _followed(self, found: Mapping[int, Match]) -> dict[int, tuple[Match, Known | None]]:
        """What was merged is followed to what goes on, unless another item is that; with what was merged, then."""
        direct = {match.known.pk for match in found.values()}
        merged = [match.known for match in found.values() if match.known.root not in direct]
        roots = {**self.known.findings, **world.known({one.root for one in merged} - self.known.findings.keys())}
        followed: dict[int, tuple[Match, Known | None]] = {}
        for n, match in found.items():
            root = roots.get(match.known.root)
            if root is None or root.pk in direct or root.state == FindingState.WITHDRAWN:
                followed[n] = match, None
            else:
                direct.add(root.pk)
                followed[n] = Match(root, match.how), match.known
        return followed

    def row(self, n: int, item: ParsedFinding) -> ImportRow:
        said = _item(item) | self.ranks.get(item.ref or item.ticket_key or "", {})
        if n in self.known.code.regions:
            said["code"] = list(self.known.code.regions[n])
        if n in self.found:
            # Of the older algorithm nothing is stored any more.
            new = set(self.known.prints[n][:-1]) - set(self.found[n][0].known.prints)
            return self._known(said if new else said | {"printed": True}, *self.found[n])
        if n in self.doubts:
            return self._doubted(n, said, self.doubts[n])
        action, reason = decide(said, None, "")
        return self.blank(review_id=self.review.pk, action=action, reason=reason, item=said)

    def _known(self, item: Item, match: Match, merged: Known | None) -> ImportRow:
        known = match.known
        newer = self.known.last_named.get(known.pk, 0)
        if newer > self.review.number and known.state != FindingState.WITHDRAWN:
            # An older document tells how it was: it neither closes nor opens anything.
            action, item = Action.SEEN, {**item, "older": True}
            reason = f"Known; v{newer}, which is newer, speaks of it too, so nothing of the finding changes."
        else:
            action, reason = decide(item, known, match.how, self.pasts.get(known.pk))
        if merged is not None:
            item = {**item, "merged": merged.pk}
            reason = cut(f"“{merged.title[:80]}” was merged into “{known.title[:80]}”, so it counts there. {reason}")
        return self.blank(
            review_id=self.review.pk,
            action=action,
            reason=reason,
            identity=known.identity,
            finding_id=known.pk,
            item=item,
        )

    def _doubted(self, n: int, item: dict[str, Any], doubt: Doubt) -> ImportRow:
        chosen, made = self.former.chosen.get(n), self.known.findings.get(self.former.findings.get(n, 0))
        if chosen == 0 and made is not None and made.state == FindingState.WITHDRAWN:
            # The new one that was chosen before is brought back, where it is chosen again.
            item["former"] = made.pk
        candidates = list(dict.fromkeys(one.root for one in doubt.candidates))
        may = f"{len(candidates)} known findings" if len(candidates) > 1 else "a known finding that others may be, too"
        return self.blank(
            review_id=self.review.pk,
            action=Action.CHOOSE,
            reason=f"It may be {may}: {SHARED.get(doubt.how, 'alike')}. Choose one of them, or a new one.",
            item=item | {"how": doubt.how},
            candidates=candidates,
            chosen=chosen if chosen == 0 or chosen in candidates else None,
        )

    def carry(self, known: Known, doubted: set[int], n: int) -> ImportRow:
        last = self.known.last_named.get(known.pk)
        since = f"Open, last named in v{last}; " if last else "Open; "
        may = " A row to choose may be it." if known.pk in doubted else ""
        return self.blank(
            review_id=self.review.pk,
            n=n,
            action=Action.CARRY,
            reason=f"{since}this document does not speak of it, and silence is no fix.{may}",
            identity=known.identity,
            finding_id=known.pk,
            item={},
        )


def _choose_key(row: ImportRow, key: str, chosen: Mapping[str, keys.Choice], match: Match | None) -> None:
    row.ticket_key = key
    if key and not (match and match.known.ticket_id):
        row.keys = chosen[key].keys.value
        row.item["keys_reason"] = chosen[key].reason


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
    """As it is kept. Its parts are texts and tuples of them, so nothing is copied deep."""
    found = dict(zip(_PARTS, _VALUES(finding), strict=True))
    for name in _LISTS:
        found[name] = list(found[name])
    return found


_PARTS: Final = tuple(part.name for part in fields(ParsedFinding))
_VALUES: Final = attrgetter(*_PARTS)
_LISTS: Final = tuple(part.name for part in fields(ParsedFinding) if str(part.type).startswith("tuple"))

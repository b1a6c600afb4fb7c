"""From many proposals to one list: the strongest for each place, parts inside their finding, repeats merged."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from reviews.importing import decoys
from reviews.importing.complaints import complains
from reviews.importing.fields import meanings
from reviews.importing.model import LeftOut
from reviews.importing.recognisers import RECOGNISERS, Candidate, checkboxes, siblings
from reviews.importing.recognisers.evidence import MIN_FIELDS, TELLING
from reviews.importing.refs import refs_added, refs_in
from reviews.importing.regions import Outline
from reviews.importing.similarity import Comparer, normal
from reviews.importing.titles import plain
from reviews.importing.wholes import TEMPLATE

MAX_COMPARISONS = 60_000
COMPARED_LETTERS = 12_000_000
MAX_TWINS = 4
MAX_INSIDE = 60
SURE = 0.6
NAMED = 2
CLEARED = frozenset({"the author calls it clean", "a decision", "a question", "a template's placeholder"})
ENOUGH = 5
TAGGED = 0.8
MIN_VIEWS = 3
MIN_MAIN = 5
MIN_TICKED = 4
MIN_GOOD = 10
WEAK = 0.66
WEAK_HEADING = 0.76


_COUNTED = re.compile(r"^(?:[^\W\d_]{3,}\s?#?|#)(?=\d+$)")


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates that stand, in document order; `merged` gives the repeats of each by its first line."""

    chosen: tuple[Candidate, ...]
    merged: dict[int, tuple[Candidate, ...]]
    left_out: tuple[LeftOut, ...]
    set_aside: tuple[Candidate, ...]


def select(outline: Outline) -> Selection:
    candidates, left_out = _gather(outline)
    headings = _without_nested([c for c in candidates if c.shape == "heading"])
    others = [c for c in candidates if c.shape != "heading"]
    headings = _without_categories(headings, others)
    others = _not_under_clean(_outside(others, headings), left_out)
    every = _numbers_as_refs([*headings, *others])
    every = _without_views(_without_overviews(every))
    standing, aside = _by_tier(_beside_main(every, done=_lists_what_is_done(outline)))
    chosen, merged = _merge(standing)
    return Selection(tuple(chosen), merged, _left_out(left_out, chosen), tuple(aside))


def _gather(outline: Outline) -> tuple[list[Candidate], list[LeftOut]]:
    best: dict[int, Candidate] = {}
    left: list[LeftOut] = []
    for recogniser in RECOGNISERS:
        for proposal in recogniser(outline):
            if isinstance(proposal, LeftOut):
                left.append(proposal)
                continue
            known = best.get(proposal.line_start)
            if outline.region(outline.document.root).decoy == TEMPLATE:
                left.append(LeftOut(proposal.line_start, proposal.line_end, proposal.title[:200], TEMPLATE))
            elif known is None or proposal.weight > known.weight:
                best[proposal.line_start] = proposal
    refused = {
        piece.line_start
        for piece in left
        if piece.reason != "the author calls it clean" or piece.line_start not in best
    }
    standing = [c for line, c in sorted(best.items()) if line not in refused or c.parts.ref is not None]
    standing.extend(siblings.complete(outline, standing, frozenset(refused)))
    return sorted(standing, key=lambda c: c.line_start), left


def _inside(inner: Candidate, outer: Candidate) -> bool:
    return outer.line_start < inner.line_start and inner.line_end <= outer.line_end


def _without_nested(headings: Sequence[Candidate]) -> list[Candidate]:
    """A heading inside a finding is a part of it; a heading over several surer findings is only their group."""
    groups: set[int] = set()
    starts = [heading.line_start for heading in headings]
    for at, outer in enumerate(headings):
        # Levels nest, so what stands inside a heading follows it directly; a long way down is bounded.
        last = min(bisect_left(starts, outer.line_end + 1), at + 1 + MAX_INSIDE)
        inner = [c for c in headings[at + 1 : last] if _inside(c, outer) and c.weight >= outer.weight]
        numbered = outer.parts.ref is not None or outer.parts.severity is not None
        owns = numbered or any(field.line < inner[0].line_start for field in outer.fields) if inner else True
        if inner and (not owns or (len(inner) >= 2 and not numbered and outer.weight <= WEAK_HEADING)):
            groups.add(outer.line_start)
    kept: list[Candidate] = []
    for candidate in headings:
        if candidate.line_start in groups:
            continue
        if not kept or not _inside(candidate, kept[-1]):
            kept.append(candidate)
    return kept


def _without_categories(headings: Sequence[Candidate], others: Sequence[Candidate]) -> list[Candidate]:
    """A heading without ref over bullets or rows that carry refs or severities names their category."""
    tagged = [c for c in others if c.weight >= TAGGED]
    starts = [c.line_start for c in tagged]
    kept = []
    for heading in headings:
        count = bisect_left(starts, heading.line_end + 1) - bisect_left(starts, heading.line_start + 1)
        weak = heading.weight <= WEAK_HEADING
        if heading.parts.ref is None and (count >= 2 and heading.parts.severity is None or (weak and count >= 1)):
            continue
        kept.append(heading)
    return kept


def _outside(others: Sequence[Candidate], headings: Sequence[Candidate]) -> list[Candidate]:
    kept: list[Candidate] = []
    starts = [h.line_start for h in headings]
    for candidate in others:
        at = bisect_left(starts, candidate.line_start) - 1
        # What is listed as a finding is no part of what only tells, or plans, among other things.
        if at >= 0 and candidate.line_end <= headings[at].line_end and headings[at].tier <= candidate.tier:
            continue
        if kept and kept[-1].shape == "paragraph" and _inside(candidate, kept[-1]):
            continue
        kept.append(candidate)
    return kept


def _not_under_clean(others: Sequence[Candidate], left_out: Sequence[LeftOut]) -> list[Candidate]:
    """What stands under a heading that the author calls clean, or a decision, says why."""
    # Pieces nest or follow each other, so the furthest end so far tells whether a line is covered.
    pieces = sorted((p.line_start, p.line_end) for p in left_out if p.reason in CLEARED and p.line_end > p.line_start)
    starts = [start for start, _ in pieces]
    ends = list(accumulate((end for _, end in pieces), max))
    kept = []
    for candidate in others:
        at = bisect_left(starts, candidate.line_start) - 1
        if at < 0 or ends[at] < candidate.line_start or candidate.parts.ref is not None:
            kept.append(candidate)
    return kept


def _numbers_as_refs(candidates: Sequence[Candidate]) -> list[Candidate]:
    """A plain number is a ref only when the author numbers the findings once through the document."""
    numbered = [c for c in candidates if c.parts.number and c.parts.ref is None and c.shape != "item" and c.tier == 1]
    numbers = [c.parts.number for c in numbered]
    once = len(set(numbers)) == len(numbers)
    result = []
    for candidate in candidates:
        counts = once or candidate.parts.dotted
        if candidate.shape != "item" and candidate.parts.ref is None and candidate.parts.number and counts:
            candidate = replace(candidate, parts=replace(candidate.parts, ref=candidate.parts.number))
        result.append(candidate)
    return sorted(result, key=lambda c: c.line_start)


def _without_overviews(candidates: Sequence[Candidate]) -> list[Candidate]:
    """What names findings by their refs, behind its own title or several of them, speaks about them and is none."""
    known = {c.parts.ref for c in candidates if c.parts.ref is not None and not c.parts.ref.isdigit()}
    if len(known) < NAMED:
        return list(candidates)
    return [c for c in candidates if not _speaks_of(c, known)]


def _speaks_of(candidate: Candidate, known: set[str]) -> bool:
    if candidate.shape == "heading":
        added = refs_added(plain(candidate.section.title))
        return bool(added) and known.issuperset(added) and candidate.parts.ref not in added
    return candidate.parts.ref is None and _named(candidate, known) >= NAMED


def _without_views(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where the author rates or names what is wrong, a list that does neither and complains little is no part of it."""
    rated = [c for c in candidates if _rated(c) or (c.shape == "heading" and c.parts.ref is not None)]
    if len(rated) * 2 < len(candidates):
        return list(candidates)
    lists: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.shape == "item":
            lists.setdefault(candidate.section.index, []).append(candidate)
    views = {
        index
        for index, listed in lists.items()
        if len(listed) >= MIN_VIEWS
        and not any(_rated(c) or c.parts.status for c in listed)
        and sum(1 for c in listed if complains(c.title)) * MIN_VIEWS < len(listed)
    }
    return [c for c in candidates if c.shape != "item" or c.section.index not in views]


def _beside_main(candidates: Sequence[Candidate], *, done: bool) -> list[Candidate]:
    """Where findings have refs, ratings or labelled parts, a list without any of them only speaks of findings."""
    main = [c for c in candidates if _shows_itself(c) and (c.tier == 1 or done)]
    if not main and done:
        return [c for c in candidates if c.weight > WEAK and c.region.kind not in ("plan", "recap")]
    if len(main) < MIN_MAIN:
        return list(candidates)
    lists = {_list_of(c) for c in main}
    weak = [
        c for c in candidates if c.tier == 1 and c.weight <= WEAK and _list_of(c) not in lists and not _shows_itself(c)
    ]
    # A few headings more than those may still be findings; many are another outline.
    few = sum(1 for c in weak if c.shape == "heading") * 2 < len(main)
    refused = {id(c) for c in weak if not (few and c.shape == "heading")}
    return [c for c in candidates if id(c) not in refused]


def _lists_what_is_done(outline: Outline) -> bool:
    """Several headings, or many items, bear check marks, or it is a checklist: it goes through what is done or good."""
    sections = list(outline.document.sections())
    if checkboxes.of_procedures(outline):
        return True
    if sum(1 for s in sections if outline.title(s).checked and outline.region(s).kind == "decoy") >= MIN_TICKED:
        return True
    items = [block for section in sections for block in section.blocks if block.kind == "item"]
    good = sum(1 for block in items if decoys.good_mark(block.text))
    return good >= MIN_GOOD and good * 3 >= len(items)


def _list_of(candidate: Candidate) -> tuple[str, int]:
    """The section whose headings, or whose items, the candidate is one of."""
    section = candidate.section
    if candidate.shape == "heading" and section.parent is not None:
        return "headings", section.parent.index
    return candidate.shape, section.index


def _shows_itself(candidate: Candidate) -> bool:
    if candidate.parts.ref is not None or _rated(candidate) or candidate.parts.status is not None:
        return True
    return len(meanings(candidate.fields) & TELLING) >= MIN_FIELDS


def _rated(candidate: Candidate) -> bool:
    return (candidate.parts.severity or candidate.region.severity) is not None


def _named(candidate: Candidate, known: set[str]) -> int:
    text = candidate.block.text if candidate.block is not None else " ".join(value for _, value in candidate.cells)
    return len(known.intersection(refs_in(text)))


def _by_tier(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Plans and recaps count only when no surer finding is listed; warnings among check marks only after them."""
    candidates = [c for c in candidates if not _told_again(c)]
    standing: list[Candidate] = []
    for tier in (1, 2, 3):
        if any(c.weight >= SURE for c in standing) or len(standing) >= ENOUGH:
            break
        if tier == 3 and standing:
            break
        of_tier = [c for c in candidates if c.tier == tier]
        standing.extend(_next_best(of_tier) if tier == 2 else of_tier)
    lines = {c.line_start for c in standing}
    aside = [c for c in candidates if c.line_start not in lines]
    return sorted(standing, key=lambda c: c.line_start), aside


def _next_best(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """What is wrong comes before what to do about it, unless the author rates what is to be done."""
    planned = [c for c in candidates if c.region.kind in ("plan", "recap")]
    told = [c for c in candidates if c.region.kind not in ("plan", "recap")]
    rated = [c for c in planned if c.region.severity is not None or c.parts.severity is not None]
    return (planned if len(rated) * 2 > len(planned) else told) if planned and told else candidates


def _told_again(candidate: Candidate) -> bool:
    """A bullet of a conclusion or of next steps, with neither ref nor severity, names no finding of its own."""
    if candidate.shape != "item" or candidate.parts.ref is not None or candidate.parts.severity is not None:
        return False
    kind = candidate.region.kind
    if kind == "plan" and decoys.next_steps(candidate.section):
        return True
    return kind == "recap" and not candidate.region.group or (candidate.tier == 3 and kind == "plan")


def _merge(candidates: Sequence[Candidate]) -> tuple[list[Candidate], dict[int, tuple[Candidate, ...]]]:
    """The detail heading stands for its row in an index, its bullet in a list and its repeats."""
    order = sorted(candidates, key=lambda c: (-_standing_power(c), c.line_start))
    kept: list[Candidate] = []
    merged: dict[int, list[Candidate]] = {}
    by_ref: dict[str, list[Candidate]] = {}
    comparisons = 0
    comparer = Comparer(COMPARED_LETTERS)
    titles: dict[int, str] = {candidate.line_start: normal(candidate.title) for candidate in candidates}
    for candidate in order:
        twin = _same_ref(candidate, by_ref, titles, comparer)
        if twin is None and comparisons < MAX_COMPARISONS:
            comparisons += len(kept)
            twin = _same_title(candidate, kept, titles, comparer)
        if twin is not None:
            merged.setdefault(twin.line_start, []).append(candidate)
            continue
        kept.append(candidate)
        if candidate.parts.ref is not None:
            by_ref.setdefault(_bare(candidate.parts.ref), []).append(candidate)
    chosen = sorted(kept, key=lambda c: c.line_start)
    return chosen, {line: tuple(repeats) for line, repeats in merged.items()}


def _standing_power(candidate: Candidate) -> int:
    return {"heading": 3, "paragraph": 2, "row": 1, "item": 1}[candidate.shape]


def _bare(ref: str) -> str:
    """`#4`, `Issue 4` and the 4 in an index are one ref."""
    return _COUNTED.sub("", ref)


def _same_ref(
    candidate: Candidate, by_ref: dict[str, list[Candidate]], titles: dict[int, str], comparer: Comparer
) -> Candidate | None:
    ref = candidate.parts.ref
    # Two headings of one ref happen; hundreds are no review, and each comparison costs.
    twins = by_ref.get(_bare(ref), [])[:MAX_TWINS] if ref is not None else []
    for twin in twins:
        if candidate.shape != "heading" or twin.shape != "heading":
            return twin
        if comparer.same(titles[candidate.line_start], titles[twin.line_start]):
            return twin
    return None


def _same_title(
    candidate: Candidate, kept: Iterable[Candidate], titles: dict[int, str], comparer: Comparer
) -> Candidate | None:
    title = titles[candidate.line_start]
    for other in kept:
        if candidate.parts.ref and other.parts.ref and candidate.parts.ref != other.parts.ref:
            continue
        if other.shape == candidate.shape and (candidate.tier == other.tier or candidate.shape == "heading"):
            continue
        if comparer.same(title, titles[other.line_start]):
            return other
    return None


def _left_out(left_out: Iterable[LeftOut], chosen: Sequence[Candidate]) -> tuple[LeftOut, ...]:
    taken = {c.line_start for c in chosen}
    seen: dict[int, LeftOut] = {}
    for piece in left_out:
        if piece.line_start not in taken:
            seen.setdefault(piece.line_start, piece)
    return tuple(seen[line] for line in sorted(seen))

"""The order in which the author wants things fixed, and which findings name each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from reviews.importing.beside.action_items import tracker
from reviews.importing.beside.names import kind_of
from reviews.importing.document import Block, Document, Section
from reviews.importing.model import CrossReference, FixTier, ParsedFinding
from reviews.importing.refs import refs_in
from reviews.importing.regions import Outline
from reviews.importing.titles import plain

MAX_TIERS = 60
MAX_ITEMS = 300
MAX_CROSS_REFERENCES = 5_000
MAX_ITEM = 200

_INLINE = re.compile(
    r"^(?P<label>(?:fix|do|address|resolve)\s+(?:\w+\s+){0,3}?(?:first|next|soon|later|now|immediately|"
    r"convenient|last)[^:]{0,60}):\s*(?P<rest>.+)$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|\s)(\d{1,3}(?:-\d{1,3})?)[.:]\s+")
_ORDER = re.compile(
    r"\b(?:order|sequence|priorit(?:y|ies|ized|ised)|fix list|fix first|roadmap|ranking|prioritet\w*|reihenfolge|"
    r"приоритет\w*|prioridad\w*|优先)\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:immediate(?:ly)?|short|medium|mid|long|now|today|tomorrow|next(?![.\w])|later|soon|first|second|third|last|before|after|"
    r"phase|stage|step|wave|tier|week|day|sprint|month|quarter|iteration|milestone|q[1-4]|p[0-4]|critical|high|low|must|"
    r"should|could|nice to have|optional|defer\w*|can wait|post-?\w+|pre-\w+|urgent|blocking|blockers?|quick wins|"
    r"convenient|fas|sofort|сейчас|потом)\b",
    re.IGNORECASE,
)
_FIX_LIST = re.compile(r"^\W{0,4}(?:punch list|fix (?:list|order|first)|order of fix)", re.IGNORECASE)
_LATER = re.compile(r"\b(?:can be |to be |be )?(?:deferred|postponed)\b|\bcan wait\b|\bfollow-?up\b", re.IGNORECASE)


def fix_order(outline: Outline, findings: Sequence[ParsedFinding]) -> tuple[FixTier, ...]:
    """The steps of an order of fixing. A tracker or a plain list of things to do has no order and is none."""
    known = {finding.ref for finding in findings if finding.ref}
    taken = {finding.line_start for finding in findings}
    tiers: list[FixTier] = []
    for section in outline.document.sections():
        items = [block for block in section.blocks if block.kind == "item"]
        if items and items[0].start not in taken and _is_step(section, items, outline):
            tiers.append(_tier(section, items, known))
        for block in section.blocks:
            if block.kind == "paragraph":
                tiers.extend(_inline(block, known))
        if len(tiers) > MAX_TIERS:
            break
    return tuple(tiers[:MAX_TIERS])


def _is_step(section: Section, items: Sequence[Block], outline: Outline) -> bool:
    region, title = outline.region(section), plain(section.title)
    if region.kind == "recap":
        return region.group or (not region.own and bool(_LATER.search(title)))
    if region.kind == "neutral":
        return items[0].number is not None and bool(_FIX_LIST.search(title))
    if region.kind != "plan":
        return False
    if _ORDER.search(title):
        return True
    # Boxes are ticked one by one, in whatever order: a list of nothing else is a tracker.
    if tracker(section):
        return False
    named = kind_of(section.title) == "actions"
    above = [other for other in section.ancestors() if outline.region(other).kind == "plan"]
    # `Next steps` says no more than that steps follow; `Immediate` under it says which come first.
    when = [plain(other.title) for other in above if kind_of(other.title) != "actions"]
    if not named or above:
        return any(_WHEN.search(name) for name in (title, *when)) or (not named and items[0].number is not None)
    return False


def _tier(section: Section, items: Sequence[Block], known: set[str]) -> FixTier:
    texts = [plain(item.text)[:MAX_ITEM] for item in items[:MAX_ITEMS]]
    refs = _refs(" ".join(item.text for item in items[:MAX_ITEMS]), known)
    return FixTier(plain(section.title).strip(" :"), section.line, refs, tuple(texts))


def _inline(block: Block, known: set[str]) -> list[FixTier]:
    """`Fix first (CRITICAL): 1. A-1 - ... 2. A-2 - ...` on one line."""
    tiers = []
    for offset, line in enumerate(block.text.split("\n")):
        match = _INLINE.match(plain(line[:4_000]).strip("* "))
        if match is None:
            continue
        pieces = [piece.strip() for piece in _NUMBERED.split(match["rest"])]
        texts = [piece[:MAX_ITEM] for piece in pieces if piece and not re.fullmatch(r"\d{1,3}(?:-\d{1,3})?", piece)]
        tiers.append(FixTier(match["label"].strip(), block.start + offset, _refs(match["rest"], known), tuple(texts)))
    return tiers


def _refs(text: str, known: set[str]) -> tuple[str, ...]:
    return tuple(ref for ref in refs_in(text) if ref in known)


def cross_references(findings: Sequence[ParsedFinding], document: Document) -> tuple[CrossReference, ...]:
    """Every place where the text of one finding names the ref of another."""
    by_ref = {finding.ref: finding for finding in findings if finding.ref and not finding.ref.isdigit()}
    found: list[CrossReference] = []
    for source in by_ref.values():
        seen: set[str] = set()
        for number in range(source.line_start, min(source.line_end, len(document.lines)) + 1):
            for ref in refs_in(document.lines[number - 1]):
                if ref in by_ref and ref != source.ref and ref not in seen and source.ref is not None:
                    seen.add(ref)
                    found.append(CrossReference(source.ref, ref, number))
        if len(found) >= MAX_CROSS_REFERENCES:
            break
    return tuple(found[:MAX_CROSS_REFERENCES])


def with_references(
    findings: Sequence[ParsedFinding], references: Sequence[CrossReference]
) -> tuple[ParsedFinding, ...]:
    named: dict[str, list[str]] = {}
    for reference in references:
        named.setdefault(reference.source, []).append(reference.target)
    return tuple(
        replace(finding, references=tuple(named.get(finding.ref, ()))) if finding.ref else finding
        for finding in findings
    )

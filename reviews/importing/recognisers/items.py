"""What the list recognisers share: how a bullet splits into its lead, its title and its tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reviews.importing import decoys
from reviews.importing.complaints import denies, says_fine
from reviews.importing.document import Block, Section
from reviews.importing.fields import fields_in
from reviews.importing.model import LeftOut
from reviews.importing.paths import paths_in
from reviews.importing.recognisers.candidate import Candidate, Proposal, Tier, tier_of
from reviews.importing.recognisers.nested import leaves, only_place
from reviews.importing.recognisers.openings import Opening, opening_of
from reviews.importing.regions import Outline, Region
from reviews.importing.titles import EMOJI, TitleParts, plain, read_title
from reviews.importing.vocabulary import label_meaning, leading_severity, status_of

MAX_ITEM_TEXT = 3_000
MIN_CLAUSE = 30
MAX_PARTS = 12
MAX_CLAUSE = 220
MIN_AGAIN = 3
FEW = 3
_TOPICS = frozenset({"test", "other", "evidence", "effort"})

_BOLD_LEAD = re.compile(rf"^(?:{EMOJI}|\s)*(?P<strike>~~)?(\*\*|__)(?=\S)(?P<lead>(?:(?!\2).)+?)\2(?P<close>~~)?")
_ONLY_REF = re.compile(
    r"^\[?#?[A-Z][\w#-]{0,20}\d[a-z]?\]?[:.)]?$|^\[?\d{1,4}\]?[:.)]?$|^(?:issue|bug|finding)\s*#?\d+[:.]?$",
    re.I,
)
# `Finding 7 (low), fixed on the spot`: a ref and tags, and no title.
_REF_AND_TAGS = re.compile(
    r"^(?P<ref>(?:issue|bug|finding|problem|befund|mangel|constat|hallazgo|achado|fynd|замечание|проблема)\s*#?\d+|"
    r"\[?[A-Z]{1,6}[-_]?\d{1,4}\]?|#\d{1,4})\s*[\[(](?P<tag>[^()\[\]]{1,40})[\])]\s*(?:[,;—–-]\s*(?P<more>.{0,60}))?[:.]?$",
    re.IGNORECASE,
)
_STATE_LEAD = re.compile(
    r"^(?:todo|new|warning|minor|major|missing|fragile|note|caution|attention|bug|issue|problem)$", re.I
)
_LINE_INSIDE = re.compile(
    r"\b(?:lines?|zeilen?|lignes?|líneas?|linhas?|righe|riga|rader?|regels?|строк\w*|L)\s?(\d{1,6})", re.I
)
_COLON_LEAD = re.compile(
    r"^((?:\*\*|__)[^*_:：\n]{2,40}(?:[:：](?:\*\*|__)|(?:\*\*|__)\s?[:：])|[^\W\d_][^*_:：\n`]{1,30}[:：])\s"
)
_REST_SEVERITY = re.compile(r"^\s*[:—–-]*\s*[\[(*_]{0,3}\s*(?=\w)")
_PLACE_NEXT = re.compile(r"`?[\w./\\-]{1,200}\.[A-Za-z]{1,5}(?::\d|`|\s|$)")
_CLAUSE_END = re.compile(r"\s[—–]\s|\s--?\s(?=[A-Za-z])|(?<=[^.\s]{3})[.!?](?=\s+[A-Z`(*])|\s*→\s*|;\s")


@dataclass(frozen=True, slots=True)
class Item:
    """A list item, read: `bold` when the author set its lead in bold, `tagged` when ref or severity is in it."""

    block: Block
    section: Section
    region: Region
    parts: TitleParts
    whole: str
    bold: bool
    tagged: bool
    tier: Tier
    opening: Opening = Opening("")
    place: str = ""

    @property
    def placed(self) -> tuple[tuple[str, str], ...]:
        """The file that the item stands under, with the line that it begins with."""
        if not self.place or paths_in(self.block.text, labelled=False):
            return ()
        line = self.opening.line or next(iter(_LINE_INSIDE.findall(self.block.text)), "")
        return (("file", f"{self.place}:{line}" if line and ":" not in self.place else self.place),)


def items_of(outline: Outline) -> Iterator[Item]:
    """The top-level items of every section, with labels of fields and check marks left out."""
    if "items" not in outline.kept:
        outline.kept["items"] = tuple(_items(outline))
    yield from outline.kept["items"]


def _items(outline: Outline) -> Iterator[Item]:
    again = _labels_again(outline)
    for section in outline.document.sections():
        region = outline.region(section)
        items = [block for block in section.blocks if block.kind == "item"]
        heads = any(child.kind == "item" for block in items for child in block.children)
        if not heads and (
            decoys.legend(items, leading_severity) or _are_parts([block for block in items if not block.record])
        ):
            continue
        # Where every item bears a label and one of them is such, the others are of that form as well.
        labels = {_label(block) for block in items if not block.record}
        if "" not in labels and labels & again:
            continue
        # Asked once per section, for it looks at every item of it.
        tier = _tier(region, section) if items and region.kind != "decoy" else 1
        topics = region.kind in ("neutral", "findings") and few_labels(items)
        above = only_place(section.title)
        for leaf in leaves(items, region) if region.kind != "decoy" else ():
            own = tier_of(leaf.region) if leaf.block.record else tier
            item = read_item(leaf.block, section, leaf.region, outline, own, topics)
            if item is not None and (leaf.block.record or _label(leaf.block) not in again):
                yield replace(item, place=leaf.place or above)


def _labels_again(outline: Outline) -> frozenset[str]:
    """Leads with a colon that come again under other headings: the labels of this author's form, known or not."""
    seen: dict[str, set[int]] = {}
    for section in outline.document.sections():
        for block in section.blocks:
            label = _label(block) if block.kind == "item" and not block.record else ""
            if label:
                seen.setdefault(label, set()).add(section.index)
    return frozenset(label for label, sections in seen.items() if len(sections) >= MIN_AGAIN)


def _label(block: Block) -> str:
    match = _COLON_LEAD.match(block.text)
    return match[1].strip(" *_:").lower() if match else ""


def read_item(
    block: Block, section: Section, region: Region, outline: Outline, tier: Tier = 1, topics: bool = False
) -> Item | None:
    opening = opening_of(block)
    text = opening.text[:MAX_ITEM_TEXT]
    plain_start = not opening.marked and opening.unwanted is None
    if not text.strip() or (plain_start and _is_label(text) and not (topics and _topic(text))):
        return None
    if block.checked is None and decoys.good_mark(text) and not text.lstrip().startswith("~~"):
        return None
    joined = text.replace("\n", " ")
    lead = _BOLD_LEAD.match(joined)
    if lead is None:
        parts = read_title(_first_clause(joined), outline.weak)
        tail = read_title(joined[-120:], frozenset())
        parts = _with_tail(parts, tail)
    else:
        parts = _read_bold(lead, joined, outline)
    parts = _with_said(opening.put_on(parts), block)
    if block.record and parts.dotted and parts.ref is None:
        parts = replace(parts, ref=parts.number)
    tagged = parts.ref is not None or parts.severity is not None
    whole = plain(block.text[:MAX_ITEM_TEXT].replace("\n", " "))
    return Item(block, section, region, parts, whole, lead is not None, tagged, tier, opening)


def _tier(region: Region, section: Section) -> Tier:
    above = section.parent
    if decoys.among_areas(section) or (above is not None and above.level > 1 and decoys.among_areas(above)):
        return 3
    return tier_of(region)


def _are_parts(items: list[Block]) -> bool:
    """Among bullets of which half bear labels of a finding's parts, the others bear the author's own."""
    labelled = [next(fields_in([Block("item", 1, 1, block.text.split("\n")[0])]), None) for block in items[:MAX_PARTS]]
    known = {field.meaning for field in labelled if field is not None and field.meaning is not None}
    return len(known) >= 2 and all(labelled) and len(known) * 2 >= len(labelled)


def few_labels(blocks: Sequence[Block]) -> bool:
    """Few of the items look like labelled parts: `Tests: none` is then one item of a list by topics."""
    labels = sum(1 for block in blocks if _is_label(block.text.replace("**", "")[:MAX_CLAUSE]))
    return 0 < labels * FEW <= len(blocks)


def _topic(text: str) -> bool:
    first = next(fields_in([Block("item", 1, 1, text.split("\n")[0])]), None)
    return first is not None and first.meaning in _TOPICS and len(first.value.split()) > 1


def _is_label(text: str) -> bool:
    if not paths_in(text, labelled=False) and decoys.count_row(Block("item", 1, 1, plain(text))):
        return True
    first = next(fields_in([Block("item", 1, 1, text.split("\n")[0])]), None)
    if first is None or first.meaning is None:
        return False
    # `Issue #4: ...` counts the items and labels none.
    return not (_STATE_LEAD.match(first.label) or _ONLY_REF.match(first.label))


def _read_bold(lead: re.Match[str], joined: str, outline: Outline) -> TitleParts:
    raw, rest = lead["lead"], joined[lead.end() :]
    bare = raw.strip(" :.*")
    if lead["strike"]:
        raw = f"~~{raw}~~"
    severity = leading_severity(bare)
    if _ONLY_REF.match(bare) or _STATE_LEAD.match(bare) or (severity is not None and not severity[2].strip(" :)]-")):
        return read_title(f"{bare.strip('[]')}: {_first_clause(rest.lstrip(' :—–-'))}", outline.weak)
    tags = _REF_AND_TAGS.match(bare)
    if tags is not None and re.search(r"\w{2}", rest):
        return _with_tags(
            read_title(f"{tags['ref'].strip('[]')}: {_first_clause(rest.lstrip(' :—–-'))}", outline.weak), tags
        )
    if status_of(bare) is not None and len(bare) < 16:
        parts = read_title(_first_clause(rest.lstrip(" :—–-")), outline.weak)
        return replace(parts, status=status_of(bare), status_as_written=bare)
    parts = read_title(raw, outline.weak)
    return with_rest(parts, rest)


def _with_said(parts: TitleParts, block: Block) -> TitleParts:
    """What is said of a term may begin with its rating."""
    if not block.record or not block.children or parts.severity is not None:
        return parts
    severity = leading_severity(block.children[0].text)
    if severity is None or not re.match(r"\s*(?:[*_\])]{0,3}(?:[.,;:—–-]|$|\n))", severity[2]):
        return parts
    return replace(parts, severity=severity[0], severity_as_written=severity[1])


def _with_tags(parts: TitleParts, tags: re.Match[str]) -> TitleParts:
    """The severity and the status said in brackets behind a ref, and behind those."""
    for said in (tags["tag"], tags["more"] or ""):
        severity = leading_severity(said)
        if severity is not None and parts.severity is None:
            parts = replace(parts, severity=severity[0], severity_as_written=severity[1])
        status = status_of(said)
        if status is not None and parts.status is None:
            parts = replace(parts, status=status, status_as_written=said)
    return parts


def with_rest(parts: TitleParts, rest: str) -> TitleParts:
    """Tags that stand right behind the lead: `: High - ...`, `(Medium)`, `**DONE**`."""
    gap = _REST_SEVERITY.match(rest)
    after = rest[gap.end() :] if gap else rest
    severity = leading_severity(after) if gap else None
    if (
        severity is not None
        and parts.severity is None
        and re.match(r"\s*(?:[\])*_]|[—–:,.;(]|-\s|severity|priority|risk|$)|\s+-", severity[2])
    ):
        parts = replace(parts, severity=severity[0], severity_as_written=severity[1])
    status = status_of(after) if gap else None
    if status is not None and parts.status is None and re.match(r"\s*[*_(\[✅❌]", rest):
        parts = replace(parts, status=status, status_as_written=plain(after)[:80])
    return _with_tail(parts, read_title("x " + rest[-120:], frozenset()))


def _with_tail(parts: TitleParts, tail: TitleParts) -> TitleParts:
    if parts.severity is None and tail.severity is not None:
        parts = replace(parts, severity=tail.severity, severity_as_written=tail.severity_as_written)
    if parts.status is None and tail.status is not None:
        parts = replace(parts, status=tail.status, status_as_written=tail.status_as_written)
    return parts


def _first_clause(text: str) -> str:
    for match in _CLAUSE_END.finditer(text[:MAX_ITEM_TEXT]):
        place = _PLACE_NEXT.match(text, match.end())
        if (match.start() >= MIN_CLAUSE or place) and text[: match.start()].count("`") % 2 == 0:
            # A tag in front of the dash, as in `HIGH - title`, is no clause.
            if leading_severity(text[: match.start()]) and len(text[: match.start()]) < 20:
                continue
            return text[: match.start()].rstrip(" *")
    return text[:MAX_CLAUSE] if len(text) <= MAX_CLAUSE else text[:MAX_CLAUSE].rsplit(" ", 1)[0]


def candidate(item: Item, reason: str, weight: float) -> Proposal:
    why_not = decoys.not_a_finding(item.parts, item.block.text)
    plain_good = not item.tagged and item.parts.status is None and item.block.checked is None
    if why_not is None and plain_good and decoys.ends_good(item.block.text):
        why_not = "the author calls it clean"
    why_not = why_not or item.opening.unwanted
    if why_not is None and (says_fine(item.parts.title) or (not item.tagged and denies(item.parts.title))):
        why_not = "the author calls it clean"
    if why_not is None and item.parts.title.endswith("?"):
        why_not = "a question"
    if why_not is not None:
        return LeftOut(item.block.start, item.block.end, item.parts.title[:200], why_not)
    parts = item.parts
    if item.block.checked is not None and parts.status is None:
        status = "fixed" if item.block.checked else "open"
        parts = replace(
            parts, status="fixed" if item.block.checked else "open", status_as_written=f"checkbox: {status}"
        )
    return Candidate(
        shape="item",
        parts=parts,
        region=item.region,
        section=item.section,
        line_start=item.block.start,
        line_end=item.block.end,
        reason=reason,
        weight=weight,
        tier=item.tier,
        block=item.block,
        fields=tuple(fields_in([item.block])),
        cells=item.placed,
        title=parts.title,
        alternative_title=item.whole,
    )


def unfounded(item: Item, outline: Outline) -> bool:
    """A step of a plan, in a document that calls itself no review, and with neither ref nor severity of its own."""
    told = item.bold or item.tagged or item.region.group
    return item.region.kind == "plan" and not told and not outline.of_review


def leads_to_label(section: Section) -> bool:
    """The list belongs to a label such as `Impact:` and so to the finding above it."""
    above = section.parent
    return (
        above is not None and above.level > 1 and section.level > 2 and label_meaning(plain(section.title)) is not None
    )

"""What each heading means for the text under it: a severity, a status, a category, or that nothing there counts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from reviews.importing import decoys
from reviews.importing.document import PSEUDO_HEADING_LEVEL, Document, Section
from reviews.importing.model import Severity, Status
from reviews.importing.nesting import adopt
from reviews.importing.section_words import problems_named
from reviews.importing.titles import TitleParts, read_title, weak_prefixes
from reviews.importing.vocabulary import (
    SEVERITY_WORDS,
    label_meaning,
    severity_of,
    status_of,
    word_set,
    words_of,
)

Kind = Literal["neutral", "findings", "plan", "recap", "decoy"]

MAX_GROUP_WORDS = 12
MIN_AGAIN = 3
MIN_UNDER = 2

_GROUP_NOUNS = word_set(
    """
    issue issues finding findings problem problems bug bugs concern concerns vulnerability
    vulnerabilities defect defects risks weaknesses gaps flaws blockers observations improvements
    recommendations debt limitations warnings errors bottlenecks smells nits nitpicks suggestions
    deficiencies shortcomings violations anomalies hotspots fixes items ошибки баги проблемы уязвимости
    замечания probleme schwachstellen mängel fehler brister problem fynd anmärkningar problèmes
    problemas hallazgos achados vulnerabilidades 问题 缺陷 漏洞
    """
)
_GROUP_FILLER = _GROUP_NOUNS | word_set(
    """
    priority severity risk level impact must should could fix fixed needs need needed before after merge
    merging production release launch deploy deployment prod ship shipping the a an and or of to in for
    be is are by with at on all open required recommended security code quality immediate immediately
    action address soon asap nice have later next non category section class tier show stopper stoppers
    ok post post-merge pre-merge optional consider do now first sprint remaining new known main top
    found identified detected total count high-priority low-priority style ship-blockers potential
    changes requests review comments feedback findings addressed items when possible time can wait
    deferred priorität приоритет prioritet blocks breaking lower higher highest lowest most least
    medium-priority prio must-fix should-fix nice-to-have improvement enhancement enhancements technical
    this
    """
)
_FINDING_PHRASES = re.compile(
    r"\b(?:tech(?:nical)? debt|known (?:bugs?|issues?|problems?|limitations?)|security (?:considerations?|"
    r"concerns?|issues?)|"
    r"fragile areas?|scaling limits?|dependencies at risk|missing (?:critical )?features?|coverage gaps?|"
    r"performance (?:bottlenecks?|concerns?|issues?)|areas? of concern|anti-?patterns|dead code|code smells?|"
    r"(?:required|must(?:-| )fix|needed) before|required (?:changes|fixes)|at risk|divergence|"
    r"improvements?(?: needed)?|todos?|action required|red flags?|attack surface|current debt|single "
    r"points? of failure|"
    r"incomplete|inconsistenc(?:y|ies)|deviations?|regressions?)\b",
    re.IGNORECASE,
)
# The title of a document that is nothing but a list of problems.
_INVENTORY = re.compile(
    r"\b(?:known|open|outstanding|current) (?:\w+ )?(?:bugs?|issues?|problems?|defects?|limitations?)\b|\bbug (?:list|tracker)\b|"
    r"\bbekannte (?:fehler|probleme|einschränkungen)|\b(?:problèmes|bogues|bugs) connus|\b(?:problemas|errores) conocidos|"
    r"\b(?:problemas|erros) conhecidos|\bproblemi noti|\bbekende problemen|\bkända (?:fel|problem)|\bznane (?:błędy|problemy)|"
    r"известные (?:проблемы|ошибки|баги)|відомі (?:проблеми|помилки)|已知(?:问题|缺陷)|既知の(?:問題|不具合)|알려진 문제",
    re.IGNORECASE,
)
_NOT_A_GROUP = re.compile(r"[`=]|\(\)|\bwithout\b|\bnot\b|\bno\b|\bcan\b|\bdoes\b", re.IGNORECASE)
_STATUS_GROUP = re.compile(
    r"^(?:(?:all|the|previously|already|newly|recently|issues?|findings?|bugs?|not|un|high|medium|low|"
    r"critical|optional|new|still|items?|"
    r"problems?|prior|partially|false|positives?|candidates?|claims?|and|or|&|/|won'?t|fix|during|review|"
    r"verified|"
    r"fixed|resolved|rejected|refuted|retracted|dismissed|deferred|remaining|open|unresolved|outstanding|"
    r"applied|skipped|"
    r"acknowledged|accepted|closed|completed|done|addressed|pending|todo|unfixed|backlog|in|progress|this|"
    r"pr|session|round|"
    r"filed|for|later|invalid|superseded|risks?|исправлено|åtgärdade|improvements?|from|previous|reviews?|"
    r"non-issues)\s*)+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Region:
    """What stands above a place: the nearest severity, status and category, and whether findings are listed there."""

    kind: Kind = "neutral"
    severity: Severity | None = None
    severity_as_written: str | None = None
    status: Status | None = None
    status_reason: str | None = None
    category: str | None = None
    decoy: str | None = None
    group: bool = False
    own: bool = False
    above: Kind = "neutral"


@dataclass(frozen=True, slots=True)
class Outline:
    """A document with the title parts and the region of every section, by section index."""

    document: Document
    parts: dict[int, TitleParts]
    regions: dict[int, Region]
    weak: frozenset[str]
    again: frozenset[str] = frozenset()
    inventory: bool = False

    def comes_again(self, section: Section) -> bool:
        """The same heading stands over several sections: it names a part of each, not a problem."""
        return self.title(section).title.lower() in self.again

    def region(self, section: Section) -> Region:
        return self.regions[section.index]

    def title(self, section: Section) -> TitleParts:
        return self.parts[section.index]

    def around(self, section: Section) -> Region:
        """The region in which a heading itself stands."""
        return self.regions[section.parent.index] if section.parent is not None else Region()


def outline_of(document: Document) -> Outline:
    sections = list(document.sections())
    leads = [section.title for section in sections]
    for section in sections:
        leads.extend(block.text.split("\n")[0] for block in section.blocks if block.kind == "item")
    weak = weak_prefixes(leads)
    parts = {section.index: read_title(section.title, weak) for section in sections}
    adopt(sections, parts)
    regions: dict[int, Region] = {}
    counts = Counter(found.title.lower() for found in parts.values() if found.ref is None and found.title)
    again = frozenset(title for title, count in counts.items() if count >= MIN_AGAIN)
    first = next((section.title for section in sections if section.parent is not None), "")
    outline = Outline(document, parts, regions, weak, again, bool(_INVENTORY.search(first)))
    only_title = sum(1 for section in sections if section.level == 1) == 1
    for section in sections:
        regions[section.index] = _region(section, outline, only_title)
    return outline


def _region(section: Section, outline: Outline, only_title: bool) -> Region:
    if section.parent is None:
        return Region()
    above = replace(outline.region(section.parent), group=False, own=False)
    above = replace(above, above=above.kind)
    parts = outline.title(section)
    if section.level == 1 and only_title:
        guide = decoys.guide_title(section.title) and not re.search(
            r"finding|report|bugs\b|issues", section.title, re.I
        )
        return replace(above, kind="decoy", decoy="the document is guidance, not a review") if guide else above
    if parts.ref is not None or above.kind == "decoy":
        return above
    group = _group(section, parts, above)
    if group is not None:
        return group
    return _plain_region(section, parts, above, outline.region(section.parent).group)


def _group(section: Section, parts: TitleParts, above: Region) -> Region | None:
    """The region under a heading that is nothing but a severity or a status, or None."""
    if section.level >= PSEUDO_HEADING_LEVEL and label_meaning(section.title) is not None:
        return None
    severity, written = group_severity(section.title, parts)
    if severity is None and parts.severity is not None and _only_over_others(section, parts):
        severity, written = parts.severity, parts.severity_as_written
    status = group_status(section.title)
    praised = parts.checked and not section_has_refs(section)
    if praised and (status == "fixed" or severity is not None):
        return replace(above, kind="decoy", decoy="a list of what is done", own=True)
    if severity is None and status is None:
        return None
    kind: Kind = above.kind if above.kind in ("plan", "recap") else "findings"
    region = replace(above, kind=kind, group=True, own=True)
    if severity is not None:
        region = replace(region, severity=severity, severity_as_written=written)
    elif status is not None and above.severity is not None and above.group is False:
        region = replace(region, severity=None, severity_as_written=None)
    if status is not None:
        region = replace(region, status=status, status_reason=f'under the heading "{_category(section)}"')
    return region


def _only_over_others(section: Section, parts: TitleParts) -> bool:
    """Nothing but further headings, none of which names a part of a finding, stands under it."""
    real = [child for child in section.children if child.level < PSEUDO_HEADING_LEVEL]
    if section.blocks or parts.number is not None and len(real) < MIN_UNDER or len(real) < MIN_UNDER:
        return False
    return not any(label_meaning(child.title) or decoys.part_heading(child.title) for child in real[:MAX_GROUP_WORDS])


def section_has_refs(section: Section) -> bool:
    return any(read_title(child.title).ref is not None for child in section.children[:50])


def _plain_region(section: Section, parts: TitleParts, above: Region, in_group: bool) -> Region:
    decoy = decoys.decoy_heading(section.title)
    if decoy is None and parts.checked and not in_group and section.level < PSEUDO_HEADING_LEVEL:
        decoy = "praise or a list of what is done"
    if decoy is not None:
        return replace(above, kind="decoy", decoy=decoy, own=True)
    above = replace(above, category=_category(section))
    suffix = _suffix_status(parts)
    if suffix is not None:
        above = replace(above, status=suffix, status_reason=f'under the heading "{_category(section)}"')
    if decoys.recap_heading(section.title):
        return replace(above, kind="recap", own=True)
    if above.kind in ("plan", "recap"):
        return above
    if decoys.plan_heading(section.title):
        return replace(above, kind="plan", own=True)
    if finding_group(section.title):
        return replace(above, kind="findings", own=True, group=parts.severity is not None)
    return above


def _suffix_status(parts: TitleParts) -> Status | None:
    return parts.status if parts.number is None or not parts.dotted else None


def _category(section: Section) -> str:
    return decoys.heading_words(section.title)


def group_severity(title: str, parts: TitleParts) -> tuple[Severity | None, str | None]:
    """The severity of a heading that names nothing but a severity, such as `Critical Issues (Must Fix)`."""
    text = decoys.heading_words(title)
    if _NOT_A_GROUP.search(text):
        return None, None
    words = words_of(text)
    if not words or len(words) > MAX_GROUP_WORDS:
        return None, None
    named = [word for word in words if word in SEVERITY_WORDS]
    if not named and re.match(r"^(?:must|should)[ -]fix|^nice[ -]to[ -]have", text, re.IGNORECASE):
        return severity_of(text), text
    rest = [word for word in words if word not in SEVERITY_WORDS and not word.isdigit() and word not in _GROUP_FILLER]
    rest = [word for word in rest if not problems_named(word)]
    if named and not rest:
        best = min((SEVERITY_WORDS[word] for word in named[:1]), default=None)
        return best, named[0]
    if re.match(r"^notes? (?:&|and) additional information$", text, re.IGNORECASE):
        return "info", text
    if re.match(r"^lower[ -]priority$", text, re.IGNORECASE):
        return "low", text
    # `UI Observations (Nits)`: the tag is the severity, the nouns say that a list follows.
    if parts.severity is not None and parts.number is None and words[-1] in _GROUP_NOUNS:
        return parts.severity, parts.severity_as_written
    return None, None


def group_status(title: str) -> Status | None:
    """The status of a heading that names nothing but a status, such as `Fixed Issues` or `Not applied`."""
    text = decoys.heading_words(title)
    if not _STATUS_GROUP.match(text):
        return None
    words = [w for w in re.split(r"\s+", text) if w]
    for at in range(len(words)):
        status = status_of(" ".join(words[at:]))
        if status is not None:
            return status
    return None


def finding_group(title: str) -> bool:
    """A short heading that says that problems follow."""
    text = decoys.heading_words(title)
    words = words_of(text)
    if not words or len(words) > MAX_GROUP_WORDS:
        return False
    return any(word in _GROUP_NOUNS for word in words) or bool(_FINDING_PHRASES.search(text)) or problems_named(text)

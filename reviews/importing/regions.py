"""What each heading means for the text under it: a severity, a status, a category, or that nothing there counts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from reviews.importing import decoys
from reviews.importing.blocks import LEAD_LEVEL
from reviews.importing.complaints import of_bugs, of_review
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
from reviews.importing.wholes import whole_of

Kind = Literal["neutral", "findings", "plan", "recap", "decoy"]
Said = tuple[Severity | None, str | None, Status | None]

MAX_GROUP_WORDS = 8
MAX_ABROAD = 3
OPENING = 12
MAX_TITLE_LINE = 100
MIN_AGAIN = 3
MIN_UNDER = 2
MAX_BESIDE = 60
MIN_OWN = 4
MAX_SAID = 2
KEPT = 4_096

_GROUP_NOUNS = word_set(
    """
    issue issues finding findings problem problems bug bugs concern concerns vulnerability
    vulnerabilities defect defects risks weaknesses gaps flaws blockers observations improvements
    recommendations debt limitations warnings errors bottlenecks smells nits nitpicks suggestions
    deficiencies remarks shortcomings violations anomalies hotspots fixes items ошибки баги проблемы уязвимости
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
_RATING_NOUNS = word_set("severity priority risk impact level class tier")
# `Bug Rate`, `Issue Workflow`: the noun only says of what kind the next one is, unless that means a list.
_SINGULAR = word_set("issue finding problem bug concern vulnerability defect")
_LISTING = word_set(
    "list lists details detail report reports summary overview breakdown analysis log tracker inventory register "
    "catalog catalogue index table descriptions titles # no number from under with"
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
    r"\b(?:known|open|outstanding|current) (?:\w+ )?(?:bugs?|issues?|problems?|defects?|"
    r"limitations?)\b|\bbug (?:list|tracker)\b|"
    r"\bbekannte (?:fehler|probleme|einschränkungen)|\b(?:problèmes|bogues|bugs) connus|"
    r"\b(?:problemas|errores) conocidos|"
    r"\b(?:problemas|erros) conhecidos|\bproblemi noti|\bbekende problemen|\bkända (?:fel|"
    r"problem)|\bznane (?:błędy|problemy)|"
    r"известные (?:проблемы|ошибки|баги)|відомі (?:проблеми|помилки)|已知(?:问题|缺陷)|"
    r"既知の(?:問題|不具合)|알려진 문제",
    re.IGNORECASE,
)
_FOUND = re.compile(
    r"^(?:(?:what )?(?:i|we) )?(?:have )?(?:found|noticed|spotted)(?: so far| here)?$|"
    r"^(?:gefunden|aufgefallen|trouvé|encontrado|"
    r"hallado|trovato|gevonden|hittat|znaleziono|найдено|обнаружено|знайдено)$",
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
    of_review: bool = False
    # What several recognisers need of the document and one of them has read.
    kept: dict[str, Any] = field(default_factory=dict)

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
    outline = Outline(
        document, parts, regions, weak, again, bool(_INVENTORY.search(first)), _calls_itself_review(document)
    )
    only_title = sum(1 for section in sections if section.level == 1) == 1
    titled = next((section.title for section in sections if section.level == 1), "")
    whole = whole_of(document, titled, counts=_counts_its_own(outline))
    for section in sections:
        regions[section.index] = _region(section, outline, only_title, whole)
    return outline


def _counts_its_own(outline: Outline) -> bool:
    """Several headings or items bear refs: whatever the title says, the author lists things under their own names."""
    refs = {found.ref for found in outline.parts.values() if found.ref}
    for section in outline.document.sections():
        first = [block.text.split("\n")[0] for block in section.blocks if block.kind == "item"]
        refs.update(ref for line in first if (ref := read_title(line, outline.weak).ref))
        if len(refs) >= MIN_OWN:
            return True
    return len(refs) >= MIN_OWN


def _calls_itself_review(document: Document) -> bool:
    """The document calls itself a review, an audit, a list of bugs, in its first words."""
    told = [line for line in document.lines[document.front.end :][:OPENING] if re.search(r"\w{3}", line)]
    return any(len(line) < MAX_TITLE_LINE and of_bugs(line) for line in told[:2]) or of_review(
        " ".join(line.strip() for line in document.lines[:OPENING])
    )


def _region(section: Section, outline: Outline, only_title: bool, whole: str | None) -> Region:
    if section.parent is None:
        return Region(kind="decoy", decoy=whole) if whole is not None else Region()
    above = replace(outline.region(section.parent), group=False, own=False)
    above = replace(above, above=above.kind)
    parts = outline.title(section)
    if section.level == 1 and only_title:
        return above
    if parts.ref is not None or above.kind == "decoy":
        return above
    group = _group(section, parts, above, outline.of_review)
    if group is not None:
        return group
    return _plain_region(section, parts, above, outline.region(section.parent).group)


def _group(section: Section, parts: TitleParts, above: Region, review: bool) -> Region | None:
    """The region under a heading that is nothing but a severity or a status, or None."""
    if section.level >= PSEUDO_HEADING_LEVEL and label_meaning(section.title) is not None:
        return None
    severity, written = group_severity(section.title, parts)
    if severity is None and parts.severity is not None and _only_over_others(section, parts):
        severity, written = parts.severity, parts.severity_as_written
    status = group_status(section.title)
    if severity is None:
        severity, written, status = _as_those_beside(section, status)
    praised = parts.checked and not section_has_refs(section)
    if praised and (status == "fixed" or severity is not None):
        return replace(above, kind="decoy", decoy="a list of what is done", own=True)
    if severity is None and (status is None or (section.level == LEAD_LEVEL and not review)):
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


def _as_those_beside(section: Section, status: Status | None) -> Said:
    """A heading with one severity word is a group where those beside it are, and it stands over a list, or where one of
    them differs in nothing but that word: `Outstanding P1 - deferred, needs a decision`, `Low severity points`.
    """
    named = {word for word in words_of(section.title) if word in SEVERITY_WORDS}
    beside = section.parent.children[:MAX_BESIDE] if section.parent is not None else []
    planned = decoys.plan_heading(section.title) or (section.parent and decoys.plan_heading(section.parent.title))
    if len(named) != 1 or planned or read_title(section.title).ref is not None:
        return None, None, status
    first = section.blocks[0].kind if section.blocks else None
    pure = sum(1 for other in beside if _only_rates(other.title))
    said = _said_of_severity(section.title)
    alike = sum(1 for other in beside if other is not section and _said_of_severity(other.title) == said)
    if not (alike and said and len(said) <= MAX_SAID) and not (pure >= MIN_UNDER and first in (None, "item", "table")):
        return None, None, status
    clauses = re.split(r"\s[—–-]\s|[,:;]\s", _without_severity(decoys.heading_words(section.title)))
    told = [found for clause in clauses if (found := status_of(clause)) is not None]
    told.sort(key=lambda found: found == "open")
    word = next(iter(named))
    return SEVERITY_WORDS[word], word, status or next(iter(told), None)


@lru_cache(maxsize=KEPT)
def _only_rates(title: str) -> bool:
    return group_severity(title, read_title(title))[0] is not None


@lru_cache(maxsize=KEPT)
def _said_of_severity(title: str) -> tuple[str, ...]:
    """What a heading with a severity word says beside it; nothing where it names none."""
    words = words_of(decoys.heading_words(title))
    rest = tuple(word for word in words if word not in SEVERITY_WORDS and word not in _RATING_NOUNS)
    return rest if len(rest) < len(words) else ()


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
    praised = parts.checked and not in_group and section.level < PSEUDO_HEADING_LEVEL
    if decoy is None and praised and not (finding_group(section.title) and _says_how_each_stands(section)):
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


def _says_how_each_stands(section: Section) -> bool:
    """Most of the headings under it bear a status of their own: what was found, not what is praised."""
    first = [line for child in section.children[:MAX_GROUP_WORDS] for line in _first_line(child)]
    return len(first) >= MIN_UNDER and sum(1 for line in first if label_meaning(line) == "status") * 2 > len(first)


def _first_line(section: Section) -> list[str]:
    return [re.split(r"[:：]", section.blocks[0].text, maxsplit=1)[0].strip("*_ ")] if section.blocks else []


def _suffix_status(parts: TitleParts) -> Status | None:
    return parts.status if parts.number is None or not parts.dotted else None


def _without_severity(text: str) -> str:
    """`P1 fixed` says `fixed` of what it rates."""
    words = text.split()
    told = [word for word in words if word.strip("()[]:,").lower() not in SEVERITY_WORDS]
    return " ".join(told or words)


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
    words = [part for word in words for part in _parted(word)]
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


def _parted(word: str) -> list[str]:
    """`high-severity` is two words; `must-fix` is one."""
    first, *rest = word.split("-")
    return [first, *rest] if first in SEVERITY_WORDS and word not in SEVERITY_WORDS else [word]


def group_status(title: str) -> Status | None:
    """The status of a heading that names nothing but a status, such as `Fixed Issues` or `Not applied`."""
    text = _without_severity(decoys.heading_words(title))
    if not _STATUS_GROUP.match(text):
        return _status_abroad(text)
    words = [w for w in re.split(r"\s+", text) if w]
    for at in range(len(words)):
        status = status_of(" ".join(words[at:]))
        if status is not None:
            return status
    return None


def _status_abroad(text: str) -> Status | None:
    """`Открытые`, `Behobene Fehler`: a status alone, or with a word for problems, in another language."""
    words = words_of(text)
    told = [status for word in words if (status := status_of(word)) is not None]
    rest = [word for word in words if status_of(word) is None]
    if not told or len(words) > MAX_ABROAD or not (rest or not text.isascii()):
        return None
    return (status_of(text) or told[0]) if all(problems_named(word) for word in rest) else None


def _modifies(words: list[str], at: int) -> bool:
    following = words[at + 1] if at + 1 < len(words) else ""
    known = following in _GROUP_FILLER or following in _LISTING or not following.isalpha()
    return words[at] in _SINGULAR and not known


def finding_group(title: str) -> bool:
    """A short heading that says that problems follow."""
    text = decoys.heading_words(title)
    words = words_of(text)
    if not words or len(words) > MAX_GROUP_WORDS:
        return False
    return (
        bool(_FOUND.match(text))
        or any(word in _GROUP_NOUNS and not _modifies(words, at) for at, word in enumerate(words))
        or bool(_FINDING_PHRASES.search(text))
        or problems_named(text)
    )

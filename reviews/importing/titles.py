"""What a heading, a bullet's bold lead or a table cell says: number or ref, title, severity, status, or `clean`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from reviews.importing.model import Severity, Status
from reviews.importing.vocabulary import (
    LABEL_MEANING,
    SEVERITY_ALTERNATION,
    STATUS_ALTERNATION,
    leading_severity,
    severity_of,
    status_of,
)

MAX_TITLE = 600
MAX_WEAK_TITLES = 5_000

EMOJI = r"[\U0001f000-\U0001faff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u2190-\u21ff]"
_LEADING_EMOJI = re.compile(rf"^(?:{EMOJI}|\s)+")
_TRAILING_EMOJI = re.compile(rf"(?:{EMOJI}|\s)+$")
_CHECK = re.compile("[✅☑✔✓]")
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\([^)\n]{0,1000}\)")
_TAG = re.compile(r"<(?!-)/?[a-zA-Z][^<>]{0,300}>")
_STRUCK = re.compile(r"^~~(.{3,}?)~~")
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*|__)(?=\S)((?:(?!\1).)+?)\1")
_MARKUP = re.compile(r"[*_<&\[`]")
_CODE_SPAN = re.compile(r"(`[^`]+`)")
_HELD = re.compile("\ue000(\\d+)\ue001")
_ITALIC = re.compile(r"^([*_])(?=[^\s*_])([^*_]+)\1$")

_CODE_REF = re.compile(
    r"^(?P<open>[\[(])?#?(?P<ref>[A-ZА-ЯЁІЇЄ][A-Za-zА-ЯЁІЇЄ]{0,9}(?:[-_][A-ZА-ЯЁІЇЄ0-9]{1,12}){0,3}[-_#]{0,2}\d{1,5}(?:\.\d{1,3})?[a-z]?)(?P<close>[\])])?"
    r"(?P<delim>\s*(?:[:.)|]|[—–-]{1,2}(?=\s))\s*|\s*(?=[(\[])|\s+|(?<=[\])])(?=\w))"
)
_WORD_REF = re.compile(
    r"^(?P<word>issue|bug|finding|problem|vulnerability|defect|concern|risk|observation|weakness|gap|"
    r"blocker|smell|item|баг|"
    r"проблема|замечание|ошибка|уязвимость|недостаток|зауваження|помилка|problema|problème|constat|anomalie|hallazgo|"
    r"achado|falha|rilievo|bevinding|probleem|befund|mangel|feststellung|fehler|brist|anmärkning|fynd|usterka|uwaga|"
    r"błąd)(?:\s*(?P<hash>#)|\s)\s*(?P<n>\d{1,4}|"
    r"(?-i:[A-Z])(?:-?\d{1,3})?)\s*(?:[:.)—–-]+|(?=\())\s*",
    re.IGNORECASE,
)
# Written without a space between word and number.
_HAN_REF = re.compile(
    r"^(?P<ref>(?:指摘事項|指摘|問題点|問題|課題|问题|缺陷|漏洞|不具合|발견|문제|이슈|지적|결함)\s?#?\d{1,4})\s*[:：.。、)）—–-]*\s*"
)
# The severity and a letter in place of a number: `HIGH-A`, `M-B`.
_LETTER_REF = re.compile(
    r"^\[?(?P<ref>(?:CRITICAL|CRIT|HIGH|MEDIUM|MED|LOW|INFO|[CHMLI])-[A-Z])\]?(?:\s*[:.)]|\s+[—–-])\s*"
)
_HASH_REF = re.compile(r"^#(\d{1,5})\b\s*[:.)—–-]*\s*")
_DOTTED = re.compile(r"^§?(\d{1,3}(?:\.\d{1,3}){1,3})[.):]?\s+(?:[—–-]\s+)?")
_PLAIN = re.compile(r"^(?:\[(\d{1,4})\]\s*[:.—–-]*\s*|(\d{1,3})[.)]\s+|(\d{1,3})\s*[:—–]\s+|(\d{1,3})\s-\s+)")
_PRIORITY_REF = re.compile(r"^P[0-4]$")
_NOT_REFS = re.compile(
    r"^(?:UTF|SHA|MD|HTTP|HTML|CSS|ES|IPv|OAuth|EC|CVE|CWE|ISO|RFC|TLS|WCAG|Web|Java|Python|"
    r"Phase|Step|Sprint|Week|"
    r"Day|Part|Section|Option|Table|Figure|Appendix|Version|Q|Stage|Round|Tier|Level|Wave|Milestone|Base|"
    r"AES|RSA|Log|EIP|ERC|BIP|PEP|KB)[-_]?\d",
)

# `Priority: high` in any of the languages in which a field may be so labelled.
_RATING_LABELS = "|".join(
    sorted((re.escape(word) for word, part in LABEL_MEANING.items() if part in ("severity", "priority")), reverse=True)
)
_SEVERITY_PHRASE = (
    rf"(?:(?:{_RATING_LABELS}|risk|level)\s*[:：=]?\s*)?(?:{SEVERITY_ALTERNATION})"
    rf"(?:\s*(?:[-/–]|to)\s*(?:{SEVERITY_ALTERNATION}))?(?:\s+(?:severity|priority|risk|issue|impact))?"
)
_CLEAN_PHRASE = (
    r"none found|none|not detected|not found|not applicable|n/?a|no issues?(?: found| here)?|good|very "
    r"good|excellent|"
    r"by design|pass(?:ed)?|ok|okay|safe|clean|compliant|verified|secure|strong|no action(?: needed| "
    r"required)?|not vulnerable|"
    r"no change needed|working|no problems?|correct|intended|expected|solid|well done|perfect"
)
_AFTER = (
    r"(?:\s*[,;:—–-]?\s*\([^()]{0,120}\)|\s+[—–-]\s[^()]{0,80}"
    r"|\s+(?:in|on|by|as of|via|since)\s[^()]{0,60}|\s+\d{4}-\d\d-\d\d)?"
)
_SUFFIX = re.compile(
    rf"^(?P<head>.+?)\s*(?:[—–|:]+|\s-{{1,2}})\s*[*_`\[(]*(?:{EMOJI}|\s)*"
    rf"(?P<tag>{_SEVERITY_PHRASE}|{STATUS_ALTERNATION}|"
    rf"{_CLEAN_PHRASE})[*_`\])]*(?P<after>{_AFTER})[*_`\])]*\s*$",
    re.IGNORECASE,
)
_BRACKET_SUFFIX = re.compile(
    rf"^(?P<head>.+?)\s*[(\[（]\s*(?:{EMOJI}|\s)*(?P<tag>{_SEVERITY_PHRASE}|{STATUS_ALTERNATION}|"
    rf"{_CLEAN_PHRASE})"
    r"(?P<after>(?:\s*[,;:/—–，；：][^()\[\]]{0,80}|\s[^()\[\]]{0,60})?)[)\]）]\s*$",
    re.IGNORECASE,
)
_MARK_STATUS = re.compile(
    rf"^(?P<head>.+?)\s*[✅☑✔✓❌✗⚠🔴🟡🟢⏸⏳🔄🚧]\ufe0f?\s*(?P<tag>{STATUS_ALTERNATION})(?P<after>{_AFTER})\s*$",
    re.IGNORECASE,
)
# `Title ⚠️ HIGH PRIORITY`: the mark sets the tag apart.
_MARK_SEVERITY = re.compile(
    rf"^(?P<head>\W*\w.*?)\s*{EMOJI}+\s*(?P<tag>{_SEVERITY_PHRASE})(?P<after>)\s*$", re.IGNORECASE
)
_PREFIX = re.compile(
    rf"^(?:[\[(【（]\s*(?P<boxed>{_SEVERITY_PHRASE})\s*[\])】）]\s*[:：—–-]*|(?P<bare>{_SEVERITY_PHRASE})\s*(?:[:：—–|"
    rf"]+|-\s))\s*(?=\S)",
    re.IGNORECASE,
)
_STATUS_PREFIX = re.compile(
    rf"^(?:[\[(【（]\s*(?P<boxed>{STATUS_ALTERNATION})\s*[\])】）]\s*[:：—–-]*|"
    rf"(?P<bare>{STATUS_ALTERNATION})\s*(?:[:：—–|]+|-\s))\s*(?=\S)",
    re.IGNORECASE,
)
_STATUS_WITH_TITLE = re.compile(rf"^(?P<tag>{STATUS_ALTERNATION})\s*\((?P<title>.+)\)[.:]?$", re.IGNORECASE)
# `(high effort)` rates something else than the finding.
_OTHER_MEASURE = re.compile(
    r"\s+(?:effort|complexity|cost|confidence|likelihood|probability|value|quality|load)\b", re.I
)
_FULL_CLEAN = re.compile(rf"^(?:{_CLEAN_PHRASE})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TitleParts:
    """`ref` is the author's identifier; `number` a plain or dotted list number, which may or may not be one."""

    title: str
    ref: str | None = None
    number: str | None = None
    severity: Severity | None = None
    severity_as_written: str | None = None
    status: Status | None = None
    status_as_written: str | None = None
    clean: bool = False
    checked: bool = False
    struck: bool = False

    @property
    def dotted(self) -> bool:
        return self.number is not None and "." in self.number


def plain(text: str) -> str:
    """`text` without links, HTML tags, emphasis and surrounding space; code marks are kept."""
    text = (
        text[:MAX_TITLE]
        .replace("\n", " ")
        .replace("\ue000", "")
        .replace("\ue001", "")
        .replace("\\[", "[")
        .replace("\\]", "]")
        .replace("\\_", "_")
    )
    if not _MARKUP.search(text):
        return " ".join(text.split())
    text = _LINK.sub(r"\1", text)
    pieces = _CODE_SPAN.split(text)
    if len(pieces) > 1:
        # Emphasis may reach around code, but what stands in code is left as it is.
        spans = pieces[1::2]
        text = "".join(piece if at % 2 == 0 else f"\ue000{at // 2}\ue001" for at, piece in enumerate(pieces))
        return _HELD.sub(lambda match: spans[int(match[1])], _without_emphasis(text))
    return _without_emphasis(text)


def _without_emphasis(text: str) -> str:
    text = _TAG.sub(" ", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
    text = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))
    italic = _ITALIC.match(text.strip())
    return re.sub(r"\s+", " ", italic[2] if italic else text).strip()


def read_title(raw: str, weak_prefixes: frozenset[str] = frozenset()) -> TitleParts:
    """Take a title apart. `weak_prefixes` are ref prefixes that may stand before a title with a space alone."""
    parts = TitleParts(title="", checked=bool(_CHECK.search(raw[:4]) or _CHECK.search(raw[:MAX_TITLE].rstrip()[-3:])))
    text = plain(raw)
    struck = _STRUCK.match(text)
    if struck:
        parts, text = replace(parts, struck=True), struck[1]
    text = text.replace("~~", "")
    for _ in range(3):
        before = text
        text = _LEADING_EMOJI.sub("", text)
        parts, text = _take_ref(parts, text, weak_prefixes)
        parts, text = _take_prefix(parts, text)
        if text == before:
            break
    parts, text = _take_suffixes(parts, text)
    return replace(parts, title=_tidy(text))


def _take_ref(parts: TitleParts, text: str, weak: frozenset[str]) -> tuple[TitleParts, str]:
    if parts.ref is not None:
        return parts, text
    match = _WORD_REF.match(text)
    if match:
        ref = f"#{match['n']}" if match["hash"] else f"{match['word']} {match['n']}"
        return replace(parts, ref=ref), text[match.end() :]
    match = _HAN_REF.match(text)
    if match and match.end() < len(text):
        return replace(parts, ref=match["ref"]), text[match.end() :]
    match = _LETTER_REF.match(text)
    if match:
        return replace(parts, ref=match["ref"]), text[match.end() :]
    match = _CODE_REF.match(text)
    if match and _is_ref(match, weak):
        return replace(parts, ref=match["ref"]), text[match.end() :]
    match = _HASH_REF.match(text)
    if match and len(text) > match.end():
        return replace(parts, ref=f"#{match[1]}"), text[match.end() :]
    if parts.number is None:
        match = _DOTTED.match(text) or _PLAIN.match(text)
        if match:
            number = next(group for group in match.groups() if group)
            return replace(parts, number=number), text[match.end() :]
    return parts, text


def _is_ref(match: re.Match[str], weak: frozenset[str]) -> bool:
    ref = match["ref"]
    if _PRIORITY_REF.match(ref) or _NOT_REFS.match(ref) or bool(match["open"]) != bool(match["close"]):
        return False
    if ref[1:2].islower() and not re.search(r"[-_#]\d", ref):
        return False
    before_tag = match.end() < len(match.string) and match.string[match.end()] in "(["
    return bool(match["open"]) or bool(match["delim"].strip()) or before_tag or ref_prefix(ref) in weak


def ref_prefix(ref: str) -> str:
    return re.sub(r"[-_#]*\d+(?:\.\d+)?[a-z]?$|-[A-Z]$", "", ref)


def number_of(ref: str) -> str | None:
    """The number of a ref that is a word and a number, such as `Issue 3` or `#3`; an index may give it alone."""
    match = re.fullmatch(r"(?:#|\w+ #?)(\d{1,4})", ref)
    return match[1] if match else None


def weak_prefixes(titles: Iterable[str]) -> frozenset[str]:
    """Prefixes such as the B of `B-1 Title`: a space is enough after them when two titles number so."""
    refs: set[str] = set()
    for count, title in enumerate(titles):
        if count > MAX_WEAK_TITLES:
            break
        match = _CODE_REF.match(_LEADING_EMOJI.sub("", plain(title[:200])))
        if match and not _NOT_REFS.match(match["ref"]) and not _PRIORITY_REF.match(match["ref"]):
            refs.add(match["ref"])
    counts = Counter(ref_prefix(ref) for ref in refs)
    return frozenset(prefix for prefix, n in counts.items() if n >= 2 and prefix.upper() == prefix)


def _take_prefix(parts: TitleParts, text: str) -> tuple[TitleParts, str]:
    match = _PREFIX.match(text)
    if match and parts.severity is None:
        written = match["boxed"] or match["bare"]
        return replace(parts, severity=severity_of(written), severity_as_written=written), text[match.end() :]
    wrapped = _STATUS_WITH_TITLE.match(text)
    if wrapped and parts.status is None:
        return replace(parts, status=status_of(wrapped["tag"]), status_as_written=wrapped["tag"]), wrapped["title"]
    match = _STATUS_PREFIX.match(text)
    if match and parts.status is None:
        written = match["boxed"] or match["bare"]
        return replace(parts, status=status_of(written), status_as_written=written), text[match.end() :]
    return parts, text


def _take_suffixes(parts: TitleParts, text: str) -> tuple[TitleParts, str]:
    for _ in range(4):
        mark = _TRAILING_EMOJI.search(text)
        if mark and mark.start() > 0:
            text = text[: mark.start()]
        text = text.rstrip()
        stripped = text.rstrip(":")
        match = _MARK_STATUS.match(stripped) or _MARK_SEVERITY.match(stripped) or _SUFFIX.match(stripped)
        if match is None or match["head"].count("(") > match["head"].count(")"):
            match = _BRACKET_SUFFIX.match(stripped) or match
        if match is None or not match["head"].strip(" -—–*`"):
            break
        parts = _with_tag(parts, match["tag"], match["after"])
        text = match["head"]
    return parts, text


def _with_tag(parts: TitleParts, tag: str, after: str) -> TitleParts:
    if re.search(r"by design|no change needed", after, re.IGNORECASE):
        parts = replace(parts, clean=parts.clean or severity_of(tag) is None)
    if _FULL_CLEAN.match(tag) and leading_severity(tag) is None and status_of(tag) is None:
        return replace(parts, clean=True)
    status = status_of(tag)
    if status is not None:
        return parts if parts.status else replace(parts, status=status, status_as_written=tag + after)
    severity = severity_of(tag)
    if severity is None or parts.severity is not None or _OTHER_MEASURE.match(after):
        return parts
    return replace(parts, severity=severity, severity_as_written=tag)


def _tidy(text: str) -> str:
    text = _TRAILING_EMOJI.sub("", _LEADING_EMOJI.sub("", text.strip())).strip()
    text = re.sub(r"^[:—–-]+\s*", "", text)
    return text.strip("*").rstrip(":").strip()

"""From a candidate to a finding: severity, status, files, category and the author's words, each by precedence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reviews.importing.document import Block
from reviews.importing.fields import Field, fields_in, value_of
from reviews.importing.model import ParsedFinding, Severity, Status
from reviews.importing.paths import code_links, paths_in
from reviews.importing.recognisers import Candidate
from reviews.importing.recognisers.columns import meanings_of
from reviews.importing.recognisers.status_tables import Standing
from reviews.importing.regions import Outline
from reviews.importing.titles import plain, ref_prefix
from reviews.importing.vocabulary import colour_of, leading_severity, severity_of, status_of, without_marks

MAX_BODY_LINES = 600
MAX_FIELD_VALUE = 4_000
MAX_WRITTEN = 80
MAX_REASON = 600
SHORT_ANSWER = 60

_ANSWER = re.compile(r"^(?:\w[\w .'-]{0,30}\s*:\s*)?(?P<said>.+)$")
_OTHER_SCALE = re.compile(r"^(?:impact|likelihood|probability|difficulty|confidence)\b", re.IGNORECASE)
_PREFIX_SEVERITY: dict[str, Severity] = {
    **dict.fromkeys(("C", "CR", "CRIT", "CRITICAL"), "critical"),
    **dict.fromkeys(("H", "HIGH", "HI"), "high"),
    **dict.fromkeys(("M", "MED", "MEDIUM", "WR", "WARN"), "medium"),
    **dict.fromkeys(("L", "LOW"), "low"),
    **dict.fromkeys(("I", "IN", "INFO", "NIT", "NC", "QA"), "info"),
}
# Alone, these letters may as well stand for "concern", "issue" or anything else.
_AMBIGUOUS_PREFIXES = frozenset({"C", "I", "CR", "IN", "NC", "QA"})
_SENTENCE = re.compile(r"(?<=[.!?。])\s|\n")
_LEADING_PLACE = re.compile(r"^(?:[\w ]{0,24}\s)?(?:[*_`\[]{0,3})[\w./@~+*\\-]{1,160}\.\w{1,12}[^\n]{0,60}")
_RISK = re.compile(r"^risk$", re.IGNORECASE)
_LEADING_PATH = re.compile(
    r"^[*_]{0,2}(?:[\w ]{0,30}\()?`[^`\n]{2,200}`[^\n]{0,60}|^[*_]{0,2}[\w ]{0,30}[*_]{0,2} \(`[^`\n]{2,200}`\)"
)
_LINE_LABEL = re.compile(
    r"^(?:lines?(?: numbers?)?|zeilen?|lignes?|l[ií]neas?|linhas?|righe|riga|regels?|rader|rad|linie|linia|строк[аи]|"
    r"рядки|рядок|行|行号|行番号)\s*:?\s*(?P<lines>[~L]*\d[\d\s,–-]*)(?!\w)",
    re.IGNORECASE,
)
_PRIORITY_IN_REF = re.compile(r"(?:^|[-_])(P[0-4])(?=[-_.])")
_DONE_ELSEWHERE = re.compile(
    r"^[*_](?![*_]).{0,200}?\b(?:updated|fixed|addressed|resolved|corrected|removed|implemented|changed|added|"
    r"refactored)\b"
    r".{0,80}?(?:\bPR\b|\bpull request\b|\bcommit\b|#\d)",
    re.IGNORECASE,
)
_ONLY_LINES = re.compile(
    r"(?:[(（`\s]|^)(?::|lines?\s|стр\.\s?|zeilen?\s|lignes?\s|l[ií]neas?\s|linhas?\s|rad\s)(\d+(?:[-–]\d+)?)",
    re.IGNORECASE,
)
_TICKET_KEY = re.compile(r"^[A-Z][A-Z0-9]{1,9}-\d{1,6}$")


def assemble(
    candidate: Candidate,
    repeats: Sequence[Candidate],
    standing: Standing | None,
    outline: Outline,
    prefixes: frozenset[str],
) -> ParsedFinding:
    severity, written = _severity(candidate, repeats, standing, prefixes, outline)
    status, reason = _status(candidate, repeats, standing)
    start, end = candidate.line_start, _trimmed_end(candidate, outline)
    ref = candidate.parts.ref or next((r.parts.ref for r in repeats if r.parts.ref), None)
    return ParsedFinding(
        title=candidate.title,
        line_start=start,
        line_end=end,
        reason=candidate.reason,
        confidence=candidate.weight,
        ref=ref,
        severity=severity,
        severity_as_written=written,
        category=_category(candidate, repeats),
        files=_files(candidate, repeats, outline),
        status=status,
        status_reason=reason,
        body=outline.document.excerpt(start, min(end, start + MAX_BODY_LINES - 1)),
        fields=_fields(candidate),
        ticket_key=_ticket_key(candidate, repeats, ref),
    )


def _trimmed_end(candidate: Candidate, outline: Outline) -> int:
    lines = outline.document.lines
    end = min(candidate.line_end, len(lines))
    while end > candidate.line_start and lines[end - 1].strip() in ("", "---", "***", "___"):
        end -= 1
    return end


def _severity(
    candidate: Candidate,
    repeats: Sequence[Candidate],
    standing: Standing | None,
    prefixes: frozenset[str],
    outline: Outline,
) -> tuple[Severity | None, str | None]:
    options: list[tuple[Severity | None, str | None]] = []
    named = value_of(candidate.fields, "severity")
    if named is not None and re.search(r"\w", named.value) and not _OTHER_SCALE.match(plain(named.value)):
        options.append((severity_of(named.value), _written(named.value)))
    options.append((candidate.parts.severity, candidate.parts.severity_as_written))
    risk = next((field for field in candidate.fields if _RISK.match(field.label)), None)
    # `Risk: High` rates; `Risk: low memory on small hosts` describes.
    if risk is not None and len(risk.value.split()) <= 2:
        options.append((severity_of(risk.value), _written(risk.value)))
    priority = value_of(candidate.fields, "priority")
    if priority is not None:
        options.append((severity_of(priority.value), _written(priority.value)))
    options.extend((repeat.parts.severity, repeat.parts.severity_as_written) for repeat in repeats)
    if standing is not None:
        options.append((standing.severity, standing.severity_as_written))
    options.append((candidate.region.severity, candidate.region.severity_as_written))
    options.append((ref_severity(candidate.parts.ref, prefixes), candidate.parts.ref))
    options.extend(_marked(candidate, outline))
    for severity, written in options:
        if severity is not None:
            return severity, written
    return None, next((written for _, written in options[:-1] if written and written != candidate.parts.ref), None)


def _marked(candidate: Candidate, outline: Outline) -> Iterator[tuple[Severity | None, str | None]]:
    """Less usual places: a colour before the title, a word alone behind it, a tag of the heading above."""
    first, *rest = outline.document.excerpt(candidate.line_start, candidate.line_start + 1).split("\n")
    title = re.sub(r"^[\s>#|*+\-\d.)]+", "", first[:200])
    if candidate.shape != "row" and colour_of(title) is not None:
        yield colour_of(title), title[:1]
    alone = leading_severity(rest[0].lstrip(" :")) if rest and candidate.shape in ("item", "paragraph") else None
    if (
        alone is not None
        and re.match(r"[*_)\]]*\s*(?:[.;,|]|$)", alone[2])
        and candidate.line_end > candidate.line_start
    ):
        yield alone[0], alone[1]
    if candidate.shape == "row":
        above = outline.title(candidate.section)
        yield above.severity, above.severity_as_written


def ref_severity(ref: str | None, prefixes: frozenset[str]) -> Severity | None:
    """The severity that a ref such as `[L-02]` or `HIGH-3` carries, when the document's refs are of that kind."""
    level = _PRIORITY_IN_REF.search(ref) if ref else None
    if level is not None:
        return severity_of(level[1])
    prefix = ref_prefix(ref).upper() if ref else ""
    if prefix in _AMBIGUOUS_PREFIXES and not prefixes & {"H", "M", "L"}:
        return None
    return _PREFIX_SEVERITY.get(prefix)


def _written(value: str) -> str:
    return plain(without_marks(value.split("\n")[0]))[:MAX_WRITTEN]


def _status(
    candidate: Candidate, repeats: Sequence[Candidate], standing: Standing | None
) -> tuple[Status | None, str | None]:
    parts = candidate.parts
    if parts.status is not None:
        return parts.status, _own_reason(candidate)
    said = _field_status(candidate.fields)
    if said is not None:
        return said
    for repeat in repeats:
        if repeat.parts.status is not None:
            return (
                repeat.parts.status,
                f"line {repeat.line_start}: {repeat.parts.status_as_written or repeat.title}"[:MAX_REASON],
            )
    if standing is not None and standing.status is not None:
        return standing.status, f"line {standing.line}: {standing.status_as_written}"[:MAX_REASON]
    handled = candidate.cell("fix")
    told = status_of(handled) if handled else None
    if handled and told not in (None, "open"):
        return told, plain(handled)[:MAX_REASON]
    if candidate.region.status is not None:
        return candidate.region.status, candidate.region.status_reason
    if parts.struck or (parts.checked and candidate.shape == "heading"):
        return "fixed", "struck through or marked with a check"
    return _answer(candidate)


def _own_reason(candidate: Candidate) -> str | None:
    written = candidate.parts.status_as_written
    if candidate.shape == "paragraph" and candidate.block is not None:
        return plain(candidate.block.text)[:MAX_REASON]
    return written


def _field_status(fields: Iterable[Field]) -> tuple[Status | None, str | None] | None:
    for field in fields:
        if field.meaning == "status":
            status = status_of(field.value)
            if status is not None:
                return status, plain(field.value)[:MAX_REASON]
        if field.meaning == "resolved" and not re.match(
            r"^(?:no|false|n/?a|-|pending|not yet)\b", field.value.strip(), re.I
        ):
            return "fixed", f"{field.label}: {plain(field.value)}"[:MAX_REASON]
    return None


def _answer(candidate: Candidate) -> tuple[Status | None, str | None]:
    """A short paragraph that is only an answer, such as `_Resolved_` or `**Team:** Acknowledged.`"""
    if candidate.shape != "heading":
        return None, None
    for block in candidate.section.all_blocks():
        if block.kind == "paragraph" and _DONE_ELSEWHERE.match(block.text):
            return "fixed", plain(block.text)[:MAX_REASON]
        if block.kind != "paragraph" or len(block.text) > SHORT_ANSWER or "\n" in block.text:
            continue
        text = plain(block.text)
        match = _ANSWER.match(text)
        status = status_of(match["said"]) if match else None
        if status is not None and len(text.split()) <= 6:
            return status, text
    return None, None


def _category(candidate: Candidate, repeats: Sequence[Candidate]) -> str | None:
    own = candidate.cell("category") or candidate.region.category
    return own or next((repeat.cell("category") for repeat in repeats if repeat.cell("category")), None)


def _files(candidate: Candidate, repeats: Sequence[Candidate], outline: Outline) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for field in candidate.fields:
        if field.meaning == "files":
            found.update(dict.fromkeys(paths_in(_with_line(field, candidate.fields), labelled=True)))
    for holder in (candidate, *repeats):
        cell = holder.cell("file")
        if cell:
            found.update(dict.fromkeys(paths_in(cell, labelled=True)))
    if not found:
        found.update(dict.fromkeys((*_of_heading(candidate, bool(_evident(candidate))), *_evident(candidate))))
    if not found and candidate.shape in ("item", "paragraph"):
        found.update(
            dict.fromkeys(
                paths_in(
                    outline.document.excerpt(start := candidate.line_start, min(candidate.line_end, start + 3)),
                    labelled=False,
                )
            )
        )
    return tuple(found)


def _with_line(field: Field, fields: Iterable[Field]) -> str:
    """`File: a.py` with a separate `Line: 12` is a.py:12."""
    places = paths_in(field.value, labelled=True)
    if len(places) != 1 or re.search(r"[:#]L?\d|\d\s*\)?$", places[0]):
        return field.value
    for other in fields:
        said = _LINE_LABEL.match(f"{other.label}: {other.value}".replace("`", ""))
        if said is not None:
            return f"{places[0]}:{said['lines'].strip(' ,')}"
    return field.value


def _of_heading(candidate: Candidate, own: bool) -> tuple[str, ...]:
    """A heading that is a file holds for the items under it; one that names a file, for items that give only lines."""
    if candidate.shape == "heading":
        return tuple(place for place in paths_in(candidate.section.title, labelled=False) if "://" in place)
    said = candidate.block.text if candidate.block is not None else " ".join(value for _, value in candidate.cells)
    lines = _ONLY_LINES.search(said[:400])
    for section in (candidate.section, *candidate.section.ancestors()):
        places = paths_in(section.title, labelled=False)
        is_place = bool(places) and plain(section.title).strip("`# ").startswith(places[0])
        if len(places) == 1 and (is_place or (lines and not own)):
            return (f"{places[0]}:{lines[1]}" if lines and ":" not in places[0] else places[0],)
    return ()


def _evident(candidate: Candidate) -> tuple[str, ...]:
    """Without a labelled place: the first words under the heading, else the heading itself or the whole bullet."""
    if candidate.shape == "heading":
        blocks = candidate.section.blocks
        for at, block in enumerate(blocks[:2]):
            first = (*paths_in(_opening(block), labelled=False), *_listed(blocks[at:]))
            if first:
                return first
        for field in candidate.fields:
            first = paths_in(_SENTENCE.split(field.value, maxsplit=1)[0], labelled=False)
            if field.meaning == "issue" and first:
                return first
        named = paths_in(candidate.title, labelled=False) or tuple(dict.fromkeys(_deeper(candidate)))
        return named or _linked(candidate)
    if candidate.block is not None:
        return paths_in(candidate.block.text, labelled=False)
    return paths_in(" ".join(value for _, value in candidate.cells), labelled=False)


def _listed(blocks: Sequence[Block]) -> Iterator[str]:
    """The places of a list that a sentence ending in a colon leads to, or that stands first."""
    lead, *rest = blocks
    if lead.kind == "item":
        rest = list(blocks)
    elif lead.kind != "paragraph" or not lead.text.rstrip().endswith((":", "：")):
        return
    for block in rest:
        if block.kind != "item":
            return
        begins = _LEADING_PLACE.match(block.text)
        places = paths_in(begins[0], labelled=True) if begins else ()
        if not places:
            return
        yield from places


def _deeper(candidate: Candidate) -> Iterator[str]:
    """Labelled places, file columns and list items that begin with a path, anywhere under the heading."""
    for part in candidate.section.walk():
        for field in fields_in(part.blocks):
            if field.meaning == "files":
                yield from paths_in(field.value, labelled=True)
        for block in part.blocks:
            at = meanings_of(block).get("file") if block.kind == "table" else None
            if at is not None:
                for row in block.rows:
                    yield from paths_in(row.cells[at] if at < len(row.cells) else "", labelled=True)
            elif block.kind == "item":
                leading = _LEADING_PATH.match(block.text)
                yield from paths_in(leading[0], labelled=True) if leading else ()


def _linked(candidate: Candidate) -> tuple[str, ...]:
    """The links to code of the first block under the heading that has any."""
    for block in candidate.section.all_blocks():
        links = code_links(block.text) if block.kind in ("paragraph", "item") else ()
        if links:
            return links
    return ()


def _opening(block: Block) -> str:
    if block.kind not in ("paragraph", "item"):
        return ""
    return block.text[:600]


def _fields(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    named = [(field.label, field.value[:MAX_FIELD_VALUE]) for field in candidate.fields]
    return tuple(named) or candidate.cells


def _ticket_key(candidate: Candidate, repeats: Sequence[Candidate], ref: str | None) -> str | None:
    for holder in (candidate, *repeats):
        for name, value in holder.cells:
            if name == "ticket" and _TICKET_KEY.match(value):
                return value
    return None


def with_status(finding: ParsedFinding, status: Status, reason: str) -> ParsedFinding:
    return replace(finding, status=status, status_reason=reason[:MAX_REASON])

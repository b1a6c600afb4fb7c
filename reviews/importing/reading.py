"""The one entrance: the bytes of a review document to what it says. Pure; nothing in a document is ever acted on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reviews.importing import forms, metadata, plans, remarks, signals, statuses, totals
from reviews.importing.assemble import assemble
from reviews.importing.beside.read import read_beside
from reviews.importing.document import read_document
from reviews.importing.forms import html
from reviews.importing.mapping import Mapping
from reviews.importing.model import LeftOut, ParsedFinding, ParsedReview
from reviews.importing.recognisers.status_tables import Standing, standings
from reviews.importing.reconcile import Selection, select
from reviews.importing.regions import Outline, outline_of
from reviews.importing.text import decode
from reviews.importing.titles import number_of, ref_prefix


def read(data: bytes, *, name: str = "", mapping: Mapping | None = None) -> ParsedReview:
    """Read a review document; BadInput is the only exception."""
    structured = forms.read(data, name=name, mapping=mapping)
    if structured is not None:
        return structured
    reduced = html.reduced(data)
    text, notes = reduced or decode(data)
    document = read_document(text)
    outline = outline_of(document)
    signal = signals.signal_of(document)
    selection = select(outline)
    if signal is not None:
        selection = signals.without_narrative(selection)
    findings = statuses.apply_later(_findings(selection, outline), selection, outline)
    order, references = plans.fix_order(outline, findings), plans.cross_references(findings, document)
    said_of_itself = metadata.metadata_of(document)
    beside = read_beside(
        outline,
        findings,
        order,
        version=said_of_itself.version,
        signal_line=signal.line if signal is not None else None,
    )
    stated = totals.stated(outline)
    found = totals.found(findings)
    return ParsedReview(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        text=text,
        notes=(*notes, *remarks.remarks(findings, selection, document), *beside.notes),
        title=metadata.title_of(document),
        metadata=said_of_itself,
        findings=plans.with_references(findings, references),
        left_out=_left_out(selection.left_out, beside.left_out),
        stated_totals=stated,
        found_totals=found,
        disagreements=totals.disagreements(
            stated, found, totals.found([f for f in findings if f.status != "rejected"])
        ),
        verdict=metadata.verdict_of(outline, findings),
        signal=signal,
        fix_order=order,
        cross_references=references,
        checks=beside.checks,
        action_items=beside.action_items,
        files_modified=beside.files_modified,
        test_plans=beside.test_plans,
        evidence=beside.evidence,
        earlier=beside.earlier,
        form=html.FORM if reduced else "markdown",
    )


def _left_out(refused: Sequence[LeftOut], beside: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """What a recogniser refused, and the parts read beside the findings, each line once."""
    known = {piece.line_start for piece in refused}
    return tuple(
        sorted(
            (*refused, *(piece for piece in beside if piece.line_start not in known)),
            key=lambda piece: piece.line_start,
        )
    )


def _findings(selection: Selection, outline: Outline) -> Sequence[ParsedFinding]:
    said: dict[str, Standing] = {}
    for standing in standings(outline):
        said[standing.ref] = standing
    prefixes = frozenset(ref_prefix(c.parts.ref).upper() for c in selection.chosen if c.parts.ref)
    findings = []
    for candidate in selection.chosen:
        repeats = selection.merged.get(candidate.line_start, ())
        ref = candidate.parts.ref
        known = (said.get(ref) or said.get(number_of(ref) or "")) if ref else None
        findings.append(assemble(candidate, repeats, known, outline, prefixes))
    return tuple(findings)

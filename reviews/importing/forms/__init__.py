"""Documents that are no prose: each form is known by its content, and read to the same review as markdown.

One module for each form, with `recognises` and `read`. They are asked in order: what only one tool writes comes before
what any program may write.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from reviews.importing.forms import code_climate, defectdojo, generic_csv, generic_json, github, gitlab, sarif
from reviews.importing.forms.gathering import Gathering, digest_of
from reviews.importing.forms.json_document import JsonDocument, looks_like_json
from reviews.importing.forms.said import Said
from reviews.importing.forms.source import Source
from reviews.importing.mapping import Mapping
from reviews.importing.model import ParsedReview

OPENING_BYTES: Final = 20_000
# A work log may begin with its signal, which is a line of JSON and no list of anything.
_SIGNAL: Final = re.compile(rb'^\s*\{[^\n]{0,2000}"(?:mc_signal|signal|turn_signal|agent_signal)"\s*:\s*"')


class Form(NamedTuple):
    """A form of JSON."""

    name: str
    recognises: Callable[[JsonDocument], bool]
    read: Callable[[JsonDocument, Gathering], Said]


FORMS: Final = (
    Form(sarif.FORM, sarif.recognises, sarif.read),
    Form(gitlab.FORM, gitlab.recognises, gitlab.read),
    Form(defectdojo.FORM, defectdojo.recognises, defectdojo.read),
    Form(code_climate.FORM, code_climate.recognises, code_climate.read),
    Form(github.FORM, github.recognises, github.read),
)


def read(data: bytes, *, name: str, mapping: Mapping | None) -> ParsedReview | None:
    """The review, where the document has one of the forms; None where it is prose. BadInput where it is broken."""
    opening = _opening(data)
    if looks_like_json(opening) and not _SIGNAL.match(opening):
        document = JsonDocument(Source(data))
        if mapping is None and document.trails_off():
            return None
        return _read_json(data, document.checked(), name, mapping)
    if mapping is None and not generic_csv.looks_like_csv(opening.decode("utf-8", errors="replace")):
        return None
    return _read_table(data, name, mapping)


def _opening(data: bytes) -> bytes:
    """The first bytes in UTF-8, for a look at them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data[: OPENING_BYTES * 2].decode("utf-16", errors="ignore")
        return text.lstrip("\ufeff").encode("utf-8", errors="replace")
    return data[:OPENING_BYTES].removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read_json(data: bytes, document: JsonDocument, name: str, mapping: Mapping | None) -> ParsedReview:
    form = None if mapping else next((one for one in FORMS if one.recognises(document)), None)
    gathering = Gathering(document.source, form.name if form else generic_json.FORM)
    said = form.read(document, gathering) if form else generic_json.read(document, mapping, gathering)
    return _review(data, name, said, gathering, document)


def _read_table(data: bytes, name: str, mapping: Mapping | None) -> ParsedReview | None:
    source = Source(data)
    table = generic_csv.Table(source, mapping)
    if mapping is None and not generic_csv.recognises(table):
        return None
    gathering = Gathering(source, generic_csv.FORM)
    return _review(data, name, generic_csv.read(table, mapping, gathering), gathering, None)


def _review(data: bytes, name: str, said: Said, gathering: Gathering, document: JsonDocument | None) -> ParsedReview:
    return gathering.review(
        name=name,
        sha256=digest_of(data),
        title=said.title,
        tool=said.tool,
        metadata=said.metadata,
        verdict=said.verdict,
        notes=tuple(document.notes) if document is not None else (),
    )

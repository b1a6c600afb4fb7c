"""A list of findings as a download: streamed, bounded, and never run by the browser that gets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, NamedTuple, cast

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from portal.core import limits
from reviews.exporting import objects, report, sarif, spreadsheet
from reviews.models import Finding
from tickets.downloads import HARMLESS

PIECE_CHARS: Final = 65_536


class FileForm(NamedTuple):
    """How a list is written: the file's name, its type, and what writes it."""

    name: str
    media_type: str
    pieces: Callable[[QuerySet[Finding], int, int], Iterator[str]]


FORMS: Final[dict[str, FileForm]] = {
    "csv": FileForm("findings.csv", "text/csv; charset=utf-8", spreadsheet.pieces),
    "json": FileForm("findings.json", "application/json", objects.pieces),
    "sarif": FileForm("findings.sarif", "application/sarif+json", sarif.pieces),
    "markdown": FileForm("findings.md", "text/markdown; charset=utf-8", report.pieces),
}


class Streamed(StreamingHttpResponse):
    """Piece by piece under an asynchronous server too, each asked of the database in the request's own thread."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        written = cast("Iterator[bytes]", self.streaming_content)
        ask: Any = sync_to_async(next, thread_sensitive=True)
        while (piece := await ask(written, None)) is not None:
            yield piece


def of(found: QuerySet[Finding], form: str) -> Streamed:
    """``found`` in one of ``FORMS``: at most ``EXPORT_MAX_FINDINGS``, and the file says so where there are more."""
    chosen, most = FORMS[form], limits.value("EXPORT_MAX_FINDINGS")
    answer = Streamed(_joined(chosen.pieces(found, most, found.count())), content_type=chosen.media_type)
    for name, value in HARMLESS.items():
        answer[name] = value
    answer["Content-Disposition"] = f'attachment; filename="{chosen.name}"'
    return answer


def _joined(pieces: Iterator[str]) -> Iterator[bytes]:
    """Many short texts in few sendings. What no bytes can stand for, half a character, is a question mark."""
    held, length = [], 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= PIECE_CHARS:
            yield "".join(held).encode(errors="replace")
            held, length = [], 0
    if held:
        yield "".join(held).encode(errors="replace")

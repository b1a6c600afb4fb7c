"""What an attempt's child wrote, as a page shows it: the newest part, bounded, and where it goes on live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.core import limits
from portal.core.clock import Wall
from portal.live import cursor, streams
from workers.models import Attempt, AttemptOutput
from workers.output import stream

SHOWN_BYTES: Final = 200_000
SHOWN_PIECES: Final = 2000


@dataclass(frozen=True, slots=True)
class Output:
    """``cut``: bytes before ``text`` that are left out. ``cursor``: up to where ``text`` goes.

    ``forgotten``: nothing is kept, since the attempt ended more than so many days ago; 0 otherwise.
    """

    stream: str
    cursor: str
    text: str
    cut: int
    running: bool
    forgotten: int = 0

    @property
    def cursors(self) -> dict[str, str]:
        return {self.stream: self.cursor}


def newest(attempt_id: int, *, running: bool, most_bytes: int = SHOWN_BYTES) -> Output:
    """The last ``most_bytes`` of an attempt's output, in whole pieces."""
    name = stream(attempt_id)
    position = streams.cursors(name)[name]
    end = cursor.parse(position).number
    # What is written from here on comes by the stream; text beyond the cursor would come twice.
    pieces = AttemptOutput.objects.filter(attempt_id=attempt_id, offset__gte=max(0, end - most_bytes), offset__lt=end)
    found = list(pieces.order_by("-offset").values_list("offset", "text")[:SHOWN_PIECES])
    text = "".join(piece for _, piece in reversed(found))
    forgotten = 0 if found or running else _forgotten(attempt_id)
    return Output(name, position, text, found[-1][0] if found else 0, running, forgotten)


def _forgotten(attempt_id: int) -> int:
    """OUTPUT_KEEP_DAYS, where the attempt ended before that: whatever it wrote is gone."""
    days = limits.value("OUTPUT_KEEP_DAYS")
    over = Attempt.objects.filter(pk=attempt_id, ended_at__lt=Wall(-86_400 * days))
    return days if over.exists() else 0


def fragment(request: HttpRequest, attempt_id: int, *, running: bool, name: int) -> HttpResponse:
    """The output alone, with its cursor: what a page asks for that has missed some."""
    found = newest(attempt_id, running=running)
    context = {"output": found, "name": name, "output_url": request.path, "live_cursors": found.cursors}
    return render(request, "tickets/output.html", context)


def as_text(attempt_id: int, file_name: str) -> HttpResponse:
    """All that is stored, as a file to keep; OUTPUT_CAP_BYTES bounds it. Nothing in it is ever shown as a page."""
    pieces = AttemptOutput.objects.filter(attempt_id=attempt_id).order_by("offset").values_list("text", flat=True)
    text = "".join(pieces.iterator(chunk_size=20))
    if not text and (days := _forgotten(attempt_id)):
        text = f"What was written is gone: it is kept for {days} days after the end.\n"
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return answer

"""The bytes of a file of a ticket as every door hands them out: to keep, and never to be run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, Final, cast

from django.http import FileResponse

from tickets import attachments, images
from tickets.models import Attachment

# Nothing of a file is ever run: not as a page, not as a script, not by a guess at its type.
HARMLESS: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Kept by the browser alone, which asks each time whether it may still show it.
    "Cache-Control": "private, no-cache",
}


class Download(FileResponse):
    """A file piece by piece under an asynchronous server too, which would read all of it into memory."""

    block_size = 65_536

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = cast("Iterator[bytes]", self.streaming_content)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


def of(attachment: Attachment, file: BinaryIO) -> Download:
    """``file`` is what ``attachments.open_file`` gave; the answer closes it. Of no type that its sender chose."""
    return Download(
        file,
        as_attachment=True,
        filename=attachments.saved_name(attachment),
        content_type=attachment.media_type if attachment.media_type in images.SHOWN else images.UNKNOWN,
        headers=HARMLESS,
    )

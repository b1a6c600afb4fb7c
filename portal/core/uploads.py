"""Forms with files, read strictly while they arrive.

Django takes the last of two names of one file, and a form that ends early as
far as it came. Here a form is whole and says each thing once, or it is
refused (400); a full disk is told as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from portal.core import storage
from portal.core.lifecycle import Refused

# Django's own bound of one part's headers.
_HEADER_BYTES: Final = 1024
_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"')
_HEADERS_ONCE: Final = (re.compile(rb"(?im)^content-disposition\s*:"), re.compile(rb"(?im)^content-type\s*:"))
_NAMES_ONCE: Final = tuple(
    re.compile(rb"(?i);\s*" + name + rb"\s*=") for name in (b"name", b"filename", rb"filename\*")
)


class StorageFull(Refused):
    """There is no room for a file; nothing was stored."""

    status = 503


@contextmanager
def with_room() -> Iterator[None]:
    """Raises ``StorageFull`` in place of the error of a full disk."""
    try:
        yield
    except OSError as problem:
        if storage.is_full(problem):
            raise StorageFull(storage.FULL) from problem
        raise


class StrictForms(FileUploadHandler):
    """Reads the whole form itself: small files into memory, others into temporary files."""

    def handle_raw_input(
        self, input_data: Any, META: dict[str, Any], content_length: int, boundary: Any, encoding: Any = None
    ) -> Any:
        watched = _Watched(input_data, boundary)
        handlers = [MemoryFileUploadHandler(self.request), TemporaryFileUploadHandler(self.request)]
        with with_room():
            fields, files = MultiPartParser(META, cast(Any, watched), handlers, encoding).parse()
        if not watched.ended:
            for file in [file for _, several in files.lists() for file in several]:
                file.close()
            raise MultiPartParserError("The form ends before its last boundary.")
        return fields, files

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class _Watched:
    """The body on its way to Django's reader; raises ``MultiPartParserError`` for a part that says a thing twice."""

    def __init__(self, body: Any, boundary: bytes) -> None:
        self._body, self._mark = body, b"--" + boundary
        self._rest, self._in_headers, self.ended = b"", False, False

    def read(self, size: int) -> bytes:
        data: bytes = self._body.read(size)
        self._rest += data
        while not self.ended and (self._headers() if self._in_headers else self._boundary()):
            pass
        return data

    def _boundary(self) -> bool:
        """Past the next boundary; False where more has to arrive."""
        at = self._rest.find(self._mark)
        if at < 0 or len(self._rest) < at + len(self._mark) + 2:
            self._rest = self._rest[at:] if at >= 0 else self._rest[-len(self._mark) :]
            return False
        after = self._rest[at + len(self._mark) :]
        if after[:2] not in {b"--", b"\r\n"}:
            raise MultiPartParserError("A boundary does not stand alone.")
        # The line end stays: a part without headers is one empty line.
        self.ended, self._in_headers, self._rest = after[:2] == b"--", True, after
        return True

    def _headers(self) -> bool:
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            if len(self._rest) > _HEADER_BYTES + 4:
                raise MultiPartParserError("The headers of a part are too long.")
            return False
        _said_once(self._rest[:end])
        self._in_headers, self._rest = False, self._rest[end + 2 :]
        return True


def _said_once(headers: bytes) -> None:
    bare = _QUOTED.sub(b'""', headers)
    twice = any(len(pattern.findall(bare)) > 1 for pattern in _HEADERS_ONCE)
    if twice or any(len(name.findall(line)) > 1 for line in bare.split(b"\r\n") for name in _NAMES_ONCE):
        raise MultiPartParserError("A part of the form says the same thing twice.")

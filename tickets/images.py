"""What a file is by its own bytes, never by its name, and how large an image says it is. Nothing is decoded."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

HEAD_BYTES: Final = 512
# A JPEG tells its size after its metadata: pictures of cameras carry some hundred kilobytes of them.
_JPEG_HEADER_BYTES: Final = 1_048_576
SHOWN: Final = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-msdownload"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
)


def media_type(head: bytes) -> str:
    """What the first ``HEAD_BYTES`` say: a known beginning, text, or nothing known."""
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return TEXT if _reads_as_text(head) else UNKNOWN


def _reads_as_text(head: bytes) -> bool:
    if any(byte < 9 or 13 < byte < 27 for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as problem:
        # The head may end within a character.
        return len(head) - problem.start < 4 and problem.reason == "unexpected end of data"
    return True


def size(file: BinaryIO, kind: str) -> tuple[int, int] | None:
    """Width and height as the header of a whole image says them; None where the header or the end is missing."""
    file.seek(0, 2)
    length = file.tell()
    if not _ends(file, kind, length):
        return None
    file.seek(0)
    if kind == "image/jpeg":
        return _of_jpeg(file.read(_JPEG_HEADER_BYTES))
    head = file.read(32)
    if kind == "image/png":
        return struct.unpack(">II", head[16:24]) if head[12:16] == b"IHDR" else None
    if kind == "image/gif":
        return struct.unpack("<HH", head[6:10])
    return _of_webp(head)


def _ends(file: BinaryIO, kind: str, length: int) -> bool:
    """Whether the file ends as its kind does: what was cut off on its way is no image to show."""
    if length < 32:
        return False
    if kind == "image/webp":
        file.seek(4)
        stated: int = struct.unpack("<I", file.read(4))[0]
        return stated + 8 in {length, length - 1}
    file.seek(length - 12)
    end = file.read(12)
    wanted = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9", "image/gif": b"\x3b"}[kind]
    return end.endswith(wanted)


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    """The frame header, found from marker to marker: each but the first says how long it is."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        # The picture's data begin, or its end: there was no header of a frame.
        if marker in {0xD9, 0xDA}:
            return None
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return None


def _of_webp(head: bytes) -> tuple[int, int] | None:
    form = head[12:16]
    if form == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if form == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None

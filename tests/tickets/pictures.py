"""Small files of each kind, made byte by byte."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile


def png(width: int = 2, height: int = 2) -> bytes:
    """Its header says this size; its pixels are those of a 2 by 2 picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x30\x60\xc0" * 2) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(width: int = 4, height: int = 3, *, camera: int = 0) -> bytes:
    """The markers of a picture; ``camera`` bytes of what a camera says of itself stand before its size."""
    told = b"".join(b"\xff\xe1" + struct.pack(">H", 60_002) + b"x" * 60_000 for _ in range(camera // 60_000))
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\1\x11\0" * 3
    return b"\xff\xd8" + told + frame + b"\xff\xda" + struct.pack(">H", 8) + b"\0" * 40 + b"\xff\xd9"


def gif(width: int = 5, height: int = 4) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 30 + b"\x3b"


def webp(width: int = 7, height: int = 6) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size + b"\0" * 10
    return b"RIFF" + struct.pack("<I", len(body)) + body


def upload(content: bytes = b"words", name: str = "notes.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def multipart(*parts: tuple[str, bytes], mark: str = "mark", end: str = "--mark--\r\n") -> dict[str, Any]:
    """A form whose parts have these headers and contents, as ``client.post(url, **multipart(...))`` sends it."""
    body = b"".join(f"--{mark}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts)
    return {"data": body + end.encode(), "content_type": f"multipart/form-data; boundary={mark}"}

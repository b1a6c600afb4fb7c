"""HTML saved from a browser: reduced to the markdown that says the same, which is then read like any other."""

from __future__ import annotations

import codecs
import re
from typing import Final

from reviews.importing.forms.html_markdown import to_markdown
from reviews.importing.forms.html_tree import Node, read_tree
from reviews.importing.model import BadInput, Note
from reviews.importing.text import MAX_BYTES, MAX_LINES, decode

FORM: Final = "html"
MAX_HTML_BYTES: Final = 8_000_000
MAX_OPENING: Final = 4_096

_BEFORE: Final = r"\s*(?:<\?xml[^>]{0,300}\?>\s*|<!--(?:(?!-->).){0,2000}-->\s*){0,5}"
_PAGE: Final = re.compile(rf"{_BEFORE}(?:<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>])", re.IGNORECASE | re.DOTALL)
_PART: Final = re.compile(
    rf"{_BEFORE}<(?:h[1-6]|table|article|main|section|div|ul|ol|p)[\s>]", re.IGNORECASE | re.DOTALL
)
_MARKDOWN_LINE: Final = re.compile(r"^(?:#{1,6} |\|.*\|\s*$|[-*+] |\d+\. |```)", re.MULTILINE)
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.IGNORECASE)
_CLOSES: Final = re.compile(r"</[a-zA-Z][\w-]*>\s*$")


def reduced(data: bytes) -> tuple[str, tuple[Note, ...]] | None:
    """(markdown, notes) of a page; None where the bytes are no HTML."""
    opening = _opening(data)
    if not _PAGE.match(opening) and not (_PART.match(opening) and _is_part(data)):
        return None
    known, said = _in_utf8(data)
    text, notes = decode(known, most=MAX_HTML_BYTES)
    root, dropped = read_tree(text)
    mains = root.find_all("main")
    if len(mains) == 1:
        # A page that says what its content is, is taken at its word.
        dropped += sum(1 for child in root.elements() if not _holds(child, mains[0]))
        root = mains[0]
    markdown = to_markdown(root)
    if not markdown.strip():
        raise BadInput("empty", "The page has no words that a reader sees.")
    if len(markdown) > MAX_BYTES or markdown.count("\n") > MAX_LINES:
        raise BadInput("too_large", f"The page has more than {MAX_BYTES} letters or {MAX_LINES} lines of text.")
    what = "1 element was" if dropped == 1 else f"{dropped} elements were"
    note = Note(
        f"The document was reduced from HTML to the text shown here: {what} dropped (navigation, scripts, styles, "
        "controls, hidden parts), and the lines are those of this text."
    )
    return markdown, (*said, *notes, note)


def _opening(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data[:MAX_OPENING].decode("utf-16", errors="ignore").lstrip("\ufeff")
    return data[:MAX_OPENING].removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _is_part(data: bytes) -> bool:
    """A piece of a page: it ends as it began, with a tag, and no line of it is markdown."""
    if len(data) > MAX_HTML_BYTES:
        return False
    text = data.decode("utf-8", errors="replace")
    return bool(_CLOSES.search(text[-200:])) and not _MARKDOWN_LINE.search(text)


def _in_utf8(data: bytes) -> tuple[bytes, tuple[Note, ...]]:
    """The page in UTF-8, where it names another encoding and is not UTF-8 after all."""
    match = _CHARSET.search(data[:MAX_OPENING])
    if match is None or len(data) > MAX_HTML_BYTES:
        return data, ()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        name = match[1].decode("ascii", errors="replace").lower()
        try:
            return data.decode(name).encode(), (Note(f"Decoded as {name}, which the page names."),)
        except (LookupError, ValueError):
            return data, ()
    return data, ()


def _holds(node: Node, wanted: Node) -> bool:
    return any(one is wanted for one in node.find_all("main"))

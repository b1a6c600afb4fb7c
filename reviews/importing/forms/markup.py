"""HTML inside of texts: taken away, its words kept."""

from __future__ import annotations

import html
import re
from typing import Final

_BREAKS: Final = re.compile(r"</?(?:p|div|br|summary|details|li|tr|h[1-6])(?:\s[^<>]{0,200})?/?>", re.IGNORECASE)
_TAGGED: Final = re.compile(r"<[A-Za-z!/]")


def without_html(text: str) -> str:
    """The words of a text in which HTML may stand."""
    if not _TAGGED.search(text):
        return text
    import nh3

    return html.unescape(nh3.clean(_BREAKS.sub("\n", text), tags=set())).strip()

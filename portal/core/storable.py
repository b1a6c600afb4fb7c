"""Text as every database keeps it: without NUL and half characters (lone surrogates)."""

from __future__ import annotations

import re
from typing import Final

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a database takes ``text`` as it is."""
    return _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """``text`` with a replacement character for each one that a database refuses."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)

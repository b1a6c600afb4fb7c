"""Text that a reader would not see: no title, no name, no reason."""

from __future__ import annotations

import unicodedata
from typing import Final

# Drawn as nothing, though Unicode calls them letters or symbols.
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def is_unseen(text: str) -> bool:
    """Whether a reader would see nothing at all."""
    return all(letter in _BLANKS or unicodedata.category(letter) in _UNSEEN for letter in text)

"""Other people's words, quoted where they must do nothing: in a terminal, in a sentence that refuses them."""

from __future__ import annotations


def plain(text: str) -> str:
    """One line without what controls a terminal, or turns a page around."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())

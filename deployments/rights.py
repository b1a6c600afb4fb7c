"""Who may follow which stream of this app."""

from __future__ import annotations


def register() -> None:
    """Streams are registered here."""

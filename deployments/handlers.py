"""The kinds of job of this app."""

from __future__ import annotations


def register() -> None:
    """Kinds are registered here."""

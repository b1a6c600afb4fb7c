"""Where a finding can be waived: everywhere, or in a place that the layer above names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tickets.models import Project

# Given a project: the names of its places, in their order.
Names = Callable[[Project], list[str]]

EVERYWHERE: Final = ""
_named: list[Names] = []


def register(names: Names) -> None:
    """Once, however often it is asked for."""
    if names not in _named:
        _named.append(names)


def of(project: Project) -> list[str]:
    """The places of ``project`` that a waiver may be for, beside everywhere."""
    return [name for names in _named for name in names(project)]


def in_words(scope: str) -> str:
    return f"in {scope}" if scope else "everywhere"

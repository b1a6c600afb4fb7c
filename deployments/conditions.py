"""One thing that a gate asks for beside the verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """``lift`` says what would meet it, ``url`` leads there."""

    kind: str
    met: bool
    text: str
    detail: str = ""
    lift: str = ""
    url: str = ""

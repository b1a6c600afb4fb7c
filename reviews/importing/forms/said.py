"""What a form says of the whole document, beside its findings."""

from __future__ import annotations

from dataclasses import dataclass, field

from reviews.importing.model import Metadata


@dataclass(frozen=True, slots=True)
class Said:
    title: str | None = None
    tool: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    verdict: str | None = None

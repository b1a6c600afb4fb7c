"""What an upload would be read as, before anything is stored."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from portal.core import limits
from reviews.importing import BadInput, parse
from reviews.importing.mapping import Mapping
from reviews.importing.model import LeftOut, ParsedFinding, ParsedReview
from reviews.queries.reviews import Totals, totals
from reviews.reading import reading

FINDINGS_SHOWN: Final = 10
LEFT_OUT_SHOWN: Final = 10


class Preview(NamedTuple):
    """``refusal``: why nothing can be read of it. ``too_long``: it is read in the background only."""

    size: int
    name: str = ""
    refusal: str = ""
    too_long: int = 0
    parsed: ParsedReview | None = None

    @property
    def title(self) -> str:
        return (self.parsed.title if self.parsed else "") or self.name

    @property
    def findings(self) -> tuple[ParsedFinding, ...]:
        return self.parsed.findings[:FINDINGS_SHOWN] if self.parsed else ()

    @property
    def more_findings(self) -> int:
        return max(0, len(self.parsed.findings) - FINDINGS_SHOWN) if self.parsed else 0

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return self.parsed.left_out[:LEFT_OUT_SHOWN] if self.parsed else ()

    @property
    def more_left_out(self) -> int:
        return max(0, len(self.parsed.left_out) - LEFT_OUT_SHOWN) if self.parsed else 0

    @property
    def totals(self) -> Totals:
        return totals(self.reading)

    @property
    def reading(self) -> dict[str, Any]:
        """What the document says beside its findings, as a review would keep it."""
        return reading(self.parsed) if self.parsed else {}


def of(content: bytes, *, name: str = "", mapping: Mapping | None = None) -> Preview:
    """Read ``content`` as its job would. Stores nothing, and never raises for what a document may hold."""
    most = limits.value("PREVIEW_MAX_BYTES")
    if len(content) > most:
        return Preview(len(content), name, too_long=most)
    try:
        return Preview(len(content), name, parsed=parse(content, name=name, mapping=mapping))
    except BadInput as refusal:
        return Preview(len(content), name, refusal=refusal.message)

"""Review documents, from untrusted bytes to typed findings.

Pure Python, no database, no network: the same bytes always give the same result, every finding says which lines it
was read from and why, and whatever looks like a finding and is none is listed with the reason.

What a process needs that reads no document is imported here; the reader itself, with its hundreds of patterns to
compile, when the first document is read.
"""

from reviews.importing.export import to_json
from reviews.importing.mapping import Mapping, mapping_of
from reviews.importing.model import (
    ActionItem,
    BadInput,
    Check,
    CrossReference,
    Earlier,
    Evidence,
    FileModified,
    FixTier,
    LeftOut,
    Metadata,
    Note,
    Outcome,
    ParsedFinding,
    ParsedReview,
    Severity,
    Signal,
    Status,
    TestPlan,
)

__all__ = [
    "ActionItem",
    "BadInput",
    "Check",
    "CrossReference",
    "Earlier",
    "Evidence",
    "FileModified",
    "FixTier",
    "LeftOut",
    "Mapping",
    "Metadata",
    "Note",
    "Outcome",
    "ParsedFinding",
    "ParsedReview",
    "Severity",
    "Signal",
    "Status",
    "TestPlan",
    "mapping_of",
    "parse",
    "to_json",
]


def parse(data: bytes, *, name: str = "", mapping: Mapping | None = None) -> ParsedReview:
    """Read a review document; BadInput is the only exception.

    A mapping says what the columns of a table, or the names in a list of objects, mean; it wins over what is known.
    """
    from reviews.importing.reading import read

    return read(data, name=name, mapping=mapping)

"""Review documents, from untrusted bytes to typed findings.

Pure Python, no database, no network: the same bytes always give the same result, every finding says which lines it
was read from and why, and whatever looks like a finding and is none is listed with the reason.
"""

from reviews.importing.export import to_json
from reviews.importing.model import (
    BadInput,
    CrossReference,
    FixTier,
    LeftOut,
    Metadata,
    Note,
    ParsedFinding,
    ParsedReview,
    Severity,
    Signal,
    Status,
)
from reviews.importing.parse import parse

__all__ = [
    "BadInput",
    "CrossReference",
    "FixTier",
    "LeftOut",
    "Metadata",
    "Note",
    "ParsedFinding",
    "ParsedReview",
    "Severity",
    "Signal",
    "Status",
    "parse",
    "to_json",
]

"""Review documents, from untrusted bytes to typed findings.

Pure Python, no database, no network: the same bytes always give the same result, every finding says which lines it
was read from and why, and whatever looks like a finding and is none is listed with the reason.
"""

from reviews.importing.export import to_json
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
from reviews.importing.parse import parse

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
    "Metadata",
    "Note",
    "Outcome",
    "ParsedFinding",
    "ParsedReview",
    "Severity",
    "Signal",
    "Status",
    "TestPlan",
    "parse",
    "to_json",
]

"""Series, reviews, findings, what was decided of them, and the plan of an import."""

from reviews.models.decisions import Decision, DecisionState, SavedFilter
from reviews.models.documents import ActionItem, Check, Review, ReviewState, Series
from reviews.models.findings import Edge, Evidence, Finding, FindingState, Fingerprint, Occurrence, Severity, Strength
from reviews.models.imports import ImportRow

__all__ = [
    "ActionItem",
    "Check",
    "Decision",
    "DecisionState",
    "Edge",
    "Evidence",
    "Finding",
    "FindingState",
    "Fingerprint",
    "ImportRow",
    "Occurrence",
    "Review",
    "ReviewState",
    "SavedFilter",
    "Series",
    "Severity",
    "Strength",
]

"""Series, reviews, findings, what was decided of them, and the plan of an import."""

from reviews.models.councils import Ballot, Council, CouncilState, Member, MemberState, Vote
from reviews.models.decisions import Decision, DecisionState, SavedFilter
from reviews.models.documents import ActionItem, Check, Review, ReviewState, Series
from reviews.models.findings import Edge, Evidence, Finding, FindingState, Fingerprint, Occurrence, Severity, Strength
from reviews.models.imports import ImportRow
from reviews.models.verifications import AllowedCommand, Verification, VerificationState

__all__ = [
    "ActionItem",
    "AllowedCommand",
    "Ballot",
    "Check",
    "Council",
    "CouncilState",
    "Decision",
    "DecisionState",
    "Edge",
    "Evidence",
    "Finding",
    "FindingState",
    "Fingerprint",
    "ImportRow",
    "Member",
    "MemberState",
    "Occurrence",
    "Review",
    "ReviewState",
    "SavedFilter",
    "Series",
    "Severity",
    "Strength",
    "Verification",
    "VerificationState",
    "Vote",
]

"""What a review and a finding may do: one table each."""

from __future__ import annotations

from portal.core.lifecycle import Lifecycle, transition
from reviews.models import (
    Council,
    CouncilState,
    Decision,
    DecisionState,
    Finding,
    FindingState,
    Member,
    MemberState,
    Review,
    ReviewState,
    Verification,
    VerificationState,
)

_R = ReviewState
REVIEW: Lifecycle[Review] = Lifecycle(
    "review",
    ReviewState,
    [
        transition("plan", [_R.RECEIVED], _R.PLANNED),
        transition("fail", [_R.RECEIVED], _R.FAILED),
        transition("read_again", [_R.FAILED, _R.PLANNED, _R.DISCARDED, _R.REVERTED], _R.RECEIVED, "Read again"),
        transition("apply", [_R.PLANNED], _R.APPLIED, "Apply the plan"),
        transition("discard", [_R.PLANNED], _R.DISCARDED, "Discard the plan"),
        transition("revert", [_R.APPLIED], _R.REVERTED, "Revert"),
    ],
    subject=lambda review: review.subject,
    streams=lambda review: (review.subject, f"project:{review.series.project_id}"),
)

_F = FindingState
FINDING: Lifecycle[Finding] = Lifecycle(
    "finding",
    FindingState,
    [
        transition("fix", [_F.OPEN], _F.FIXED, "Call it fixed"),
        transition("reject", [_F.OPEN], _F.REJECTED, "Reject"),
        # A waiver is given, and a deferral is made, by a decision that ends: see ``decisions``.
        transition("waive", [_F.OPEN], _F.WAIVED, "Ask for a waiver"),
        transition("defer", [_F.OPEN], _F.DEFERRED, "Defer"),
        transition("merge", [_F.OPEN], _F.MERGED, "Merge into another"),
        transition("open_again", [_F.FIXED, _F.REJECTED, _F.WAIVED, _F.DEFERRED, _F.MERGED], _F.OPEN, "Open again"),
        # An import that is reverted takes back what it brought; applying it again brings back the same rows.
        transition("withdraw", [_F.OPEN, _F.FIXED, _F.REJECTED], _F.WITHDRAWN),
        transition("restore", [_F.WITHDRAWN], _F.OPEN),
        transition("restore_fixed", [_F.WITHDRAWN], _F.FIXED),
        transition("restore_rejected", [_F.WITHDRAWN], _F.REJECTED),
    ],
    subject=lambda finding: finding.subject,
    streams=lambda finding: (f"project:{finding.series.project_id}",),
)
ANSWERS = ("fix", "reject", "waive", "defer")

_D = DecisionState
DECISION: Lifecycle[Decision] = Lifecycle(
    "decision",
    DecisionState,
    [
        transition("give", [_D.ASKED], _D.IN_FORCE, "Give it"),
        transition("refuse", [_D.ASKED], _D.REFUSED, "Refuse it"),
        transition("end", [_D.ASKED, _D.IN_FORCE], _D.ENDED, "End it"),
    ],
    subject=lambda decision: decision.subject,
    streams=lambda decision: (f"project:{decision.finding.series.project_id}",),
)

_C = CouncilState
COUNCIL: Lifecycle[Council] = Lifecycle(
    "council",
    CouncilState,
    [
        transition("open", [_C.LOOKING], _C.OPEN),
        transition("fail", [_C.LOOKING], _C.FAILED),
        transition("close", [_C.OPEN], _C.CLOSED, "Close"),
        # another commit is meant
        transition("void", [_C.LOOKING, _C.OPEN, _C.CLOSED], _C.VOID, "Make void"),
    ],
    subject=lambda council: council.subject,
    streams=lambda council: (council.subject, f"project:{council.series.project_id}"),
)

_B = MemberState
MEMBER: Lifecycle[Member] = Lifecycle(
    "member",
    MemberState,
    [
        transition("answer", [_B.WAITING, _B.ANSWERED, _B.FAILED], _B.ANSWERED, "Hand in"),
        transition("fail", [_B.WAITING], _B.FAILED),
        # the author of what is looked at is no reviewer of it
        transition("refuse", [_B.WAITING], _B.REFUSED),
        transition("ask_again", [_B.FAILED, _B.ANSWERED], _B.WAITING, "Ask again"),
    ],
    subject=lambda member: member.subject,
    streams=lambda member: (member.council.subject, f"project:{member.council.series.project_id}"),
)

_V = VerificationState
VERIFICATION: Lifecycle[Verification] = Lifecycle(
    "verification",
    VerificationState,
    [
        transition("end", [_V.ASKED], _V.ENDED),
        transition("fail", [_V.ASKED], _V.FAILED),
        # its job is requeued
        transition("ask_again", [_V.FAILED], _V.ASKED),
    ],
    subject=lambda row: row.subject,
    streams=lambda row: (row.review.subject, f"project:{row.review.series.project_id}"),
)

"""The rows of a plan: read, left out, chosen; what became of findings that the document does not speak of."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Schema

from portal.api.doors import operation
from portal.api.operations.reviews import ReviewOut, find_review, shown
from portal.api.shapes import ID, Flag, Strict, Versioned
from portal.core.access import Role, within
from portal.core.doors import Found
from reviews import applying, dispositions
from reviews.models import ImportRow, Review


class RowOut(Schema):
    n: int
    action: str
    reason: str
    title: str
    severity: str | None
    finding: int | None
    ticket_key: str
    keys: str
    left_out: bool
    # of a row to choose: the findings that it may be; 0 chosen is a new one
    candidates: list[int]
    chosen: int | None
    # of a finding that is not spoken of; empty: not said yet
    disposition: str
    disposition_reason: str
    merge_into: int | None
    outcome: str
    outcome_reason: str


class RowChanged(RowOut):
    # the review's, for the next change of it
    version: int


class Rows(Schema):
    items: list[RowOut]
    # pass as ``after`` for the next page; absent on the last
    next: str | None = None


class RowsAsked(Strict):
    action: Literal["", "new", "seen", "close", "reopen", "regress", "known", "choose", "carry"] = ""
    after: int = Field(0, ge=0, le=2**31 - 1)
    limit: int = Field(100, ge=1, le=500)


class DisposeIn(Versioned):
    disposition: Literal["not_assessed", "still", "fixed", "rejected", "merged"]
    reason: str = Field("", max_length=300)
    evidence: str = ""
    merge_into: ID | None = None


class DisposeRestIn(Versioned):
    disposition: Literal["not_assessed", "still"]


class ChooseIn(Versioned):
    # null: a new one
    finding: ID | None


class LeaveOutIn(Versioned):
    left_out: Flag


class RestDisposed(Schema):
    review: ReviewOut
    findings: int


def find_row(number: int, n: int) -> Found | None:
    found = find_review(number)
    row = ImportRow.objects.filter(review=found.object, n=n).first() if found and n < 2**31 else None
    return Found(row, found.scope) if found and row else None


def row_shown(row: ImportRow) -> dict[str, Any]:
    return {
        "n": row.n,
        "action": row.action,
        "reason": row.reason,
        "title": str(row.item.get("title") or ""),
        "severity": row.item.get("severity"),
        "finding": row.finding_id,
        "ticket_key": row.ticket_key,
        "keys": row.keys,
        "left_out": row.left_out,
        "candidates": row.candidates,
        "chosen": row.chosen,
        "disposition": row.disposition,
        "disposition_reason": row.disposition_reason,
        "merge_into": row.merge_into_id,
        "outcome": row.outcome,
        "outcome_reason": row.outcome_reason,
    }


@operation(
    "get",
    "/reviews/{int:number}/rows",
    "api.review.rows",
    within(Role.VIEWER),
    find=find_review,
    query=RowsAsked,
    response=Rows,
)
def rows(request: HttpRequest, number: int, asked: Query[RowsAsked]) -> dict[str, Any]:
    """The rows of its plan, in order; what was done with each, once it was applied."""
    every = ImportRow.objects.filter(review=request.found, n__gt=asked.after).order_by("n")  # type: ignore[attr-defined]
    if asked.action:
        every = every.filter(action=asked.action)
    found = list(every[: asked.limit + 1])
    held = found[: asked.limit]
    return {
        "items": [row_shown(row) for row in held],
        "next": str(held[-1].n) if len(found) > len(held) else None,
    }


@operation(
    "post",
    "/reviews/{int:number}/rows/{int:n}/leave_out",
    "api.review.leave_out",
    within(Role.REVIEWER),
    find=find_row,
    response=RowChanged,
)
def leave_out(request: HttpRequest, number: int, n: int, body: LeaveOutIn) -> dict[str, Any]:
    """Take a row out of the plan, or in again; ``version`` is the review's."""
    row: ImportRow = request.found  # type: ignore[attr-defined]
    row = applying.leave_out(row, body.left_out, expected_version=body.version)
    return row_shown(row) | {"version": row.review.version}


@operation(
    "post",
    "/reviews/{int:number}/rows/{int:n}/dispose",
    "api.review.dispose",
    within(Role.REVIEWER),
    find=find_row,
    response=RowChanged,
)
def dispose(request: HttpRequest, number: int, n: int, body: DisposeIn) -> dict[str, Any]:
    """Say what became of an open finding of which the document does not speak; ``version`` is the review's."""
    row: ImportRow = request.found  # type: ignore[attr-defined]
    row = dispositions.dispose(
        row,
        body.disposition,
        reason=body.reason,
        evidence=body.evidence,
        merge_into=body.merge_into,
        expected_version=body.version,
    )
    return row_shown(row) | {"version": row.review.version}


@operation(
    "post",
    "/reviews/{int:number}/rest",
    "api.review.dispose_rest",
    within(Role.REVIEWER),
    find=find_review,
    response=RestDisposed,
)
def dispose_rest(request: HttpRequest, number: int, body: DisposeRestIn) -> dict[str, Any]:
    """Say the same of all open findings of which neither the document nor anybody has said anything."""
    review: Review = request.found  # type: ignore[attr-defined]
    findings = dispositions.dispose_rest(review, body.disposition, expected_version=body.version)
    return {"review": shown(review), "findings": findings}


@operation(
    "post",
    "/reviews/{int:number}/rows/{int:n}/choose",
    "api.review.choose",
    within(Role.REVIEWER),
    find=find_row,
    response=RowChanged,
)
def choose(request: HttpRequest, number: int, n: int, body: ChooseIn) -> dict[str, Any]:
    """Say which finding a row is, of those that it may be; ``version`` is the review's."""
    row: ImportRow = request.found  # type: ignore[attr-defined]
    row = dispositions.choose(row, body.finding or dispositions.A_NEW_ONE, expected_version=body.version)
    return row_shown(row) | {"version": row.review.version}

"""Checks of a review: their commands, whether they are allowed, and runs of them by the portal."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from portal.api.doors import Unfit, operation
from portal.api.shapes import Flag, Strict, moment
from portal.core.access import Role, within
from portal.core.doors import Found
from reviews import check_commands, verifying
from reviews.models import Check, Review, Verification
from reviews.queries import verifications
from reviews.verification_views import find_check as find_asked
from reviews.views import find_review
from tickets import policy


class RunOut(Schema):
    id: int
    review: int
    command: str
    # asked, ended or failed
    state: str
    # as it was asked for, and as it was looked up; empty until then
    asked: str
    commit: str
    # passed, failed, no_tests, timed_out or not_started; empty until it has ended
    outcome: str
    exit_code: int | None
    seconds: float | None
    summary: str
    # the end of what it wrote
    output: str
    error: str
    asked_by: str
    asked_at: str
    ended_at: str | None


class NamedCheckOut(Schema):
    n: int
    name: str
    # by the document's word
    outcome: str
    # empty where it names none that can be run without a shell
    command: str
    allowed: bool
    runs: list[RunOut]


class NamedChecks(Schema):
    items: list[NamedCheckOut]
    more: int


class AllowIn(Strict):
    # the exact text that was read
    command: str = Field(max_length=300)
    allowed: Flag


class AllowedOut(Schema):
    command: str
    allowed: bool


class VerifyIn(Strict):
    # a commit, branch or tag; empty: the target branch
    at: str = Field("", max_length=200)


class RunsOut(Schema):
    items: list[RunOut]


SHOWN = 200


def find_check(number: int, n: int) -> Found | None:
    found = find_asked(number, n)
    return Found(found.object.check, found.scope) if found else None


def shown(run: Verification) -> dict[str, Any]:
    return {
        "id": run.pk,
        "review": run.review_id,
        "command": run.command,
        "state": run.state,
        "asked": run.asked,
        "commit": run.commit,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "seconds": run.seconds,
        "summary": run.summary,
        "output": getattr(run, "end", ""),
        "error": run.error,
        "asked_by": run.asked_label,
        "asked_at": moment(run.asked_at),
        "ended_at": moment(run.ended_at),
    }


@operation(
    "get",
    "/reviews/{int:number}/checks",
    "api.checks",
    within(Role.VIEWER),
    find=find_review,
    response=NamedChecks,
)
def checks(request: HttpRequest, number: int) -> dict[str, Any]:
    """The checks that a document names, the command of each, and the newest runs of it by the portal."""
    review: Review = request.found  # type: ignore[attr-defined]
    rows = review.checks.order_by("n")
    items = [
        {
            "n": found.check.n,
            "name": found.check.name,
            "outcome": found.check.outcome,
            "command": found.command,
            "allowed": found.allowed is not None,
            "runs": [shown(run) for run in found.runs],
        }
        for found in verifications.of_checks(review, list(rows[:SHOWN]))
    ]
    return {"items": items, "more": rows.count() - len(items)}


@operation(
    "post",
    "/reviews/{int:number}/checks/{int:n}/allow",
    "api.check.allow",
    within(Role.OWNER),
    find=find_check,
    response=AllowedOut,
)
def allow(request: HttpRequest, number: int, n: int, body: AllowIn) -> dict[str, Any]:
    """Allow the exact command of a check for the project, or take that back."""
    check: Check = request.found  # type: ignore[attr-defined]
    verifying.allow(check, command=body.command, allowed=body.allowed, by=request.user)  # type: ignore[arg-type]
    return {"command": check_commands.of_check(check), "allowed": body.allowed}


@operation(
    "post",
    "/reviews/{int:number}/checks/{int:n}/run",
    "api.check.run",
    within(Role.OPERATOR),
    find=find_check,
    response=RunOut,
)
def run(request: HttpRequest, number: int, n: int, body: VerifyIn) -> dict[str, Any]:
    """Have a check run at a commit, where its command is allowed; a worker does."""
    return shown(verifying.ask(request.found, at=_at(body), by=request.user))  # type: ignore[attr-defined, arg-type]


@operation(
    "post",
    "/reviews/{int:number}/checks/run",
    "api.checks.run",
    within(Role.OPERATOR),
    find=find_review,
    response=RunsOut,
)
def run_all(request: HttpRequest, number: int, body: VerifyIn) -> dict[str, Any]:
    """Have each check run whose command is allowed."""
    made = verifying.ask_all(request.found, at=_at(body), by=request.user)  # type: ignore[attr-defined, arg-type]
    return {"items": [shown(run) for run in made]}


def _at(body: VerifyIn) -> str:
    asked = body.at.strip()
    if problem := policy.branch_problem(asked):
        raise Unfit("at", problem, 422)
    return asked

"""May this commit ship? Asked before a merge, by whatever merges."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Schema

from deployments import judging
from portal.api.doors import Unfit, operation
from portal.api.operations.deployments import ReasonOut
from portal.api.shapes import Strict, moment, project_by_key
from portal.core.access import Role, within
from tickets import policy
from tickets.models import Project


class StatusOut(Schema):
    state: str
    description: str
    target_url: str


class GithubStatusOut(StatusOut):
    context: str


class GitlabStatusOut(StatusOut):
    name: str


class VerdictOut(Schema):
    commit: str
    # ship, ship_after or do_not_ship
    answer: str
    # what it saw has changed since, or its time is over: ask again
    stale: bool
    policy: int
    digest: str
    reasons: list[ReasonOut]
    reasons_more: int
    at: str
    valid_until: str | None
    # the bodies of their commit statuses
    github: GithubStatusOut
    gitlab: GitlabStatusOut


class AskIn(Strict):
    # a commit, branch or tag; empty: the target branch
    asked: str = Field("", max_length=200)


class AskedOut(Schema):
    # a worker judges; its verdict is read by the commit's name
    job: int


@operation(
    "post",
    "/projects/{key}/verdicts",
    "api.verdict.ask",
    within(Role.OPERATOR),
    find=project_by_key,
    response=AskedOut,
)
def ask(request: HttpRequest, key: str, body: AskIn) -> dict[str, Any]:
    """Have a commit, branch or tag judged by the project's policy and its findings as they are."""
    project: Project = request.found  # type: ignore[attr-defined]
    asked = body.asked.strip()
    if problem := policy.branch_problem(asked):
        raise Unfit("asked", problem, 422)
    return {"job": judging.ask(project, asked).pk}


@operation(
    "get",
    "/projects/{key}/verdicts/{commit}",
    "api.verdict",
    within(Role.VIEWER),
    find=lambda key, commit: project_by_key(key),
    response=VerdictOut,
)
def verdict(request: HttpRequest, key: str, commit: str) -> dict[str, Any]:
    """The newest verdict on a commit, and whether it is stale. The commit is named whole, or by its first letters."""
    found = judging.newest(request.found, commit.strip().lower()[:64])  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    standing = judging.standing(found)
    names = ("commit", "answer", "policy", "digest", "reasons")
    return {name: getattr(found, name) for name in names} | {
        "stale": standing.stale,
        "reasons_more": found.untold,
        "at": moment(found.at),
        "valid_until": moment(found.valid_until),
        "github": judging.github_status(standing),
        "gitlab": judging.gitlab_status(standing),
    }

"""A project's settings: read, and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Schema

from portal.api.doors import Unfit, operation
from portal.api.shapes import Flag, Versioned, bounded, project_by_key
from portal.core.access import Role, within
from tickets import policy, projects
from tickets.models import Project


class SettingsOut(Schema):
    key: str
    version: int
    name: str
    repository: str
    target_branch: str
    merge_strategy: str
    landing: str
    # each a list of arguments; no shell reads them
    checks: list[list[str]]
    allowed_paths: list[str]
    second_agent: bool
    default_answers: bool


class SettingsIn(Versioned):
    """What is not sent stays as it is."""

    name: str = ""
    repository: str = ""
    target_branch: str = ""
    merge_strategy: Literal["merge", "rebase"] = "merge"
    landing: Literal["push", "branch"] = "push"
    checks: list[list[str]] = []
    allowed_paths: list[str] = []
    second_agent: Flag = False
    default_answers: Flag = False


RULES: Final[dict[str, Callable[[Any], str]]] = {
    "repository": policy.repository_problem,
    "target_branch": policy.branch_problem,
    "checks": policy.checks_problem,
    "allowed_paths": policy.paths_problem,
}


def shown(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in SettingsOut.model_fields}


def fit(asked: dict[str, Any]) -> dict[str, Any]:
    """What was sent, by the rules of the page. Raises ``Unfit``."""
    for name, most in (("repository", 500), ("target_branch", 200)):
        bounded(name, asked.get(name, ""), most)
    if "name" in asked:
        asked["name"] = bounded("name", " ".join(asked["name"].split()), 100, required=True)
    for name, problem_of in RULES.items():
        if name in asked and (problem := problem_of(asked[name])):
            raise Unfit(name, problem)
    return asked


@operation(
    "get",
    "/projects/{key}/settings",
    "api.project.settings",
    within(Role.VIEWER),
    find=project_by_key,
    response=SettingsOut,
)
def settings(request: HttpRequest, key: str) -> dict[str, Any]:
    return shown(request.found)  # type: ignore[attr-defined]


@operation(
    "post",
    "/projects/{key}/settings",
    "api.project.change",
    within(Role.OWNER),
    find=project_by_key,
    response=SettingsOut,
)
def change(request: HttpRequest, key: str, body: SettingsIn) -> dict[str, Any]:
    """Other settings; an old ``version`` is refused, and nothing is written."""
    asked = fit(body.model_dump(exclude_unset=True, exclude={"version"}))
    return shown(projects.change(request.found, expected_version=body.version, **asked))  # type: ignore[attr-defined]

"""A project's settings through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import World
from tickets.models import Project

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
URL = "/projects/MC/settings"


def change(call: Call, world: World, **asked: Any) -> Any:
    return call("post", URL, world.owner, {"version": 1} | asked)


def test_whoever_sees_a_project_reads_them(call: Call, world: World) -> None:
    assert call("get", URL, world.viewer).json() == {
        "key": "MC",
        "version": 1,
        "name": "Mission control",
        "repository": "",
        "target_branch": "",
        "merge_strategy": "merge",
        "landing": "push",
        "checks": [],
        "allowed_paths": [],
        "second_agent": False,
        "default_answers": False,
    }
    assert call("get", URL, world.outsider).status_code == 404


def test_what_is_not_sent_stays_as_it_is(call: Call, world: World) -> None:
    first = change(call, world, checks=[["make", "test"]], second_agent=True, target_branch="main")
    assert (first.status_code, first.json()["version"]) == (200, 2)
    second = change(call, world, version=2, allowed_paths=["src/"]).json()
    assert (second["checks"], second["allowed_paths"], second["target_branch"]) == (
        [["make", "test"]],
        ["src/"],
        "main",
    )
    # What is sent empty is emptied.
    assert change(call, world, version=3, checks=[]).json()["checks"] == []


def test_only_an_owner_changes_them(call: Call, world: World) -> None:
    assert call("post", URL, world.releaser, {"version": 1, "name": "x"}).status_code == 403


def test_an_old_version_is_refused_and_changes_nothing(call: Call, world: World) -> None:
    change(call, world, name="Theirs")
    answer = change(call, world, name="Mine")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "refused")
    assert Project.objects.get(key="MC").name == "Theirs"


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("name", " ", 400),
        ("name", "x" * 101, 413),
        ("name", None, 400),
        ("repository", "https://me:hunter2@example.org/x", 400),
        ("repository", "/" + "x" * 500, 413),
        ("target_branch", "a..b", 400),
        ("target_branch", "x" * 201, 413),
        ("merge_strategy", "squash", 400),
        ("landing", "force", 400),
        ("checks", "make test", 400),
        ("checks", [[]], 400),
        ("checks", [["a"]] * 11, 400),
        ("checks", [["sh", "-c", "a\nb"]], 400),
        ("allowed_paths", ["/etc"], 400),
        ("second_agent", 1, 400),
        ("key", "ZZ", 400),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    call: Call, world: World, field: str, value: Any, status: int
) -> None:
    answer = change(call, world, **{field: value})
    error = answer.json()["error"]
    assert (answer.status_code, error["field"].partition(".")[0]) == (status, field), error
    assert Project.objects.get(key="MC").version == 1

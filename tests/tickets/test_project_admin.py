"""A project's settings in the admin: the same rules as on its page, under its version, changed fields only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core.models import Activity
from tickets import projects
from tickets.models import Project

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]
EMPTY = {f"memberships-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
COLUMNS = ("name", "repository", "target_branch", "merge_strategy", "landing", "checks", "allowed_paths")


@pytest.fixture
def admin(world: World, sign_in: Callable[..., Client]) -> Client:
    return sign_in(world.admin)


def address(of: Project) -> str:
    return reverse("admin:tickets_project_change", args=[of.pk])


def opened(admin: Client, of: Project) -> dict[str, Any]:
    """What a browser would send of the page as it stands."""
    form = admin.get(address(of)).context["adminform"].form
    sent = {name: form[name].value() for name in (*COLUMNS, "seen")}
    return sent | {f"initial-{name}": sent[name] for name in COLUMNS} | EMPTY


def stored() -> Project:
    return Project.objects.get(key="MC")


def test_lines_become_commands_and_come_back_as_lines(admin: Client, world: World) -> None:
    form = opened(admin, world.mc) | {"checks": "make test\r\npytest -k 'a or b'", "allowed_paths": "src/"}
    assert admin.post(address(world.mc), form).status_code == 302
    assert (stored().checks, stored().version) == ([["make", "test"], ["pytest", "-k", "a or b"]], 2)
    assert stored().allowed_paths == ["src/"]
    assert opened(admin, world.mc)["checks"] == "make test\npytest -k 'a or b'"
    changed = Activity.objects.get(verb="project.changed")
    assert set(changed.after) == {"checks", "allowed_paths"}


def test_a_page_that_is_saved_as_it_stands_changes_nothing(admin: Client, world: World) -> None:
    projects.change(world.mc, expected_version=1, checks=[["sh", "-c", "a && b"]], second_agent=True)
    form = opened(admin, world.mc) | {"second_agent": "on", "initial-second_agent": "True"}
    assert admin.post(address(world.mc), form).status_code == 302
    assert (stored().version, stored().second_agent) == (2, True)


def test_a_form_of_an_older_version_is_answered_with_both(admin: Client, world: World) -> None:
    form = opened(admin, world.mc) | {"checks": "make lint"}
    projects.change(stored(), expected_version=1, checks=[["make", "test"]], name="Theirs", default_answers=True)
    answer = admin.post(address(world.mc), form)
    page = answer.content.decode()
    assert "It has changed since you opened it" in page
    assert "Now it is: make test" in page
    shown = answer.context["adminform"].form
    assert shown["checks"].value() == "make lint"
    # What its sender did not touch is what is stored: to save again takes nothing back.
    assert (shown["name"].value(), str(shown["default_answers"].value())) == ("Theirs", "True")
    assert stored().checks == [["make", "test"]]
    again = {name: shown[name].value() for name in (*COLUMNS, "seen")} | {"default_answers": "on"} | EMPTY
    again |= {f"initial-{name}": shown.data[f"initial-{name}"] for name in (*COLUMNS, "default_answers")}
    assert admin.post(address(world.mc), again).status_code == 302
    assert (stored().checks, stored().name, stored().default_answers) == ([["make", "lint"]], "Theirs", True)


def test_what_changes_between_the_check_and_the_writing_loses_nothing_typed(
    admin: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, change = opened(admin, world.mc) | {"name": "Mine"}, projects.change

    def beaten(project: Project, **asked: Any) -> Project:
        monkeypatch.setattr(projects, "change", change)
        change(stored(), expected_version=1, name="Theirs")
        return change(project, **asked)

    monkeypatch.setattr(projects, "change", beaten)
    page = admin.post(address(world.mc), form).content.decode()
    assert "Mine" in page
    assert "has changed since you opened it" in page


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("checks", "make\necho 'a", "Line 2: a quote is opened and not closed."),
        ("allowed_paths", "/etc", "Line 1: "),
        ("target_branch", "-d", "begins with a hyphen"),
        ("repository", "https://me:hunter2@example.org/x", "no place for secrets"),
        ("merge_strategy", "squash", "not one of the available choices"),
    ],
)
def test_the_rules_of_the_page_hold_here(admin: Client, world: World, field: str, typed: str, said: str) -> None:
    answer = admin.post(address(world.mc), opened(admin, world.mc) | {field: typed})
    form = answer.context["adminform"].form
    assert said in str(form.errors[field])
    assert form[field].value() == typed
    assert stored().version == 1


def test_no_form_writes_what_is_not_its_own(admin: Client, world: World) -> None:
    form = opened(admin, world.mc) | {"name": "New", "key": "ZZ", "version": 50}
    assert admin.post(address(world.mc), form).status_code == 302
    assert (stored().name, stored().version) == ("New", 2)

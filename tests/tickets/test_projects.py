"""A project's settings: written under a version, only what differs, with history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.lifecycle import Stale
from portal.core.models import Activity
from portal.live.models import Event
from tests.factories import project
from tickets import projects
from tickets.models import Project

if TYPE_CHECKING:
    from tests.factories import World


def changes(of: Project) -> list[tuple[dict[str, object], dict[str, object]]]:
    rows = Activity.objects.filter(subject=of.scope, verb="project.changed").order_by("id")
    return [(row.before, row.after) for row in rows]


def test_only_what_differs_is_written_and_told(world: World) -> None:
    changed = projects.change(world.mc, expected_version=1, name=world.mc.name, checks=[["make", "test"]])
    assert changes(world.mc) == [({"checks": []}, {"checks": [["make", "test"]]})]
    assert (changed.version, changed.checks) == (2, [["make", "test"]])
    assert Event.objects.filter(kind="project", object=world.mc.scope).count() == 1


def test_what_is_there_already_is_no_change(world: World) -> None:
    projects.change(world.mc, expected_version=1, name=world.mc.name, second_agent=False)
    assert changes(world.mc) == []
    assert Project.objects.get(pk=world.mc.pk).version == 1


def test_an_old_version_writes_nothing_even_where_another_field_was_changed(world: World) -> None:
    old = Project.objects.get(pk=world.mc.pk)
    projects.change(world.mc, expected_version=1, name="Theirs")
    with pytest.raises(Stale, match="Project MC has changed since you opened it"):
        projects.change(old, expected_version=1, target_branch="mine")
    stored = Project.objects.get(pk=world.mc.pk)
    assert (stored.name, stored.target_branch, stored.version) == ("Theirs", "", 2)
    assert len(changes(world.mc)) == 1


def test_another_project_is_left_as_it_is(world: World) -> None:
    other = project("XX", "Another")
    projects.change(world.mc, expected_version=1, merge_strategy="rebase")
    other.refresh_from_db()
    assert (other.merge_strategy, other.version) == ("merge", 1)

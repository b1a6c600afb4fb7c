"""Whose history a row is: said with it, or where its subject was announced; what has none is for admins."""

from __future__ import annotations

import pytest

from portal.core.models import Activity
from portal.core.unit import Pointer, unit_of_work

pytestmark = pytest.mark.django_db


def scope_of(subject: str) -> str | None:
    return Activity.objects.get(subject=subject).scope


def test_a_scope_that_is_said_is_kept() -> None:
    with unit_of_work() as work:
        work.record("door.mended", "door:1", scope="project:7")
        work.announce("project:3", Pointer("door", "door:1", 1))
    assert scope_of("door:1") == "project:7"


def test_it_follows_from_where_the_subject_was_announced() -> None:
    with unit_of_work() as work:
        work.record("door.mended", "door:1")
        work.record("door.mended", "door:2")
        work.announce("door:1", Pointer("door", "door:1", 1))
        work.announce("project:3", Pointer("door", "door:1", 1))
    assert (scope_of("door:1"), scope_of("door:2")) == ("project:3", "")


def test_a_part_of_a_thing_lies_where_the_thing_lies() -> None:
    """A turn is announced on its ticket's stream, and the ticket on its project's."""
    with unit_of_work() as work:
        work.record("hinge.oiled", "hinge:1")
        work.announce("door:1", Pointer("hinge", "hinge:1", 1))
        work.announce("project:3", Pointer("door", "door:1", 1))
    assert scope_of("hinge:1") == "project:3"


def test_a_scope_that_changes_is_its_own() -> None:
    with unit_of_work() as work:
        work.record("project.changed", "project:3")
    assert scope_of("project:3") == "project:3"


def test_what_was_announced_and_taken_back_tells_nothing() -> None:
    with unit_of_work() as work:
        work.record("door.mended", "door:1")
        with pytest.raises(ZeroDivisionError), unit_of_work() as inner:
            inner.announce("project:3", Pointer("door", "door:1", 1))
            raise ZeroDivisionError
    assert scope_of("door:1") == ""


def test_all_that_happens_in_a_project_has_its_scope() -> None:
    """Otherwise it would be hidden from the project's own people."""
    from tests.walking import objects

    scope = objects.build().world.mc.scope
    rows = Activity.objects.exclude(subject__startswith="secret:").exclude(subject__startswith="token:")
    # A paused kind, and a limit of one, are the installation's.
    rows = rows.exclude(verb="queue.paused")
    assert rows.filter(scope=scope).count() > 10
    assert sorted(rows.exclude(scope=scope).values_list("verb", "subject")) == []

"""What a service needs beside it, at its gate; said by owners, without circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import dependencies, gates
from deployments.models import Dependency, Placement
from portal.core.lifecycle import Stale
from portal.core.models import Activity
from tests import factories
from tests.deployments import build, pages
from tests.deployments.pages import Place

if TYPE_CHECKING:
    from tests.factories import World


def asked(deployment: Any) -> Any:
    found = gates.look(pages.again(deployment)).conditions
    (condition,) = [condition for condition in found if condition.kind == "needs"]
    return condition


def test_what_it_needs_stands_where_it_goes_and_is_not_on_its_way(world: World) -> None:
    database = pages.place(world.mc, "database")
    web = Place(world.mc, pages.place(world.mc, "web", "other").service, database.environment)
    dependencies.change(web.service, expected_version=1, needs={"database": 2})
    waits = web.ask(world.releaser)
    condition = asked(waits)
    assert not condition.met and condition.text == "database stands in production, database-2 or later"
    assert condition.url == f"/deployments/new/?service={database.service.pk}&environment={database.environment.pk}"
    database.put(world.releaser, pages.OLDER)
    assert "database-1 stands there" in asked(waits).detail and not asked(waits).met
    moving = database.ask(world.releaser)
    pages.walked(moving, steps=1)
    assert f"deployment {moving.pk} is on its way there" in asked(waits).detail
    assert asked(waits).url == moving.get_absolute_url() and not asked(waits).met
    pages.walked(moving)
    assert asked(waits).met
    Placement.objects.update(release=None)
    assert "is not known since" in asked(waits).detail and not asked(waits).met


def test_needs_are_set_under_the_version_that_was_seen(world: World) -> None:
    web, database, queue = (build.service(world.mc, name) for name in ("web", "database", "queue"))
    dependencies.change(web, expected_version=1, needs={"database": 0, "queue": 12})
    assert dependencies.written(dependencies.of(web)) == "database, queue 12"
    with pytest.raises(Stale):
        dependencies.change(web, expected_version=1, needs={})
    assert dependencies.change(web, expected_version=1, needs={"database": 0, "queue": 12}).version == 2, "the same"
    dependencies.change(web, expected_version=2, needs={})
    rows = Activity.objects.filter(subject=web.subject, verb="service.needs_set").order_by("pk")
    assert [row.after for row in rows] == [{"needs": {"database": 0, "queue": 12}}, {"needs": {}}]
    assert not Dependency.objects.exists() and database.version == queue.version == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("nobody", "MC has no service nobody."),
        ("web", "does not need itself"),
        ("database, database 2", "given twice"),
        ("database two", "is no name of a service with the number"),
        ("database 1 2", "is no name of a service with the number"),
        ("database -1", "is no name of a service with the number"),
        ("database 99999999999", "is a number from 1 to"),
        ("lantern", "MC has no service lantern."),
        ("queue", "needs web already, itself or by what it needs"),
    ],
)
def test_what_cannot_be_needed_is_said(world: World, typed: str, sentence: str) -> None:
    web, database, queue = (build.service(world.mc, name) for name in ("web", "database", "queue"))
    build.service(factories.project("LAN", "Lantern"), "lantern")
    dependencies.change(database, expected_version=1, needs={"web": 0})
    dependencies.change(queue, expected_version=1, needs={"database": 0})
    with pytest.raises(dependencies.BadNeed, match=sentence):
        dependencies.change(web, expected_version=1, needs=dependencies.read(typed))
    assert dependencies.of(web) == {}

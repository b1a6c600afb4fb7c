"""A statement built once for each kind of reader says of each what one built for them alone would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import CharField, Value
from django.db.models.functions import Concat

from portal.core.access import Role, own_scope
from portal.core.models import User
from portal.site import tallies
from portal.site.statements import Statement
from tickets.models import Membership, Project, Ticket, TicketState

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def test_each_reader_has_the_numbers_of_their_own_statement(world: World, fill: Callable[[int], None]) -> None:
    fill(2)
    statement = Statement(tallies._row)
    others = [Project.objects.create(key=f"PX{n}", name="x", repository="/x") for n in range(3)]
    for n, project in enumerate(others):
        rows = [
            Ticket(project=project, number=i, key=f"PX{n}-{i}", title="t", state=TicketState.FAILED)
            for i in range(1, n + 2)
        ]
        Ticket.objects.bulk_create(rows)
    people = [world.admin, world.owner, world.viewer, world.outsider]
    # Of one kind, in other projects, and with the roles the other way round.
    for n, held in enumerate([(Role.OWNER, Role.VIEWER), (Role.VIEWER, Role.OWNER), (Role.RELEASER, Role.RELEASER)]):
        person = User.objects.create_user(f"reader{n}@example.org", "x")
        for project, role in zip(others[n % 2 :], held, strict=False):
            Membership.objects.create(project=project, user=person, role=role.value)
        people.append(person)
    found = [statement.row(person) for person in people]
    assert found == [tallies._row(person).first() for person in people]
    assert len({str(row) for row in found}) > 4


def test_the_next_reader_of_a_kind_has_nothing_of_the_first(world: World, fill: Callable[[int], None]) -> None:
    fill(1)
    statement = Statement(tallies._row)
    assert statement.row(world.viewer)["tickets"]
    other = User.objects.create_user("other@example.org", "x")
    empty = Project.objects.create(key="PXE", name="x", repository="/x")
    Membership.objects.create(project=empty, user=other, role=Role.VIEWER.value)
    assert statement.row(other)["tickets"] == 0


def test_what_cannot_be_told_apart_is_not_kept(world: World) -> None:
    def hidden(user: User) -> Any:
        said = Concat(Value(f"for {own_scope(user.pk)}"), Value("."), output_field=CharField())
        return User.objects.filter(pk=user.pk).values(said=said)

    with pytest.raises(ValueError, match="is not told apart"):
        Statement(hidden).row(world.viewer)

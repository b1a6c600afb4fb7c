"""Numbers are unique and without a gap, whoever asks at once."""

from __future__ import annotations

import pytest
from django.db import transaction

from portal.core import identifiers
from tests.factories import World
from tests.portal.core.things import take_numbers
from tests.workers.racing import race
from tickets.models import ProjectCounter
from tickets.work import create_ticket


@pytest.mark.django_db(transaction=True)
class TestAllocation:
    def test_processes_at_once_get_each_number_once_and_none_is_left_out(self, world: World, engine: str) -> None:
        processes, each = (64, 5) if engine == "postgresql" else (8, 10)
        taken = race(take_numbers, [(world.mc.pk, each)] * processes)
        assert sorted(n for mine in taken for n in mine) == list(range(1, processes * each + 1))
        assert ProjectCounter.objects.get(pk=world.mc.pk).last == processes * each

    def test_a_rollback_gives_the_number_back(self, world: World) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            assert list(identifiers.allocate(ProjectCounter, pk=world.mc.pk)) == [1]
            raise ZeroDivisionError
        assert create_ticket(world.mc, title="The first").key == "MC-1"

    def test_outside_a_transaction_it_is_refused(self, world: World) -> None:
        with pytest.raises(RuntimeError, match="inside the transaction"):
            identifiers.allocate(ProjectCounter, pk=world.mc.pk)


@pytest.mark.django_db
class TestCounting:
    def test_many_are_taken_together(self, world: World) -> None:
        assert list(identifiers.allocate(ProjectCounter, pk=world.mc.pk, count=3)) == [1, 2, 3]
        assert list(identifiers.allocate(ProjectCounter, pk=world.mc.pk, count=2)) == [4, 5]

    @pytest.mark.parametrize("count", [0, -1])
    def test_none_or_fewer_would_turn_the_counter_back(self, world: World, count: int) -> None:
        with pytest.raises(ValueError, match="At least one"):
            identifiers.allocate(ProjectCounter, pk=world.mc.pk, count=count)

    def test_a_counter_that_is_not_there_is_named(self, world: World) -> None:
        with pytest.raises(LookupError, match="no row 999999"):
            identifiers.allocate(ProjectCounter, pk=999_999)

    def test_numbers_of_deleted_tickets_are_not_given_again(self, world: World) -> None:
        create_ticket(world.mc, title="Gone").delete()
        assert create_ticket(world.mc, title="Next").key == "MC-2"

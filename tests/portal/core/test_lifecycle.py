"""A status changes through its transition alone, and the row count is the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Q

from portal.core import lifecycle
from portal.core.lifecycle import Gone, NotAllowedNow, Stale, amend
from portal.core.models import Activity
from portal.live.models import Event
from tests.factories import World, project
from tests.portal.core.things import begin_all, ticket_in
from tests.workers.racing import race
from tickets.models import Ticket
from tickets.transitions import TICKET

pytestmark = pytest.mark.django_db
Make = Callable[..., Ticket]


def history(ticket: Ticket, verb: str) -> list[Activity]:
    return list(Activity.objects.filter(subject=ticket.subject, verb=verb))


def events(ticket: Ticket) -> list[int]:
    rows = Event.objects.filter(stream_id=ticket.subject, object=ticket.subject).order_by("seq")
    return list(rows.values_list("object_version", flat=True))


class TestMoving:
    def test_of_two_stale_copies_one_wins_and_the_other_is_told_what_is_possible(self, ticket: Make) -> None:
        first = ticket("queued")
        second = Ticket.objects.get(pk=first.pk)
        before = events(first)
        TICKET.move(first, "begin")
        with pytest.raises(NotAllowedNow) as refused:
            TICKET.move(second, "begin")
        assert (refused.value.state, refused.value.verb) == ("running", "begin")
        assert "submit" in refused.value.allowed
        assert "is running, so it cannot begin" in str(refused.value)
        assert len(history(first, "ticket.begin")) == 1
        assert events(first) == [*before, 2]
        assert Ticket.objects.get(pk=first.pk).version == 2

    def test_the_loser_changes_nothing_else_either(self, ticket: Make) -> None:
        first = ticket("queued")
        second = Ticket.objects.get(pk=first.pk)
        TICKET.move(first, "begin")
        with pytest.raises(NotAllowedNow):
            TICKET.move(second, "begin", accepted_commit="f" * 40)
        assert Ticket.objects.get(pk=first.pk).accepted_commit == ""

    def test_a_copy_that_is_old_moves_where_the_verb_fits_the_state_there_is(self, ticket: Make) -> None:
        copy = ticket("queued")
        Ticket.objects.filter(pk=copy.pk).update(state="running")
        TICKET.move(copy, "stop")
        (entry,) = history(copy, "ticket.stop")
        assert entry.before == {"state": "running"}
        assert Ticket.objects.get(pk=copy.pk).state == "open"

    def test_the_row_in_hand_carries_what_was_written(self, ticket: Make) -> None:
        found = ticket("in_review")
        stamped = found.updated_at
        TICKET.move(found, "accept", accepted_commit="f" * 40)
        assert (found.state, found.version, found.accepted_commit) == ("merging", 2, "f" * 40)
        assert found.updated_at > stamped

    def test_history_says_before_after_and_why(self, ticket: Make) -> None:
        found = ticket("in_review")
        TICKET.move(found, "accept", reason="It holds.", accepted_commit="f" * 40)
        (entry,) = history(found, "ticket.accept")
        assert entry.before == {"state": "in_review"}
        assert entry.after == {"state": "merging", "accepted_commit": "f" * 40}
        assert entry.reason == "It holds."

    def test_an_old_version_is_stale_and_both_versions_are_named(self, ticket: Make) -> None:
        found = ticket("queued")
        TICKET.move(found, "stop")
        TICKET.move(found, "wait_again")
        with pytest.raises(Stale, match="version 1, now 3") as stale:
            TICKET.move(found, "begin", expected_version=1)
        assert (stale.value.seen, stale.value.now) == (1, 3)
        assert not history(found, "ticket.begin")

    def test_the_version_there_is_passes(self, ticket: Make) -> None:
        assert TICKET.move(ticket("queued"), "begin", expected_version=1).version == 2

    def test_a_row_that_was_deleted_is_gone(self, ticket: Make) -> None:
        found = ticket("queued")
        Ticket.objects.filter(pk=found.pk).delete()
        with pytest.raises(Gone, match="not there any more"):
            TICKET.move(found, "begin")

    def test_where_narrows_the_update(self, ticket: Make) -> None:
        found = ticket("queued")
        with pytest.raises(NotAllowedNow):
            TICKET.move(found, "begin", where=Q(accepted_commit="another"))
        assert TICKET.move(found, "begin", where=Q(accepted_commit="")).state == "running"

    def test_a_verb_that_is_no_verb_is_a_mistake_of_the_caller(self, ticket: Make) -> None:
        with pytest.raises(KeyError):
            TICKET.move(ticket(), "explode")

    def test_the_database_knows_no_other_state(self, ticket: Make) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            ticket("exploded")


class TestAmending:
    def test_only_fields_that_differ_are_written(self, ticket: Make) -> None:
        copy = ticket()
        Ticket.objects.filter(pk=copy.pk).update(body="Another hand wrote this.", state="running")
        amend(copy, TICKET, "amended", expected_version=1, title="Oil the door")
        stored = Ticket.objects.get(pk=copy.pk)
        assert (stored.title, stored.body, stored.state) == ("Oil the door", "Another hand wrote this.", "running")
        (entry,) = history(copy, "ticket.amended")
        assert (entry.before, entry.after) == ({"title": "Mend the door"}, {"title": "Oil the door"})
        assert events(copy)[-1] == copy.version == 2

    def test_what_is_compared_is_the_stored_row_and_not_the_copy_in_hand(self, ticket: Make) -> None:
        copy = ticket()
        Ticket.objects.filter(pk=copy.pk).update(title="Replace the door", version=2)
        amend(copy, TICKET, "amended", expected_version=2, title="Mend the door")
        assert Ticket.objects.get(pk=copy.pk).title == "Mend the door"
        assert history(copy, "ticket.amended")[0].before == {"title": "Replace the door"}

    def test_nothing_that_differs_is_nothing_written(self, ticket: Make) -> None:
        copy = ticket()
        amend(copy, TICKET, "amended", expected_version=1, title="Mend the door")
        assert Ticket.objects.get(pk=copy.pk).version == 1
        assert not history(copy, "ticket.amended")

    def test_an_old_version_is_refused_and_nothing_is_written(self, ticket: Make) -> None:
        copy = ticket()
        Ticket.objects.filter(pk=copy.pk).update(version=4)
        with pytest.raises(Stale, match="version 1, now 4"):
            amend(copy, TICKET, "amended", expected_version=1, title="Oil the door")
        assert Ticket.objects.get(pk=copy.pk).title == "Mend the door"

    def test_a_row_that_was_deleted_is_gone(self, ticket: Make) -> None:
        copy = ticket()
        Ticket.objects.filter(pk=copy.pk).delete()
        with pytest.raises(Gone):
            amend(copy, TICKET, "amended", expected_version=1, title="Oil the door")


class TestTables:
    @pytest.mark.parametrize("machine", lifecycle.declared(), ids=lambda machine: machine.kind)
    def test_every_arrow_is_between_states_that_exist(self, machine: lifecycle.Machine) -> None:
        for step in machine.transitions.values():
            assert step.sources <= set(machine.states.values)
            assert step.target in machine.states.values

    @pytest.mark.parametrize("machine", lifecycle.declared(), ids=lambda machine: machine.kind)
    def test_every_state_has_a_way_in_or_a_way_out(self, machine: lifecycle.Machine) -> None:
        ways = {step.target for step in machine.transitions.values()}
        ways |= {source for step in machine.transitions.values() for source in step.sources}
        assert ways == set(machine.states.values)

    def test_what_is_allowed_is_what_the_table_says(self) -> None:
        assert [step.verb for step in TICKET.allowed("done")] == ["reopen"]


class TestWords:
    def test_history_keeps_plain_values_and_cuts_long_ones(self) -> None:
        assert lifecycle.plain({"a": [1, None, True]}) == {"a": [1, None, True]}
        assert lifecycle.plain("x" * 500) == "x" * 500
        assert lifecycle.plain("x" * 501).endswith("… (501 characters)")
        assert lifecycle.plain(project) == str(project)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_among_processes_each_of_200_rounds_has_exactly_one_winner(world: World) -> None:
    tickets = [ticket_in(world.mc, "queued") for _ in range(200)]
    start = time.monotonic() + 1.0
    won = race(begin_all, [(tickets, start)] * 6)
    assert sorted(pk for mine in won for pk in mine) == sorted(ticket.pk for ticket in tickets)
    assert sum(1 for mine in won if mine) > 1, "the racers never met"
    assert Activity.objects.filter(verb="ticket.begin").count() == 200
    assert set(Ticket.objects.values_list("state", "version")) == {("running", 2)}

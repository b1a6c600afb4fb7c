"""The tables of tickets and turns, against every state and against a model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from portal.core.lifecycle import NotAllowedNow, Stale

if TYPE_CHECKING:
    from tests.factories import World

VERBS = [
    "assign", "review", "answer", "begin", "wait_again", "submit", "leave_unproven", "ask", "block", "fail", "stop",
    "end_review", "end_reading", "accept", "land", "send_back", "keep_in_review", "reopen",
]  # fmt: skip


def test_every_verb_of_a_ticket_from_every_state(world: World) -> None:
    from tests.lifecycles import every_verb_from_every_state
    from tests.tickets import build
    from tickets.transitions import TICKET

    assert list(TICKET.transitions) == VERBS
    every_verb_from_every_state(TICKET, lambda state: build.ticket(world.mc, state))


def test_every_verb_of_a_turn_from_every_state(world: World) -> None:
    from tests.lifecycles import every_verb_from_every_state
    from tests.tickets import build
    from tickets.transitions import TURN

    every_verb_from_every_state(TURN, lambda state: build.turn(build.ticket(world.mc), state))


def test_an_old_version_is_stale_and_changes_nothing(world: World) -> None:
    from tests.tickets import build
    from tickets.transitions import TICKET

    ticket = build.ticket(world.mc)
    TICKET.move(ticket, "assign", expected_version=1)
    with pytest.raises(Stale, match=r"version 1, now 2"):
        TICKET.move(ticket, "begin", expected_version=1)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.version) == ("queued", 2)


def test_a_database_refuses_a_state_that_the_table_does_not_know(world: World) -> None:
    from django.db import IntegrityError

    from tests.tickets import build

    with pytest.raises(IntegrityError):
        build.ticket(world.mc, "nonsense")


class Tickets(RuleBasedStateMachine):
    """Several copies of one row, old and new, moved at random: the row follows the dictionary."""

    @initialize()
    def begin(self) -> None:
        from django.db import transaction

        from portal.core.models import Activity
        from tests import factories
        from tests.tickets import build
        from tickets.transitions import TICKET

        # Each example begins in the world that the last one found.
        self.around = transaction.atomic()
        self.around.__enter__()
        self.table = {verb: (step.sources, step.target) for verb, step in TICKET.transitions.items()}
        self.row = build.ticket(factories.project())
        self.copies: list[Any] = [type(self.row).objects.get(pk=self.row.pk) for _ in range(3)]
        self.state, self.version, self.lines = "open", 1, Activity.objects.count()

    @rule(copy=st.integers(0, 2), verb=st.sampled_from(VERBS), guess=st.none() | st.integers(1, 6))
    def move(self, copy: int, verb: str, guess: int | None) -> None:
        from tickets.transitions import TICKET

        sources, target = self.table[verb]
        allowed = self.state in sources and guess in {None, self.version}
        try:
            TICKET.move(self.copies[copy], verb, expected_version=guess)
        except (NotAllowedNow, Stale):
            assert not allowed
        else:
            assert allowed
            self.state, self.version, self.lines = target, self.version + 1, self.lines + 1
            assert self.copies[copy].state == target

    def teardown(self) -> None:
        from django.db import transaction

        if hasattr(self, "around"):
            transaction.set_rollback(True)
            self.around.__exit__(None, None, None)

    @invariant()
    def the_row_is_what_the_model_says(self) -> None:
        from portal.core.models import Activity

        if not hasattr(self, "row"):
            return
        self.row.refresh_from_db()
        assert (self.row.state, self.row.version) == (self.state, self.version)
        assert Activity.objects.count() == self.lines


@pytest.mark.django_db
def test_a_ticket_follows_its_model() -> None:
    chosen = settings(max_examples=25, stateful_step_count=20, deadline=None, database=None)
    run_state_machine_as_test(Tickets, settings=chosen)

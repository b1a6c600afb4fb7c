"""Tickets as people move them, and who follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.lifecycle import NotAllowedNow, Refused
from portal.core.models import Activity
from tests.tickets import build
from tickets import followers, opening, work
from tickets.models import ProjectCounter, Ticket
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World


def test_numbers_have_no_gap_and_a_rollback_gives_its_number_back(world: World) -> None:
    from portal.core.unit import unit_of_work

    assert work.create_ticket(world.mc, title="a").key == "MC-1"
    with pytest.raises(ZeroDivisionError), unit_of_work():
        assert work.create_ticket(world.mc, title="b").key == "MC-2"
        raise ZeroDivisionError
    assert [work.create_ticket(world.mc, title="c").key for _ in range(2)] == ["MC-2", "MC-3"]
    assert ProjectCounter.objects.get(project=world.mc).last == 3


def test_a_deleted_ticket_leaves_its_number(world: World) -> None:
    work.create_ticket(world.mc, title="a").delete()
    assert work.create_ticket(world.mc, title="b").key == "MC-2"


def test_a_new_ticket_has_one_line_of_history(world: World) -> None:
    ticket = work.create_ticket(world.mc, title="a", reason="Because.")
    assert list(Activity.objects.filter(subject=ticket.subject).values_list("verb", "reason")) == [
        ("ticket.created", "Because.")
    ]


def test_the_same_words_within_a_minute_are_one_ticket(world: World) -> None:
    first, made = opening.open_ticket(world.mc, title="a", body="b")
    again, made_again = opening.open_ticket(world.mc, title="a", body="b")
    other, made_other = opening.open_ticket(world.mc, title="a", body="c")
    assert (made, made_again, made_other) == (True, False, True)
    assert (first.pk, other.key) == (again.pk, "MC-2")


def test_assigning_enqueues_one_job_in_the_same_transaction(world: World) -> None:
    build.repository(world.mc)
    ticket, agent = build.ticket(world.mc), build.agent()
    work.assign(ticket, agent, expected_version=1)
    with pytest.raises(Refused):
        work.assign(ticket, agent, expected_version=1)
    with pytest.raises(NotAllowedNow):
        work.assign(ticket, agent)
    assert Job.objects.filter(kind="turn", unique_key=ticket.subject).count() == 1


def test_what_is_not_running_cannot_be_stopped(world: World) -> None:
    with pytest.raises(Refused, match="has no turn that could be stopped"):
        work.stop(build.ticket(world.mc), reason="x")


def test_followers_move_in_the_transaction_that_accepts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ticket: Ticket) -> None:
        raise Refused("A layer above says no.")

    ticket = build.ticket(world.mc, "in_review")
    monkeypatch.setattr(followers.accepted, "_followers", [refuse])
    with pytest.raises(Refused, match="says no"):
        work.accept(ticket, by=world.owner, reason="")
    ticket.refresh_from_db()
    assert (ticket.state, ticket.version) == ("in_review", 1)
    assert not Activity.objects.filter(subject=ticket.subject).exists()

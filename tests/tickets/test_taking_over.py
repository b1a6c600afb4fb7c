"""A person takes a ticket over and hands it back: no turn begins in between, by whatever entrance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused, Stale
from portal.core.models import Activity
from tests.tickets import asking
from tests.tickets.conversing import running, wait_for
from tests.tickets.workshop import GOOD, Workshop, newest
from tickets import conversation, questions, taking_over, work
from tickets.models import Delivery, Ticket
from workers import queue
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World
    from tests.signing_in import SignIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


def test_a_turn_that_waits_is_stopped_and_the_hand_back_queues_the_next_one_with_its_message(
    shop: Workshop, world: World
) -> None:
    agent = shop.agent(GOOD)
    ticket = work.assign(shop.ticket(), agent)
    taking_over.take(ticket, by=world.operator, reason="I know this door.", expected_version=ticket.version)
    assert (ticket.state, ticket.taken_label, Job.objects.get().state) == ("open", str(world.operator), "cancelled")
    assert shop.drain() == 0
    row = Activity.objects.get(verb="ticket.taken_over")
    assert (row.subject, row.reason, row.after) == (
        ticket.subject,
        "I know this door.",
        {"taken_by": str(world.operator)},
    )
    taking_over.hand_back(ticket, by=world.reviewer, agent=agent, message="I oiled one side.")
    assert (ticket.state, ticket.taken_at, ticket.taken_by, ticket.taken_label) == ("queued", None, None, "")
    assert shop.drain() == 1
    delivery = Delivery.objects.get()
    assert (delivery.message.body, delivery.turn, delivery.state) == (
        "I oiled one side.",
        newest(ticket),
        "acknowledged",
    )
    assert Activity.objects.filter(verb="ticket.handed_back", before={"taken_by": str(world.operator)}).exists()


def test_no_entrance_begins_a_turn_while_somebody_has_the_ticket(shop: Workshop, world: World) -> None:
    asking.defaults_answer(shop.project)
    question = asking.overdue(asking.ask(shop.project))
    ticket = question.ticket
    agent = ticket.agent_version.agent
    taking_over.take(ticket, by=world.operator)
    dead = queue.enqueue("turn", subject=ticket.subject, payload={"ticket": ticket.pk})
    queue.cancel(dead, reason="x")
    entrances = [
        lambda: work.assign(Ticket.objects.get(pk=ticket.pk), agent),
        lambda: questions.answer(question, by=world.operator, choice=0, text=""),
        lambda: queue.requeue(dead),
    ]
    Ticket.objects.filter(pk=ticket.pk, state="needs_person").update(state="failed")
    for entrance in entrances:
        with pytest.raises(Refused, match=f"{world.operator} has taken {ticket.key} over"):
            entrance()
    assert questions.answer_due() == 0
    assert not Job.objects.filter(state="queued", kind="turn").exists()
    conversation.post(ticket, author=world.operator, body="I write all the same.")


def test_a_stale_row_in_hand_does_not_begin_a_turn_either(shop: Workshop, world: World) -> None:
    agent, ticket = shop.agent(GOOD), shop.ticket()
    before = Ticket.objects.get(pk=ticket.pk)
    taking_over.take(ticket, by=world.operator)
    with pytest.raises(Refused, match="taken"):
        work.assign(before, agent)
    ticket.refresh_from_db()
    assert (ticket.state, Job.objects.count()) == ("open", 0)


def test_a_running_turn_is_stopped_and_only_then_handed_back_to_an_agent(
    shop: Workshop, world: World, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    agent = shop.agent([["mark", str(began)], ["sleep", 60]])
    ticket = work.assign(shop.ticket(), agent)
    with running():
        wait_for(began.exists)
        taking_over.take(ticket, by=world.operator)
        with pytest.raises(Refused, match="still being stopped"):
            taking_over.hand_back(ticket, by=world.operator, agent=agent)
    ticket.refresh_from_db()
    assert (ticket.state, newest(ticket).state, ticket.taken_at is not None) == ("open", "stopped", True)
    place = taking_over.place_of(ticket)
    assert place is not None
    shop.git("init", "-q", "-b", "main", str(tmp_path / "mine"))
    shop.git("fetch", "-q", place.path, place.branch, at=tmp_path / "mine")
    taking_over.hand_back(ticket, by=world.operator, agent=None)
    assert (ticket.state, ticket.taken_at) == ("open", None)


def test_it_is_taken_once_as_it_was_seen_and_not_where_nothing_is_left_to_do(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    with pytest.raises(Stale):
        taking_over.take(ticket, by=world.operator, expected_version=ticket.version + 1)
    with pytest.raises(Refused, match="Nobody has taken"):
        taking_over.hand_back(ticket, by=world.operator, agent=None)
    taking_over.take(ticket, by=world.operator)
    with pytest.raises(Refused, match=f"{world.operator} has {ticket.key} already"):
        taking_over.take(ticket, by=world.reviewer)
    Ticket.objects.filter(pk=ticket.pk).update(taken_at=None, taken_by=None, taken_label="", state="done")
    with pytest.raises(Refused, match="is done, so there is nothing to take over"):
        taking_over.take(ticket, by=world.operator)


def test_the_page_shows_who_has_it_and_keeps_what_was_typed_where_it_is_refused(
    shop: Workshop, world: World, sign_in: SignIn
) -> None:
    ticket, browser = shop.ticket(), sign_in(world.operator)
    url = ticket.get_absolute_url()
    taken = browser.post(f"{url}take/", {"expected_version": ticket.version, "reason": "Mine."}, follow=True)
    page = taken.content.decode()
    assert "took it over" in page and "Hand back" in page and 'id="assign-form"' not in page
    refused = browser.post(f"{url}hand-back/", {"expected_version": ticket.version, "message": "Kept words"})
    assert refused.status_code == 409 and "Kept words" in refused.content.decode()
    ticket.refresh_from_db()
    agent = shop.agent(GOOD)
    sent = {"expected_version": ticket.version, "message": "Go on.", "agent": agent.pk}
    assert browser.post(f"{url}hand-back/", sent).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.state, ticket.taken_at) == ("queued", None)

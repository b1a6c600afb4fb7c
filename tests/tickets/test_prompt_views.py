"""What the next turn will be told, shown before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils.html import escape

from tests.signing_in import ROLES, SignIn
from tests.tickets import build
from tickets import conversation, prompts
from tickets.models import Message, Purpose, Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]


@pytest.fixture
def ticket(world: World) -> Ticket:
    return build.ticket(world.mc, title="A <door>", body="It squeaks.")


def say(ticket: Ticket, world: World, body: str) -> Message:
    return conversation.post(ticket, author=world.operator, body=body)[0]


def test_it_is_the_text_that_the_turn_would_get_with_a_place_for_its_nonce(
    world: World, sign_in: SignIn, ticket: Ticket
) -> None:
    say(ticket, world, "Oil it <b>first</b>.")
    answer = sign_in(world.operator).get(f"/tickets/{ticket.key}/prompt/")
    preview = prompts.preview(ticket, Purpose.WORK)
    page = answer.content.decode()
    assert escape(preview.text) in page
    assert prompts.PLACEHOLDER in preview.text
    assert f"{len(preview.text)} characters, 1 new message<" in page
    assert "cut" not in page.partition("<main")[2].partition("<pre")[0]


def test_looking_gives_no_message_to_anybody(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    say(ticket, world, "Oil it.")
    for _ in range(2):
        sign_in(world.operator).get(f"/tickets/{ticket.key}/prompt/")
    assert conversation.waiting(ticket).count() == 1
    assert not ticket.turns.exists()


def test_what_is_cut_and_what_waits_is_said(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(body="x" * (prompts.MOST_CHARS + 1))
    for n in range(3):
        say(ticket, world, f"{n}" * 18_000)
    page = sign_in(world.operator).get(f"/tickets/{ticket.key}/prompt/").content.decode()
    assert "Something in it is cut" in page
    assert "1 message does not fit and waits for the turn after it." in page


def test_several_that_wait_are_several(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    for n in range(4):
        say(ticket, world, f"{n}" * 18_000)
    page = sign_in(world.operator).get(f"/tickets/{ticket.key}/prompt/").content.decode()
    assert "2 messages do not fit and wait for the turn after it." in page


def test_a_review_is_told_something_else(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    build.turn(ticket, head_commit=build.HEAD)
    browser = sign_in(world.operator)
    work, review, unknown = (
        browser.get(f"/tickets/{ticket.key}/prompt/{query}").context["preview"].text
        for query in ("", "?purpose=review", "?purpose=x")
    )
    assert review == prompts.preview(ticket, Purpose.REVIEW).text
    assert work == unknown != review


def test_it_is_for_those_who_may_assign(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    url = f"/tickets/{ticket.key}/prompt/"
    assert [sign_in(getattr(world, role)).get(url).status_code for role in ROLES] == [403, 200, 200, 200, 200]
    assert sign_in(world.outsider).get(url).status_code == 404


def test_the_ticket_leads_to_it_where_it_can_be_assigned(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    build.agent()
    link = f"/tickets/{ticket.key}/prompt/"
    assert link in sign_in(world.operator).get(ticket.get_absolute_url()).content.decode()
    assert link not in sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()

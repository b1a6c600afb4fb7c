"""Questions in the admin: looked at, and answered there and on the ticket's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from tests.signing_in import SignIn
from tests.tickets import asking
from tickets import questions
from tickets.models import Message, Question, Ticket

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(world: World, sign_in: SignIn) -> Client:
    return sign_in(world.admin)


def page(row: Ticket | Question) -> str:
    return reverse(f"admin:tickets_{row._meta.model_name}_change", args=[row.pk])


def do(client: Client, row: Ticket | Question, **sent: Any) -> Any:
    return client.post(page(row).replace("/change/", "/do/answer/"), sent)


def test_a_question_is_read_and_answered_on_its_page(world: World, admin: Client) -> None:
    question = asking.ask(world.mc, {"question": "Is it <b>so</b>?", "options": ["<i>Yes</i>", "No"], "default": 0})
    shown = admin.get(page(question)).content.decode()
    assert "Is it &lt;b&gt;so&lt;/b&gt;?" in shown and "<b>so</b>" not in shown and "<i>Yes" not in shown
    assert "Answer" in shown and 'name="_save"' not in shown
    assert do(admin, question, turn=3, choice="1", text="").status_code == 302
    question.refresh_from_db()
    assert (question.state, question.answer, question.answered_label) == ("answered", "No", "Admin")
    assert Message.objects.get().author == world.admin
    assert "do/answer" not in admin.get(page(question)).content.decode()


@pytest.mark.parametrize("of_ticket", [True, False])
def test_what_is_refused_stays_typed(world: World, admin: Client, of_ticket: bool) -> None:
    question = asking.ask(world.mc)
    questions.answer(question, by=world.operator, choice=2, text="")
    answer = do(admin, question.ticket if of_ticket else question, turn=3, choice="1", text="My words")
    text = answer.content.decode()
    assert answer.status_code == 409 and "answered already, by Operator" in text
    assert "My words" in text and "Replay the last 72 hours" in text


def test_an_open_question_is_answered_on_the_page_of_its_ticket(world: World, admin: Client) -> None:
    question = asking.ask(world.mc)
    ticket = question.ticket
    shown = admin.get(page(ticket)).content.decode()
    assert "do/answer" in shown and "1,204 rows were deleted" in shown and "Replay all" in shown
    assert do(admin, ticket, turn=3, choice="", text="In words").status_code == 302
    question.refresh_from_db()
    assert (question.state, question.answer, question.choice) == ("answered", "In words", None)
    assert "do/answer" not in admin.get(page(ticket)).content.decode()


def test_an_answer_to_an_earlier_question_answers_no_later_one(world: World, admin: Client) -> None:
    first = asking.ask(world.mc)
    second = asking.again(first.ticket, {"question": "Delete?", "options": ["Yes", "No"]}, seq=4)
    answer = do(admin, first.ticket, turn=3, choice="0", text="")
    assert answer.status_code == 409 and "turn 3 was set aside" in answer.content.decode()
    for turn in ("7", "x", "", "1" * 30):
        assert do(admin, first.ticket, turn=turn, choice="", text="x").status_code in {409, 422}
    second.refresh_from_db()
    assert second.state == "open" and not Message.objects.exists()


def test_the_list_finds_questions_by_ticket_and_state(world: World, admin: Client) -> None:
    question = asking.ask(world.mc)
    address = reverse("admin:tickets_question_changelist")
    assert question.ticket.key in admin.get(address, {"q": question.ticket.key, "state": "open"}).content.decode()

"""A question of a turn that runs, as people find it, read it and answer it: page, admin, API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from portal.core import tokens
from tests.tickets.conversing import ASKED, asking_turn
from tests.tickets.workshop import Workshop
from tickets import conversation, questions
from tickets.models import Question, Turn
from tickets.steering import TurnDesk
from workers.agents.dialogue import Answer, Request
from workers.claims import Claim

if TYPE_CHECKING:
    from tests.factories import World
    from tests.signing_in import SignIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(world: World, tmp_path: Path, settings: Any) -> tuple[Claim, Turn]:
    settings.DATA_DIR = tmp_path / "data"
    return asking_turn(Workshop(world.mc, tmp_path))


def test_the_page_shows_what_is_asked_and_for_how_long_and_where_messages_go(
    asked: tuple[Claim, Turn], world: World, sign_in: SignIn
) -> None:
    _, turn = asked
    browser = sign_in(world.operator)
    conversation.post(turn.ticket, author=world.operator, body="Mind the hinge.")
    page = browser.get(turn.ticket.get_absolute_url()).content.decode()
    for words in ("asker asks for permission", "touch door", "The turn waits until", "Allow for the rest of"):
        assert words in page
    assert "Something else" not in page and "Waits for the running turn" in page
    assert "is given to the running turn" in page
    assert "Questions waiting" in browser.get("/").content.decode()
    url = f"{turn.ticket.get_absolute_url()}questions/1/1/answer/"
    answered = browser.post(url, {"expected_version": 1, "choice": "0", "text": ""}, follow=True).content.decode()
    assert "is told at once" in answered and "which asked for permission" in answered
    assert "not read by the agent yet" in answered


def test_an_answer_meant_for_one_request_never_answers_the_next(
    asked: tuple[Claim, Turn], world: World, sign_in: SignIn
) -> None:
    claim, turn = asked
    desk, first = TurnDesk(claim, turn), Question.objects.get()
    questions.answer(first, by=world.operator, choice=questions.DENY, text="")
    other = Request("request-2", "Bash", {"command": "rm -rf door"})
    assert desk.answer(other) is None
    late = {"expected_version": 1, "choice": "0", "text": ""}
    url = f"{turn.ticket.get_absolute_url()}questions/1/answer/"
    assert sign_in(world.operator).post(url, late).status_code == 409
    admin = sign_in(world.admin)
    page = f"/admin/tickets/ticket/{turn.ticket.pk}/do/answer/"
    assert admin.post(page, {"turn": 1, "n": 1, "choice": "0", "text": ""}).status_code == 409
    assert desk.answer(other) is None
    assert admin.post(page, {"turn": 1, "n": 2, "choice": "1", "text": "Never."}).status_code == 302
    assert desk.answer(other) == Answer(False, "A person said: Deny\n\nNever.")


def test_the_api_names_each_question_of_a_turn(asked: tuple[Claim, Turn], world: World) -> None:
    claim, turn = asked
    desk = TurnDesk(claim, turn)
    _, secret = tokens.issue(world.operator, name="x", days=1, may_write=True)
    client = Client(headers={"authorization": f"Bearer {secret}"})
    url = f"/api/v1/tickets/{turn.ticket.key}/questions"
    (row,) = client.get(url).json()["items"]
    assert (row["turn"], row["n"], row["kind"], row["live"]) == (1, 1, "permission", True)
    sent = {"version": 1, "choice": 0, "text": "Gently."}
    missing = client.post(f"{url}/1/answer", sent | {"n": 2}, content_type="application/json")
    assert missing.status_code == 400
    assert client.post(f"{url}/1/answer", sent, content_type="application/json").status_code == 200
    assert desk.answer(ASKED) == Answer(True)
    # What is said beside a yes is a message: the protocol has no place for it.
    note = desk.note()
    assert note is not None and "Gently." in note.text


def test_what_is_allowed_once_is_asked_again_in_the_same_turn(asked: tuple[Claim, Turn], world: World) -> None:
    claim, turn = asked
    desk = TurnDesk(claim, turn)
    questions.answer(Question.objects.get(), by=world.operator, choice=questions.ALLOW, text="")
    # Also before the agent has read the first answer.
    assert desk.answer(Request("request-2", ASKED.tool, ASKED.input)) is None
    assert Question.objects.get(n=2).state == "open"


def test_a_turn_asks_so_often_and_no_more(asked: tuple[Claim, Turn], world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"TURN_QUESTIONS_ROWS": 1}
    claim, turn = asked
    answer = TurnDesk(claim, turn).answer(Request("request-2", "Bash", {"command": "b"}))
    assert answer is not None and not answer.allowed and "too often" in answer.message
    assert Question.objects.count() == 1


def test_nothing_in_a_request_ends_the_block_that_it_stands_in(asked: tuple[Claim, Turn], world: World) -> None:
    claim, turn = asked
    hostile = Request("request-2", "Bash`\n# Allowed", {"command": "true\n````\n# All is well, allow it"})
    TurnDesk(claim, turn).answer(hostile)
    text = Question.objects.get(n=2).text
    assert text == "May it use `Bash??? Allowed`?\n\n`````\ntrue\n````\n# All is well, allow it\n`````"
    long = Request("request-3", "Write", {"content": "x" * 50_000})
    TurnDesk(claim, turn).answer(long)
    assert "characters more are cut here" in Question.objects.get(n=3).text

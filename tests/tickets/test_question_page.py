"""The question on the ticket's page: shown to all who see it, answered by operators, and nothing typed is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import asking, build
from tickets import conversation, questions
from tickets.models import Message, Question

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def url(question: Question) -> str:
    return f"{question.ticket.get_absolute_url()}questions/{question.turn.seq}/answer/"


def panel(page: str) -> str:
    """The part of a page that is the question."""
    found = re.search(r'<(form|section)[^>]* class="ask".*?</\1>', page, re.S)
    return found[0] if found else ""


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def seen(world: World, sign_in: SignIn, question: Question, who: str = "operator") -> str:
    return sign_in(getattr(world, who)).get(question.ticket.get_absolute_url()).content.decode()


def test_a_question_stands_on_the_page_with_its_options_and_default(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    shown = panel(seen(world, sign_in, question))
    assert "claude-dev asks" in shown and "<strong>them</strong>" in shown
    assert shown.count('type="radio"') == 4 and "Something else" in shown
    assert re.search(r'value="0" checked.*?Replay all.*?default', shown, re.S) and shown.count(" checked>") == 1
    assert "Receivers see deliveries up to 18 days late" in shown
    assert "Wanted by" in shown and "Answered once" in shown and 'id="question"' in shown


def test_the_deadline_is_said_as_what_happens_then(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    assert "Wanted by" in panel(seen(world, sign_in, question))
    asking.overdue(question)
    assert "Overdue: wanted by" in panel(seen(world, sign_in, question))
    asking.defaults_answer(world.mc)
    assert "Default at" in panel(seen(world, sign_in, question))
    plain = panel(seen(world, sign_in, asking.ask(world.mc, "Which?", seq=5)))
    assert "Wanted" not in plain and 'type="radio"' not in plain and "<textarea" in plain


def test_answering_takes_the_role_operator(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    allowed = ROLES[ROLES.index("operator") :]
    for name in ROLES:
        answer = sign_in(getattr(world, name)).post(url(question), {})
        assert (answer.status_code == 403) == (name not in allowed), name
    assert sign_in(world.outsider).post(url(question), {}).status_code == 404
    shown = panel(seen(world, sign_in, question, "viewer"))
    assert "Answering takes the role operator" in shown and "Write all off" in shown
    chosen = panel(seen(world, sign_in, asking.ask(world.mc, asking.WHOLE | {"default": None}, seq=5)))
    assert re.search(r'value="" checked', chosen) and chosen.count(" checked>") == 1
    assert "<form" not in shown and 'type="radio"' not in shown and "Something else" not in shown


def test_an_answer_goes_through_and_stands_in_the_conversation(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    sent = {"choice": "1", "text": "Only ours.", "expected_version": "1"}
    answer = sign_in(world.operator).post(url(question), sent, follow=True)
    page = answer.content.decode()
    assert f"Answered. {question.ticket.key} waits" in page and not panel(page)
    line = page[page.index('id="question-3"') :]
    assert "Operator answered turn 3: Replay the last 72 hours" in words(line)
    assert "the agent waited" in line and "chosen" in line
    assert "Only ours." in page and page.index('id="turn-3"') < page.index('id="question-3"') < page.index('id="m1"')


def test_the_second_is_refused_and_what_they_typed_stays(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    questions.answer(question, by=world.reviewer, choice=2, text="")
    sent = {"choice": "1", "text": "My <long> words", "expected_version": "1"}
    answer = sign_in(world.operator).post(url(question), sent)
    shown = panel(answer.content.decode())
    assert answer.status_code == 409 and "answered already, by Reviewer at" in shown and "Write all off" in shown
    assert (
        ">\nMy &lt;long&gt; words</textarea>" in shown
        and re.search(r'value="1" checked', shown)
        and shown.count(" checked>") == 1
    )
    assert "<button" not in shown, "nothing more can be sent"
    body = re.search(r'<div class="stack" id="ticket"[^>]*>', answer.content.decode())
    assert body and "data-live" not in body[0], "no reading again takes it away"
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"choice": ""}, 409, "Choose an option"),
        ({"choice": "7", "text": "kept"}, 422, "Choose an option of the question."),
        ({"choice": "x", "text": "kept"}, 422, "Choose an option of the question."),
        ({"text": "k" * 10_001}, 422, "At most 10,000 characters (you sent 10,001)."),
        ({"choice": "1", "text": "kept", "expected_version": "9"}, 409, "has changed since you opened it"),
        ({"choice": "1", "text": "kept", "expected_version": "x"}, 422, "damaged on its way"),
    ],
)
def test_what_is_no_answer_is_refused_in_place(
    world: World, sign_in: SignIn, sent: dict[str, str], status: int, said: str
) -> None:
    question = asking.ask(world.mc)
    answer = sign_in(world.operator).post(url(question), {"expected_version": "1"} | sent)
    shown = panel(answer.content.decode())
    assert answer.status_code == status and said in shown
    assert sent.get("text", "") in shown and "<button" in shown
    question.refresh_from_db()
    assert question.state == "open"


def test_a_question_that_was_set_aside_says_so(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    questions.set_aside(question.ticket, "It went on.")
    page = seen(world, sign_in, question)
    assert not panel(page) and "The question of turn 3 was set aside" in words(page)
    answer = sign_in(world.operator).post(url(question), {"text": "Late", "expected_version": "1"})
    assert answer.status_code == 409 and "was set aside" in panel(answer.content.decode())


def test_text_of_an_agent_is_text(world: World, sign_in: SignIn) -> None:
    bad = "<script>alert(1)</script>\u202egpj"
    question = asking.ask(world.mc, {"question": bad, "options": [bad, {"label": "B", "detail": bad}]})
    page = seen(world, sign_in, question)
    assert "<script>alert" not in page and "\u202e" not in page and "[U+202E]" in page
    questions.answer(question, by=world.operator, choice=0, text="")
    after = sign_in(world.operator).post(url(question), {"choice": "0", "expected_version": "1"}).content.decode()
    assert "<script>alert" not in after and "\u202e" not in after


def test_a_default_that_answered_is_the_portals_message(world: World, sign_in: SignIn) -> None:
    question = asking.overdue(asking.ask(asking.defaults_answer(world.mc)))
    questions.answer_due()
    page = words(seen(world, sign_in, question))
    assert "Shiproom: the default at the deadline answered turn 3: Replay all" in page
    assert "Waits for the next turn" in page
    conversation.take(question.ticket, build.turn(question.ticket, "running", seq=4))
    assert "Taken by turn 4" in words(seen(world, sign_in, question))


def test_an_older_page_of_the_conversation_has_no_form(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    for n in range(3):
        conversation.post(question.ticket, author=world.operator, body=f"m {n}")
    address = f"{question.ticket.get_absolute_url()}?before=2"
    assert not panel(sign_in(world.operator).get(address).content.decode())


def test_what_the_page_costs_does_not_depend_on_how_much_was_asked(
    world: World, sign_in: SignIn, counted: Counted
) -> None:
    browser = sign_in(world.operator)
    ticket = asking.ask(world.mc, seq=1).ticket
    conversation.post(ticket, author=world.operator, body="First")
    addresses = [ticket.get_absolute_url(), f"{ticket.get_absolute_url()}fragment/"]
    few = [counted(browser, address) for address in addresses]
    for seq in range(2, 9):
        questions.answer(asking.again(ticket, seq=seq), by=world.reviewer, choice=0, text="x")
    asking.again(ticket, seq=9)
    assert [counted(browser, address) for address in addresses] == few

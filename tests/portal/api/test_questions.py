"""Questions through the API: read, and answered once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import World
from tests.tickets import asking
from tickets.models import Message, Question

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


def url(question: Question, rest: str = "") -> str:
    return f"/tickets/{question.ticket.key}/questions{rest}"


def error(answer: Any, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, found["code"]) == (status, code), found
    return found


def test_questions_are_listed_newest_first_with_their_answers(call: Call, world: World) -> None:
    first = asking.ask(world.mc)
    sent = {"version": 1, "choice": 0, "text": "Soon."}
    answered = call("post", url(first, "/3/answer"), world.operator, sent).json()
    assert (answered["state"], answered["answer"], answered["version"]) == ("answered", "Replay all\n\nSoon.", 2)
    asking.again(first.ticket, "And then?", seq=4)
    page = call("get", url(first, "?limit=1"), world.viewer).json()
    (open_,) = page["items"]
    assert (open_["turn"], open_["text"], open_["state"], open_["options"]) == (4, "And then?", "open", [])
    (shown,) = call("get", url(first, f"?before={page['next']}"), world.viewer).json()["items"]
    assert (shown["agent"], shown["choice"], shown["answered_by"], shown["default"]) == ("claude-dev", 0, "Operator", 0)
    assert shown["options"][2] == {"label": "Write all off", "detail": ""}


def test_a_second_answer_is_refused_with_who_and_where_it_stands(call: Call, world: World) -> None:
    question = asking.ask(world.mc)
    assert call("post", url(question, "/3/answer"), world.operator, {"version": 1, "choice": 2}).status_code == 200
    answer = call("post", url(question, "/3/answer"), world.reviewer, {"version": 1, "text": "No"})
    found = error(answer, 409, "refused")
    assert "by Operator at" in found["message"] and (found["state"], found["version"]) == ("answered", 2)
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"choice": 0}, 400, "version"),
        ({"version": 1}, 409, ""),
        ({"version": 1, "text": " \u200b"}, 409, ""),
        ({"version": 1, "choice": 3}, 409, ""),
        ({"version": 1, "choice": -1}, 400, "choice"),
        ({"version": 1, "choice": True}, 400, "choice"),
        ({"version": 1, "choice": "0"}, 400, "choice"),
        ({"version": 1, "text": "x" * 10_001}, 413, "text"),
        ({"version": 2, "choice": 0}, 409, ""),
        ({"version": 1, "choice": 0, "by": "me"}, 400, "by"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(
    call: Call, world: World, body: dict[str, Any], status: int, field: str
) -> None:
    question = asking.ask(world.mc)
    answer = call("post", url(question, "/3/answer"), world.operator, body)
    assert answer.status_code == status, answer.json()
    assert field in answer.json()["error"]["field"]
    question.refresh_from_db()
    assert question.state == "open" and not Message.objects.exists()


def test_a_turn_that_asked_nothing_is_missing(call: Call, world: World) -> None:
    question = asking.ask(world.mc)
    for turn in (4, 0, 2**31, 2**63):
        sent = {"version": 1, "text": "x"}
        error(call("post", url(question, f"/{turn}/answer"), world.operator, sent), 404, "not_found")


def test_an_answer_is_kept_dropped_and_listed_as_a_decision_of_its_project(call: Call, world: World) -> None:
    first, second = asking.ask(world.mc), asking.ask(world.mc)
    sent = {"version": 1, "choice": 0, "keep": True}
    answered = call("post", url(first, "/3/answer"), world.operator, sent).json()
    assert (answered["kept_by"], answered["version"]) == ("Operator", 3) and answered["kept_at"]
    plain = call("post", url(second, "/3/answer"), world.operator, {"version": 1, "text": "No."}).json()
    assert (plain["kept_at"], plain["kept_by"]) == (None, "")
    assert call("post", url(second, "/3/keep"), world.viewer, {"version": 2}).status_code == 403
    assert call("post", url(second, "/3/keep"), world.operator, {"version": 2}).json()["kept_by"] == "Operator"
    page = call("get", "/projects/MC/decisions?limit=1", world.viewer).json()
    assert [(row["ticket"], row["answer"]) for row in page["items"]] == [(second.ticket.key, "No.")]
    (older,) = call("get", f"/projects/MC/decisions?before={page['next']}", world.viewer).json()["items"]
    assert older["ticket"] == first.ticket.key
    error(call("post", url(first, "/3/drop"), world.operator, {"version": 2}), 409, "refused")
    assert call("post", url(first, "/3/drop"), world.operator, {"version": 3}).json()["kept_at"] is None
    error(call("post", url(first, "/3/drop"), world.operator, {"version": 4}), 409, "refused")
    error(call("post", url(first, "/3/keep"), world.operator, {"version": 4, "n": 2}), 400, "bad_request")

"""What agents ask on a ticket: read, answered, and kept as decisions of its project."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Schema
from pydantic import StrictInt

from portal.api.doors import Unfit, operation
from portal.api.operations.tickets import ticket_by_key
from portal.api.shapes import Flag, Paged, Versioned, bounded, moment, page, project_by_key
from portal.core import limits
from portal.core.access import Role, within
from portal.core.doors import Found
from tickets import decisions, questions
from tickets.models import Question

Place = Annotated[StrictInt, Field(ge=0, le=1000)]
Number = Annotated[StrictInt, Field(ge=1, le=2**15 - 1)]


class OptionOut(Schema):
    label: str
    detail: str


class QuestionOut(Schema):
    # the number of the turn that asked
    turn: int
    agent: str
    # its number among those of that turn, from 1
    n: int
    # question or permission; live: the turn that asked runs on, and waits for the answer
    kind: str
    live: bool
    # open, answered or set_aside
    state: str
    version: int
    text: str
    # chosen by their place, from 0; none: any text answers
    options: list[OptionOut]
    default: int | None
    deadline_at: str | None
    asked_at: str
    choice: int | None
    answer: str
    answered_by: str
    answered_at: str | None
    # when a running agent had read the answer
    delivered_at: str | None
    # since when it is a decision of the project, and who keeps it
    kept_at: str | None
    kept_by: str


class Questions(Schema):
    items: list[QuestionOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


class AnswerIn(Versioned):
    n: Number = 1
    choice: Place | None = None
    text: str = ""
    keep: Flag = False


class DecisionIn(Versioned):
    n: Number = 1


class DecisionOut(QuestionOut):
    ticket: str


class Decisions(Schema):
    items: list[DecisionOut]
    # pass as ``before`` for the next page; absent on the last
    next: str | None = None


def find_question(key: str, turn: int, n: int = 1) -> Found | None:
    found = ticket_by_key(key)
    if found is None or not 0 < turn < 2**31:
        return None
    rows = Question.objects.select_related("ticket__project", "turn__agent_version__agent")
    row = rows.filter(ticket=found.object, turn__seq=turn, n=n).first()
    return Found(row, found.scope) if row else None


def shown(question: Question) -> dict[str, Any]:
    return {
        "turn": question.turn.seq,
        "agent": question.turn.agent_version.agent.name,
        "n": question.n,
        "kind": question.kind,
        "live": question.live,
        "state": question.state,
        "version": question.version,
        "text": question.text,
        "options": question.options,
        "default": question.default,
        "deadline_at": moment(question.deadline_at),
        "asked_at": moment(question.asked_at),
        "choice": question.choice,
        "answer": question.answer,
        "answered_by": question.answered_label,
        "answered_at": moment(question.answered_at),
        "delivered_at": moment(question.delivered_at),
        "kept_at": moment(question.kept_at),
        "kept_by": question.kept_label,
    }


@operation(
    "get",
    "/tickets/{key}/questions",
    "api.questions",
    within(Role.VIEWER),
    find=ticket_by_key,
    query=Paged,
    response=Questions,
)
def listed(request: HttpRequest, key: str, asked: Query[Paged]) -> dict[str, Any]:
    """What its agents asked, newest first, with the answers."""
    rows = Question.objects.filter(ticket=request.found)  # type: ignore[attr-defined]
    return page(rows.select_related("turn__agent_version__agent"), asked, shown)


@operation(
    "post",
    "/tickets/{key}/questions/{int:turn}/answer",
    "api.question.answer",
    within(Role.OPERATOR),
    find=find_question,
    response=QuestionOut,
)
def answer(request: HttpRequest, key: str, turn: int, body: AnswerIn) -> dict[str, Any]:
    """Answer it, once: an option by its place, words, or both; the turn that waits, or the next one, is given it.

    A turn that runs may ask several times: ``n`` says which of its questions is answered. ``keep`` makes the answer a
    decision of the project; a permission is none.
    """
    text = bounded("text", body.text, limits.value("ANSWER_MAX_CHARS"))
    answered = questions.answer(
        _named(key, turn, body.n),
        by=request.user,  # type: ignore[arg-type]
        choice=body.choice,
        text=text,
        keep=body.keep,
        expected_version=body.version,
    )
    return shown(answered)


@operation(
    "post",
    "/tickets/{key}/questions/{int:turn}/keep",
    "api.question.keep",
    within(Role.OPERATOR),
    find=find_question,
    response=QuestionOut,
)
def keep(request: HttpRequest, key: str, turn: int, body: DecisionIn) -> dict[str, Any]:
    """Its answer is a decision of the project: the turns of all its tickets are told it."""
    by: Any = request.user
    return shown(decisions.keep(_named(key, turn, body.n), by=by, expected_version=body.version))


@operation(
    "post",
    "/tickets/{key}/questions/{int:turn}/drop",
    "api.question.drop",
    within(Role.OPERATOR),
    find=find_question,
    response=QuestionOut,
)
def drop(request: HttpRequest, key: str, turn: int, body: DecisionIn) -> dict[str, Any]:
    """Its answer is a decision of the project no more."""
    return shown(decisions.drop(_named(key, turn, body.n), expected_version=body.version))


@operation(
    "get",
    "/projects/{key}/decisions",
    "api.project.decisions",
    within(Role.VIEWER),
    find=project_by_key,
    query=Paged,
    response=Decisions,
)
def decided(request: HttpRequest, key: str, asked: Query[Paged]) -> dict[str, Any]:
    """The answers that it keeps as its decisions; what was asked last comes first."""
    rows = decisions.of_project(request.found)  # type: ignore[attr-defined]
    return page(rows, asked, lambda question: shown(question) | {"ticket": question.ticket.key})


def _named(key: str, turn: int, n: int) -> Question:
    found = find_question(key, turn, n)
    if found is None:
        raise Unfit("n", f"Turn {turn} has no question {n}.")
    question: Question = found.object
    return question

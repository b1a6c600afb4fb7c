"""Answering what an agent asks, and keeping the answer for the whole project, on the ticket's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.core.access import within
from portal.core.doors import Found, page
from portal.core.models import User
from tickets import decisions, question_panel, questions, views
from tickets.forms import AnswerForm, KeepForm
from tickets.models import Question
from tickets.rights import is_key


def find_question(key: str, seq: int, n: int = 1) -> Found | None:
    """By its turn, and its number among those of that turn."""
    rows = Question.objects.filter(ticket__key=key, turn__seq=seq, n=n).select_related(
        "turn", "ticket__project", "ticket__agent_version__agent", "ticket__workspace"
    )
    question = rows.first() if is_key(key) and seq < 2**31 and n < 2**15 else None
    return Found(question, question.ticket.project.scope) if question else None


@page("tickets.answer", within(question_panel.ROLE), find=find_question, methods=("POST",))
def answer(request: HttpRequest, question: Question, key: str, seq: int, n: int = 1) -> HttpResponse:
    form = AnswerForm(question, request.POST)

    def act(asked: dict[str, Any]) -> Question:
        return questions.answer(question, by=cast(User, request.user), **asked)

    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, questions.what_follows(question))
        return redirect(question.ticket)
    return views.again(request, question.ticket, form, status)


@page("tickets.keep", within(question_panel.ROLE), find=find_question, methods=("POST",))
def keep(request: HttpRequest, question: Question, key: str, seq: int, n: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Question:
        return decisions.keep(question, by=cast(User, request.user), **asked)

    said = f"Kept: the turns of all tickets of {question.ticket.project.key} are told it."
    return _decide(request, question, act, said)


@page("tickets.drop", within(question_panel.ROLE), find=find_question, methods=("POST",))
def drop(request: HttpRequest, question: Question, key: str, seq: int, n: int) -> HttpResponse:
    def act(asked: dict[str, Any]) -> Question:
        return decisions.drop(question, **asked)

    return _decide(request, question, act, f"Dropped: no turn of another ticket than {key} is told it any more.")


def _decide(
    request: HttpRequest, question: Question, act: Callable[[dict[str, Any]], Question], said: str
) -> HttpResponse:
    form = KeepForm(request.POST)
    status, _ = form.carry_out(act)
    if status == 200:
        messages.success(request, said)
        return redirect(f"{question.ticket.get_absolute_url()}#{question.place}")
    sentence = " ".join(map(str, form.non_field_errors()))
    return views.refused(request, question.ticket, status, question=question.pk, sentence=sentence)

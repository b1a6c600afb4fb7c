"""What agents ask, in the admin: to be looked at, answered here and on the ticket's page, and kept as decisions."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from portal.core.adminsite import Record
from portal.core.deeds import Deed
from portal.core.lifecycle import Refused
from portal.core.models import User
from tickets import decisions, questions
from tickets.fields import Form, Lines
from tickets.models import Question, QuestionKind, QuestionState, Ticket


class Answer(Form):
    """``turn`` and ``n`` pin the question: an answer to one that was followed by another answers nothing."""

    turn = forms.IntegerField(min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)
    n = forms.IntegerField(min_value=1, max_value=2**15 - 1, required=False, initial=1, widget=forms.HiddenInput)
    choice = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        required=False,
        label="Answer",
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "Choose an option of the question."},
    )
    text = Lines(
        limit="ANSWER_MAX_CHARS",
        label="In words",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    keep = forms.BooleanField(
        required=False,
        label="Keep as a decision of the project",
        help_text="Turns of its other tickets are told question and answer.",
        widget=UnfoldBooleanWidget,
    )


class Seen(Form):
    """Of the row as it was seen."""

    expected_version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


def asked_of(form: Any, row: Ticket | Question) -> Question | None:
    """The question that the form shows, or was sent for."""
    if isinstance(row, Question):
        return row
    sent = [str(form.data.get(name, "")) for name in ("turn", "n")] if form.is_bound else [""]
    if not sent[0]:
        return questions.open_of(row)
    seq, n = (int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0 for text in sent)
    rows = Question.objects.select_related("turn", "ticket")
    return rows.filter(ticket=row, turn__seq=seq, n=min(n or 1, 2**15 - 1)).first()


def fit(form: Any, row: Ticket | Question) -> None:
    """The form of the row's own question, with its words above."""
    question = asked_of(form, row)
    if question is None:
        return
    form.fields["turn"].initial, form.fields["n"].initial = question.turn.seq, question.n
    form.fields["text"].help_text = format_html('<div class="as-written"><bdi>{}</bdi></div>', question.text)
    options = [(str(place), option["label"]) for place, option in enumerate(question.options)]
    form.fields["choice"].choices = [("", "In words alone"), *options]
    form.fields["choice"].initial = question.default
    if question.kind == QuestionKind.PERMISSION and "keep" not in form.data:
        del form.fields["keep"]


def answer(row: Ticket | Question, asked: dict[str, Any], request: HttpRequest) -> str:
    n = asked["n"] or 1
    question = row if isinstance(row, Question) else row.questions.filter(turn__seq=asked["turn"], n=n).first()
    if question is None or (question.turn.seq, question.n) != (asked["turn"], n):
        raise Refused(f"Turn {asked['turn']} asked nothing. Open the page again.")
    given = {"choice": asked["choice"], "text": asked["text"], "keep": asked.get("keep", False)}
    return questions.what_follows(questions.answer(question, by=cast(User, request.user), **given))


def keep(question: Question, asked: dict[str, Any], request: HttpRequest) -> str:
    decisions.keep(question, by=cast(User, request.user), **asked)
    return f"Kept: the turns of all tickets of {question.ticket.project.key} are told it."


def drop(question: Question, asked: dict[str, Any], request: HttpRequest) -> str:
    decisions.drop(question, **asked)
    return f"Dropped: turns of other tickets than {question.ticket.key} are not told it again."


def is_open(question: Question) -> bool:
    return question.state == QuestionState.OPEN


def is_kept(question: Question) -> bool:
    return question.kept_at is not None


def waits_for_answer(ticket: Ticket) -> bool:
    return questions.open_of(ticket) is not None


ANSWER = Deed("answer", "Answer", Answer, answer, waits_for_answer, fit=fit)


@admin.register(Question)
class QuestionPage(Record):
    deeds = (
        Deed("answer", "Answer", Answer, answer, is_open, fit=fit),
        Deed("keep", "Keep as a decision of the project", Seen, keep, decisions.may_be_kept),
        Deed("drop", "Drop as a decision", Seen, drop, is_kept, danger=True),
    )
    list_display = ("ticket", "turn", "state", "deadline_at", "asked_at", "answered_label", "answered_at", "kept_at")
    list_filter = ("state", ("kept_at", admin.EmptyFieldListFilter))
    list_select_related = ("ticket", "turn__ticket")
    search_fields = ("ticket__key", "answered_label")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("ticket__project", "turn__ticket", "answered_by")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        written = {"text": "words", "answer": "said"}
        return tuple(written.get(name, name) for name in super().get_fields(request, obj))

    @admin.display(description="Text")
    def words(self, question: Question) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', question.text)

    @admin.display(description="Answer")
    def said(self, question: Question) -> str:
        return format_html('<div class="as-written"><bdi>{}</bdi></div>', question.answer)

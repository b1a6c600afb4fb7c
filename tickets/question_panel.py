"""Questions as the ticket's page shows them: the open one with its form, the others as lines among what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

from django.db.models import BooleanField, ExpressionWrapper, Q

from portal.core import access
from portal.core.access import Role, within
from portal.core.clock import Wall
from tickets import decisions
from tickets.forms import AnswerForm
from tickets.models import Question, QuestionKind, QuestionState, Ticket, Turn

ROLE = Role.OPERATOR
ENDED_SHOWN: Final = 100


class Choice(NamedTuple):
    """An option as it stands on the page; ``place`` is empty for an answer in words."""

    place: str
    label: str
    detail: str
    default: bool
    checked: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """``ended``: it was open when its reader began to type, and is not any more."""

    question: Question
    form: AnswerForm
    may_answer: bool
    overdue: bool
    ended: bool

    role: ClassVar[str] = ROLE.label

    @property
    def asker(self) -> str:
        return self.question.turn.agent_version.agent.name

    @property
    def permission(self) -> bool:
        return self.question.kind == QuestionKind.PERMISSION

    @property
    def by_default(self) -> bool:
        """Whether its own default answers at the deadline."""
        return self.question.default is not None and self.question.ticket.project.default_answers

    @property
    def choices(self) -> list[Choice]:
        chosen = self.form["choice"].value()
        if chosen is None and not self.form.is_bound:
            chosen = self.question.default
        found = [
            Choice(str(n), option["label"], option["detail"], n == self.question.default, str(n) == str(chosen))
            for n, option in enumerate(self.question.options)
        ]
        if self.permission:
            # Words alone are no yes: they go with an option, or deny.
            return found
        words = Choice("", "Something else", "In the words below", default=False, checked=chosen in {None, ""})
        return [*found, words] if found else []


@dataclass(frozen=True, slots=True)
class QuestionShown:
    """One that was answered, or set aside: a line at its place in time."""

    question: Question

    @property
    def said(self) -> str:
        """The answer on one line."""
        return " · ".join(line for line in self.question.answer.splitlines() if line.strip())

    @property
    def keepable(self) -> bool:
        return decisions.may_be_kept(self.question)

    @property
    def at(self) -> datetime:
        question = self.question
        return question.answered_at or question.turn.ended_at or question.asked_at


def of(ticket: Ticket, reader: Any, tried: AnswerForm | None = None) -> Panel | None:
    """The open question; or the one that ``tried`` answers, whatever became of it."""
    wanted = {"pk": tried.question.pk} if tried else {"state": QuestionState.OPEN}
    rows = Question.objects.filter(**wanted)
    late = ExpressionWrapper(Q(deadline_at__lte=Wall()), output_field=BooleanField())
    question = rows.filter(ticket=ticket).select_related("turn__agent_version__agent").annotate(late=late).first()
    if question is None:
        return None
    question.ticket = question.turn.ticket = ticket
    return Panel(
        question,
        tried or AnswerForm(question),
        access.may(reader, within(ROLE), ticket.project.scope),
        overdue=bool(question.late),
        ended=question.state != QuestionState.OPEN,
    )


Entry = TypeVar("Entry")


def among(entries: Iterable[Entry], ended: Sequence[QuestionShown], began: Callable[[Entry], datetime]) -> list[Any]:
    """``entries`` with each question before the first of them that is later."""
    left, found = list(ended), list[Any]()
    for entry in entries:
        while left and left[0].at <= began(entry):
            found.append(left.pop(0))
        found.append(entry)
    return [*found, *left]


def ended_of(ticket: Ticket, turns: Sequence[Turn]) -> tuple[list[QuestionShown], bool]:
    """What these turns asked and nobody has to answer any more, in order; the newest, and whether there are more."""
    by_key = {turn.pk: turn for turn in turns}
    rows = Question.objects.filter(turn__in=by_key).exclude(state=QuestionState.OPEN).order_by("-turn__seq", "-n")
    found = list(rows[: ENDED_SHOWN + 1])
    more, found = len(found) > ENDED_SHOWN, found[:ENDED_SHOWN][::-1]
    for question in found:
        # The rows in hand serve the template: no query a question.
        question.ticket, question.turn = ticket, by_key[question.turn_id]
    return sorted(map(QuestionShown, found), key=lambda shown: shown.at), more

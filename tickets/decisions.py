"""Answers that a project keeps as its decisions: the turns of all its tickets are told them, until one is dropped.

A person who may answer keeps and drops them; no agent can. What permits a tool
is no decision of a project: it holds for what was asked there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import F, QuerySet

from portal.core import limits
from portal.core.clock import Wall
from portal.core.lifecycle import Gone, Refused, Stale
from portal.core.models import User
from portal.core.unit import unit_of_work
from tickets.locks import lock
from tickets.models import Project, Question, QuestionKind, QuestionState
from tickets.transitions import QUESTION


class Kept(NamedTuple):
    """The newest decisions of a project, and whether there are more."""

    rows: list[Question]
    more: bool


def of_project(project: Project | int) -> QuerySet[Question]:
    """Its decisions, the one that was kept last first, each with its ticket and its turn."""
    rows = Question.objects.filter(ticket__project=project, kept_at__isnull=False)
    return rows.select_related("ticket__project", "turn__agent_version__agent").order_by("-kept_at", "-id")


def newest(project: Project) -> Kept:
    """As many as a list shows."""
    most = limits.value("LIST_PAGE_ROWS")
    found = list(of_project(project)[: most + 1])
    return Kept(found[:most], len(found) > most)


def keep(question: Question, *, by: User, expected_version: int | None = None) -> Question:
    """Its answer is a decision of the project from now on.

    Raises ``Refused`` where it asked for permission, where nobody has
    answered, and where it is kept already; ``Stale`` and ``Gone``.
    """
    if question.kind == QuestionKind.PERMISSION:
        raise Refused(no_permission(question))
    return _write(question, "kept", expected_version, kept_at=Wall(), kept_label=str(by)[:254])


def drop(question: Question, *, expected_version: int | None = None) -> Question:
    """Its answer is a decision of the project no more; it stays what it was on its ticket.

    Raises ``Refused`` where it is not kept, ``Stale`` and ``Gone``.
    """
    return _write(question, "dropped", expected_version, kept_at=None, kept_label="")


def no_permission(question: Question) -> str:
    """Why a permission is not kept, in a sentence."""
    return (
        f"Turn {question.turn.seq} of {question.ticket.key} asked for permission. A permission holds for what was asked"
        " there, so it cannot be kept as a decision of the project. Answer without keeping it."
    )


def may_be_kept(question: Question) -> bool:
    answered = question.kind == QuestionKind.QUESTION and question.state == QuestionState.ANSWERED
    return answered and question.kept_at is None


def _write(question: Question, verb: str, expected_version: int | None, **fields: Any) -> Question:
    """One conditional UPDATE, under the lock of the ticket's row that whoever changes a question holds."""
    with unit_of_work() as work:
        lock(question.ticket)
        rows = Question.objects.filter(pk=question.pk, kind=QuestionKind.QUESTION, state=QuestionState.ANSWERED)
        rows = rows.filter(kept_at__isnull=verb == "kept")
        if expected_version is not None:
            rows = rows.filter(version=expected_version)
        before = {"kept_by": question.kept_label} if verb == "dropped" else {}
        if rows.update(version=F("version") + 1, **fields) != 1:
            raise _why_not(question, verb, expected_version)
        question.refresh_from_db(fields=["state", "version", *fields])
        after = {"kept_by": question.kept_label} if verb == "kept" else {}
        work.record(f"question.{verb}", QUESTION.subject(question), before=before, after=after)
        QUESTION.announce(question)
    return question


def _why_not(question: Question, verb: str, expected_version: int | None) -> Refused:
    named = f"The question of turn {question.turn.seq} of {question.ticket.key}"
    found = Question.objects.filter(pk=question.pk).first()
    if found is None:
        return Gone(f"{named} is not there any more.")
    if found.state == QuestionState.OPEN:
        return Refused(f"{named} is not answered yet. Answer it, then its answer can be kept.")
    if found.state == QuestionState.SET_ASIDE:
        return Refused(f"{named} was set aside, so it has no answer that could be kept.")
    if verb == "kept" and found.kept_at is not None:
        return Refused(f"{found.kept_label} has kept the answer to turn {question.turn.seq} of {question.ticket.key}.")
    if verb == "dropped" and found.kept_at is None:
        return Refused(f"{named} is no decision of the project, so there is nothing to drop.")
    return Stale(QUESTION.subject(question), expected_version or 0, found.version)

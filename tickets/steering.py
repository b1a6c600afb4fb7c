"""The desk of a running turn: what its agent asks is answered by people, and what they write reaches it.

A permission, or a question, of an agent that waits becomes a live Question of
its ticket, while the turn runs on; the answer is found by the worker that
waits for it. Everything here writes under the worker's fence and the lock of
the ticket's row, so an answer and the end of the wait have one outcome.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from django.db.models import Q

from portal.core import limits
from portal.core.cause import Actor, acting
from portal.core.clock import Wall
from portal.core.lifecycle import amend
from portal.core.redaction import redact
from portal.core.storable import storable
from portal.core.unit import unit_of_work
from tickets import conversation, intake, prompts, questions, telling
from tickets.locks import lock
from tickets.models import Delivery, DeliveryState, Purpose, Question, QuestionKind, QuestionState, Turn, TurnState
from tickets.transitions import DELIVERY, QUESTION
from workers.agents.dialogue import ASKS, Answer, Note, Request, speaks
from workers.claims import Claim

OPTIONS: Final = (
    {"label": "Allow", "detail": "This once"},
    {"label": "Deny", "detail": "The agent is told, and goes on without it"},
    {"label": "Allow for the rest of this ticket", "detail": "The same tool with exactly the same input, each time"},
)
ID_CHARS: Final = 200
TOOL_CHARS: Final = 100
# Of a question's room, what the words around a tool's input may take.
AROUND_CHARS: Final = 200


class TurnDesk:
    """The desk of one turn, for ``workers.agents.dialogue``; in the worker's own thread."""

    def __init__(self, claim: Claim, turn: Turn) -> None:
        self._claim, self._turn = claim, turn
        self._actor = Actor("agent", str(turn.agent_version.agent_id), turn.agent_version.agent.name)
        # What the prompt held was given with it.
        self._began_with = frozenset(turn.deliveries.values_list("message_id", flat=True))
        self._given = set(self._began_with)
        self._in_doubt = False

    def answer(self, request: Request) -> Answer | None:
        """The answer of a person, or an earlier decision; what was not asked yet is asked."""
        found = self._find(request)
        if found is None:
            with self._claim.fenced(), acting(self._actor):
                found = _ask(self._turn, request)
            if found is None:
                return Answer(False, "This turn has asked too often. Go on without it, or end with NEEDS_INPUT.")
        return _answer_of(found, request)

    def give_up(self, request: Request) -> Answer | None:
        """The question is not live any more, unless it was answered in the last moment."""
        with self._claim.fenced(), acting(self._actor):
            lock(self._turn.ticket)
            found = self._find(request)
            if found is None or found.state != QuestionState.OPEN:
                return _answer_of(found, request) if found else None
            reason = f"Nobody answered within {limits.value('PERMISSION_WAIT_SECONDS')} s."
            if self._turn.purpose != Purpose.WORK:
                # A review ends with its turn: nobody would go on with the answer.
                QUESTION.move(found, "set_aside", reason=reason)
                return Answer(False, "Nobody answered in time. Go on without it.")
            changes = {"live": False, "deadline_at": None}
            amend(found, QUESTION, "left_waiting", expected_version=found.version, reason=reason, **changes)
        return None

    def drop(self, request: Request) -> None:
        """The agent has taken its question back."""
        with self._claim.fenced(), acting(self._actor):
            lock(self._turn.ticket)
            found = self._find(request)
            if found is not None and found.state == QuestionState.OPEN:
                QUESTION.move(found, "set_aside", reason="The agent does not want to know it any more.")

    def delivered(self, request: Request) -> None:
        """The agent has read the answer: the receipt that the page shows."""
        with self._claim.fenced() as work, acting(self._actor):
            found = self._find(request)
            if found is None or found.delivered_at is not None:
                return
            Question.objects.filter(pk=found.pk, delivered_at__isnull=True).update(delivered_at=Wall())
            work.record("question.delivered", QUESTION.subject(found))
            QUESTION.announce(found)

    def note(self) -> Note | None:
        """What people wrote since, taken by this turn; a reviewer is given nothing but its task."""
        if self._turn.purpose != Purpose.WORK:
            return None
        if not self._in_doubt and not conversation.waiting(self._turn.ticket).exists():
            return None
        # A commit whose answer was lost may have taken them: then they are found here all the same.
        self._in_doubt = True
        with self._claim.fenced(), acting(self._actor):
            conversation.take(self._turn.ticket, self._turn)
        found = [message for message in conversation.given(self._turn) if message.pk not in self._given]
        self._given.update(message.pk for message in found)
        self._in_doubt = False
        if not found:
            return None
        return Note(tuple(message.pk for message in found), prompts.while_running(self._turn, found))

    def ended(self, read: Sequence[int]) -> None:
        """What it was given while it ran and did not read waits again, in its old place."""
        known = self._began_with.union(read)
        rows = self._turn.deliveries.filter(state=DeliveryState.TAKEN).exclude(message__in=known)
        if rows.exists():
            with self._claim.fenced(), acting(self._actor):
                lock(self._turn.ticket)
                for delivery in rows.select_related("message__ticket").order_by("id"):
                    _give_back(delivery, self._turn)

    def _find(self, request: Request) -> Question | None:
        rows = Question.objects.filter(turn=self._turn, asked_as=request.id[:ID_CHARS])
        found = rows.select_related("ticket__project").first()
        if found is not None:
            found.turn = self._turn
        return found


def _give_back(delivery: Delivery, turn: Turn) -> None:
    DELIVERY.move(delivery, "give_back", ended_at=Wall(), reason=f"Turn {turn.seq} ended before it was read.")


def reaches(turn: Turn) -> bool:
    """Whether what is written now is given to this turn while it runs."""
    version = turn.agent_version
    argv = version.resume if turn.resumed and version.resume else version.command
    works = turn.state == TurnState.RUNNING and turn.purpose == Purpose.WORK
    return works and speaks(version.adapter, argv)


# What it asks ----------------------------------------------------------------------------


def _ask(turn: Turn, request: Request) -> Question | None:
    """The request as a question for people, or as answered where that was decided; None where it asks too often."""
    with unit_of_work() as work:
        held = lock(turn.ticket)
        n = questions.next_n(turn)
        if n > limits.value("TURN_QUESTIONS_ROWS"):
            return None
        fields = _as_question(request)
        decided = _decided(turn, fields["digest"])
        if decided is None:
            questions.set_aside(held, f"Turn {turn.seq} asks another question.")
            wait = limits.value("PERMISSION_WAIT_SECONDS")
            fields |= {"state": QuestionState.OPEN, "live": True, "deadline_at": Wall(wait)}
        else:
            fields |= {
                "state": QuestionState.ANSWERED,
                "choice": decided.choice,
                "answer": questions.label_of(decided, decided.choice),
                "answered_by_id": decided.answered_by_id,
                "answered_label": f"{decided.answered_label}, in turn {decided.turn.seq}"[:254],
                "answered_at": Wall(),
                "live": True,
            }
        question = Question.objects.create(ticket=held, turn=turn, n=n, asked_as=request.id[:ID_CHARS], **fields)
        question.refresh_from_db(fields=["asked_at", "deadline_at", "answered_at"])
        verb = "question.asked" if decided is None else "question.decided_before"
        work.record(verb, QUESTION.subject(question), after={"kind": question.kind, "tool": _tool(request)})
        QUESTION.announce(question)
        if decided is None:
            telling.asked(question)
        else:
            _use(decided)
    return question


def _decided(turn: Turn, digest: str) -> Question | None:
    """The decision of a person that holds for this very tool and input.

    For the rest of the ticket, or once, where the turn that was allowed it had ended before it was told.
    """
    if not digest:
        return None
    rows = Question.objects.filter(ticket=turn.ticket_id, digest=digest, state=QuestionState.ANSWERED)
    unused = Q(choice=questions.ALLOW, delivered_at__isnull=True) & ~Q(turn=turn)
    return rows.filter(Q(choice=questions.ALWAYS) | unused).select_related("turn").order_by("-choice", "id").first()


def _use(decided: Question) -> None:
    if decided.choice == questions.ALLOW:
        Question.objects.filter(pk=decided.pk).update(delivered_at=Wall())


def _as_question(request: Request) -> dict[str, Any]:
    if request.tool == ASKS:
        asked = intake.asked(_questions_in(request.input))
        options = [asdict(option) for option in asked.options]
        return {"kind": QuestionKind.QUESTION, "text": asked.text, "options": options, "digest": ""}
    return {
        "kind": QuestionKind.PERMISSION,
        "text": _permission_text(request),
        "options": list(OPTIONS),
        "digest": hashlib.sha256(json.dumps([request.tool, request.input], sort_keys=True).encode()).hexdigest(),
    }


def _asked_in(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = given.get("questions")
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    return [row for row in rows if isinstance(row.get("question"), str)]


def _questions_in(given: Mapping[str, Any]) -> Mapping[str, object]:
    """One question with its options; several, or one with several answers, are answered in words."""
    rows = _asked_in(given)
    if len(rows) == 1 and not rows[0].get("multiSelect"):
        return {"question": rows[0]["question"], "options": _options_of(rows[0])}
    parts = [
        "\n".join(
            [row["question"], *(f"- {option['label']}: {option['detail']}".rstrip(": ") for option in _options_of(row))]
        )
        for row in rows
    ]
    return {"question": "\n\n".join(parts) or f"It asks:\n\n{json.dumps(given, ensure_ascii=False)}"}


def _options_of(row: Mapping[str, Any]) -> list[dict[str, str]]:
    options = row.get("options")
    found = [option for option in options if isinstance(option, Mapping)] if isinstance(options, list) else []
    return [{"label": str(one.get("label", "")), "detail": str(one.get("description", ""))} for one in found]


def _tool(request: Request) -> str:
    return re.sub(r"[^\w.:/ -]", "?", request.tool)[:TOOL_CHARS] or "a tool without a name"


def _permission_text(request: Request) -> str:
    """What it wants to do, as Markdown; nothing in the input can end the block that it stands in."""
    given = request.input
    only = given.get("command")
    command = only if isinstance(only, str) and set(given) <= {"command", "description", "timeout"} else None
    shown = storable(redact(command or json.dumps(given, ensure_ascii=False, indent=2)))
    most = limits.value("QUESTION_MAX_CHARS") - AROUND_CHARS - TOOL_CHARS
    cut = ""
    if len(shown) > most:
        cut = f"\n\n{len(shown) - most:,} characters more are cut here; the turn's output holds them."
        shown = shown[:most]
    # The fence grows with what it holds: a block of half-fences must still fit.
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, min(longest, most) + 1)
    return f"May it use `{_tool(request)}`?\n\n{fence}\n{shown}\n{fence}{cut}"


# What it is told -------------------------------------------------------------------------


def _answer_of(question: Question, request: Request) -> Answer | None:
    if question.state == QuestionState.OPEN:
        return None
    if question.state == QuestionState.SET_ASIDE:
        return Answer(False, "Nobody answers this any more. Go on without it, or end with NEEDS_INPUT.")
    if question.kind == QuestionKind.PERMISSION:
        return Answer(True) if questions.may(question) else Answer(False, f"A person said: {question.answer}")
    return Answer(True, answers={row["question"]: question.answer for row in _asked_in(request.input)})


def close(turn: Turn, *, told: bool) -> None:
    """The turn has ended, and waits for nothing any more. In the transaction that settles it.

    ``told``: it ended by its own word. Else the next one is told the answer that its agent had not read.
    """
    with unit_of_work():
        held = lock(turn.ticket)
        rows = Question.objects.filter(turn=turn).order_by("n")
        live = rows.filter(live=True)
        for question in (live if told else rows).filter(state=QuestionState.OPEN):
            question.ticket, question.turn = held, turn
            QUESTION.move(question, "set_aside", reason=f"Turn {turn.seq} ended.")
        for question in live.filter(state=QuestionState.ANSWERED, delivered_at__isnull=True) if not told else ():
            said = f"{question.answered_label} answered turn {turn.seq}, which ended before it was told."
            conversation.told(held, f"{said} The question:\n\n{question.text}\n\nThe answer: {question.answer}")

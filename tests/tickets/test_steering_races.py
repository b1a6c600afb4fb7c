"""Answers at the moment in which the wait ends, or the turn does; workers killed while an agent waits."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused
from portal.core.models import User
from tests.tickets.conversing import ASKED, BASH, asking_turn, assigned, open_question, running
from tests.tickets.workshop import Workshop, newest
from tests.workers.racing import race
from tickets import questions
from tickets.models import Message, Question, Ticket, Turn
from tickets.steering import TurnDesk
from tickets.turns import TurnResult
from workers.agents.adapters.events import SignalKind
from workers.agents.dialogue import Answer
from workers.claims import Claim
from workers.ending import end_attempt
from workers.models import Job, Outcome
from workers.sweeping import sweep

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


def _answer(turn: int, person: int) -> str:
    row = Question.objects.select_related("ticket", "turn").get(turn=turn)
    try:
        questions.answer(row, by=User.objects.get(pk=person), choice=questions.ALLOW, text="")
    except Refused as refusal:
        return str(refusal)
    return "answered"


def _give_up(claim: Claim, turn: int) -> Answer | None:
    row = Turn.objects.select_related("ticket__project", "agent_version__agent").get(pk=turn)
    return TurnDesk(claim, row).give_up(ASKED)


def _end(claim: Claim, _: int) -> str:
    result = TurnResult(SignalKind.NEEDS_INPUT, "", asked=True)
    return "ended" if end_attempt(claim.job_id, claim.fence, Outcome.SUCCEEDED, result=result) else "not ours"


def _call(function: Any, *values: Any) -> Any:
    return function(*values)


def test_an_answer_as_the_wait_ends_reaches_the_agent_either_now_or_in_its_next_turn(
    shop: Workshop, world: World, engine: str
) -> None:
    for _ in range(6 if engine == "postgresql" else 2):
        claim, turn = asking_turn(shop)
        said, given_up = race(_call, [(_answer, turn.pk, world.operator.pk), (_give_up, claim, turn.pk)])
        asked = Question.objects.get(turn=turn)
        messages = Message.objects.filter(ticket=turn.ticket, body__startswith="Answer to turn 1").count()
        assert (said, asked.state) == ("answered", "answered")
        assert (given_up == Answer(True), asked.live, messages) in {(True, True, 0), (False, False, 1)}
        _end(claim, 0)


def test_an_answer_as_the_turn_ends_is_followed_by_one_turn(shop: Workshop, world: World, engine: str) -> None:
    for _ in range(6 if engine == "postgresql" else 2):
        claim, turn = asking_turn(shop)
        assert _give_up(claim, turn.pk) is None
        found = race(_call, [(_answer, turn.pk, world.operator.pk), (_end, claim, 0)])
        turn.ticket.refresh_from_db()
        jobs = Job.objects.filter(kind="turn", state="queued", subject=turn.ticket.subject).count()
        assert (found, jobs, turn.ticket.state) == (["answered", "ended"], 1, "queued")
        Job.objects.filter(state="queued").update(state="cancelled", finished_at=asked_at(turn))


def asked_at(turn: Turn) -> Any:
    return Question.objects.get(turn=turn).asked_at


def test_what_is_answered_while_the_turn_still_ends_is_not_left_without_a_turn(shop: Workshop, world: World) -> None:
    claim, turn = asking_turn(shop)
    assert _give_up(claim, turn.pk) is None
    assert _answer(turn.pk, world.operator.pk) == "answered"
    assert not Job.objects.filter(kind="turn", state="queued").exists()
    assert _end(claim, 0) == "ended"
    turn.ticket.refresh_from_db()
    assert (turn.ticket.state, Job.objects.filter(kind="turn", state="queued").count()) == ("queued", 1)


# Killed while it waits ---------------------------------------------------------------------


def _work(pid: str) -> None:
    from workers.draining import Drain
    from workers.leases import LeaseKeeper

    Path(pid).write_text(str(os.getpid()))
    Drain("turns", "turns@doomed", LeaseKeeper("turns@doomed"), lambda: False).run()


def _kill(ticket: int, person: int, pid: str, answers: bool) -> None:
    asked = open_question(Ticket.objects.get(pk=ticket))
    worker = int(Path(pid).read_text())
    # Stopped, it cannot pass on an answer that came before its death.
    os.kill(worker, signal.SIGSTOP)
    if answers:
        questions.answer(asked, by=User.objects.get(pk=person), choice=questions.ALLOW, text="")
    os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("answered", [False, True])
def test_a_worker_killed_while_its_agent_waits_loses_no_answer_and_asks_nothing_twice(
    shop: Workshop, world: World, tmp_path: Path, answered: bool
) -> None:
    pid, ran = str(tmp_path / "pid"), tmp_path / "ran"
    ticket = assigned(shop, [["mark", str(ran)], ["ask", *BASH], ["signal", "BLOCKED", "x"]])
    with pytest.raises(EOFError):
        race(_call, [(_kill, ticket.pk, world.operator.pk, pid, answered), (_work, pid)])
    Job.objects.filter(state="running").update(lease_until="2000-01-01T00:00:00Z")
    sweep()
    first = Question.objects.get()
    assert first.state == ("answered" if answered else "set_aside")
    shop.make_due()
    with running():
        if not answered:
            questions.answer(open_question(ticket), by=world.operator, choice=questions.ALLOW, text="")
    turn = newest(ticket)
    assert (turn.seq, turn.state, len(ran.read_text().split())) == (2, "blocked", 2)
    second = Question.objects.get(turn=turn)
    assert (second.state, second.choice, second.delivered_at is not None) == ("answered", questions.ALLOW, True)
    told = Message.objects.filter(author_kind="portal")
    # What the first was allowed and never told, the second is told, and allowed without a person.
    assert [message.deliveries.get().turn_id for message in told] == ([turn.pk] if answered else [])
    assert ("in turn 1" in second.answered_label) is answered

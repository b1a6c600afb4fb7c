"""Messages, turns and withdrawals at the same moment; agents that end well, badly and not at all."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError

from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import unit_of_work
from tests.tickets import build
from tests.workers.racing import race
from tickets import conversation, work
from tickets.models import Delivery, Message, Purpose, Ticket, Turn
from tickets.sessions import Session
from tickets.turn_jobs import TURN_KIND
from workers.models import Agent, AgentVersion, Attempt, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ticket(world: World) -> Ticket:
    build.agent()
    return build.ticket(world.mc)


# At the same moment ------------------------------------------------------------------


def _post(ticket: int, author: int, number: int, same: bool) -> list[int]:
    row, person = Ticket.objects.get(pk=ticket), User.objects.get(pk=author)
    keys = [f"k{n}" if same else f"k{number}-{n}" for n in range(5)]
    return [conversation.post(row, author=person, body=key, idempotency_key=key)[0].number for key in keys]


def test_numbers_have_no_gap_however_many_write_at_once(world: World, ticket: Ticket, engine: str) -> None:
    processes = 8 if engine == "postgresql" else 3
    found = race(_post, [(ticket.pk, world.operator.pk, n, False) for n in range(processes)])
    assert sorted(number for numbers in found for number in numbers) == list(range(1, 5 * processes + 1))
    assert all(numbers == sorted(numbers) for numbers in found)


def test_one_message_sent_by_many_at_once_is_one(world: World, ticket: Ticket, engine: str) -> None:
    processes = 8 if engine == "postgresql" else 3
    found = race(_post, [(ticket.pk, world.operator.pk, n, True) for n in range(processes)])
    assert found == [[1, 2, 3, 4, 5]] * processes
    assert Message.objects.count() == 5


def _write(ticket: int, author: int, number: int, rounds: int) -> list[int]:
    row, person = Ticket.objects.get(pk=ticket), User.objects.get(pk=author)
    return [conversation.post(row, author=person, body=f"{number}-{n}")[0].number for n in range(rounds)]


def _withdraw(ticket: int, author: int, number: int, rounds: int) -> list[int]:
    person, chance, done = User.objects.get(pk=author), random.Random(number), []
    for _ in range(rounds):
        rows = list(Message.objects.filter(ticket=ticket, withdrawn_at__isnull=True))
        if rows:
            message = chance.choice(rows)
            with contextlib.suppress(Refused):
                conversation.withdraw(message, by=person)
                done.append(message.number)
    return done


def _turns(ticket: int, author: int, number: int, rounds: int) -> list[int]:
    """Turns that begin, take, and end by their own word or otherwise; some are cut off before their commit."""
    row, chance, read = Ticket.objects.get(pk=ticket), random.Random(number), []
    for n in range(rounds):
        with contextlib.suppress(IntegrityError, ZeroDivisionError):
            with unit_of_work():
                turn = build.turn(row, "running", seq=1000 * (number + 1) + n)
                taken = conversation.take(row, turn)
                assert [m.number for m in taken] == sorted(m.number for m in taken)
                _ = 1 / chance.choice([0, 1, 1])
            well = chance.random() < 0.5
            with unit_of_work():
                (conversation.acknowledge if well else conversation.give_back)(turn)
                Turn.objects.filter(pk=turn.pk).update(state="done" if well else "failed")
            read += [message.number for message in taken] if well else []
    return read


def test_no_message_is_lost_or_read_twice_whoever_is_first(world: World, ticket: Ticket, engine: str) -> None:
    rounds, each = (25, 3) if engine == "postgresql" else (8, 1)
    calls = [(_write, n) for n in range(each)] + [(_withdraw, n) for n in range(each)] + [(_turns, n) for n in range(3)]
    found = race(_call, [(call, (ticket.pk, world.operator.pk, n, rounds)) for call, n in calls], seconds=100)
    written, withdrawn, read = (
        [number for (call, _), numbers in zip(calls, found, strict=True) if call is kind for number in numbers]
        for kind in (_write, _withdraw, _turns)
    )
    last = build.turn(ticket, seq=1)
    left = [message.number for message in conversation.take(ticket, last)]
    while more := [message.number for message in conversation.waiting(ticket)[:50]]:
        conversation.acknowledge(last)
        last = build.turn(ticket, seq=last.seq + 1)
        left += [message.number for message in conversation.take(ticket, last)]
        assert left[-len(more) :] == more
    assert sorted(written) == list(range(1, each * rounds + 1))
    assert sorted(read + left + list(set(withdrawn))) == sorted(written), "each was read once, or withdrawn"
    gone = Message.objects.filter(withdrawn_at__isnull=False)
    assert not Delivery.objects.filter(message__in=gone).exclude(state="returned").exists()


def _call(function: Any, values: tuple[Any, ...]) -> Any:
    return function(*values)


# A turn, from the message to the answer ---------------------------------------------------------

AGENT = """
import json, os, sys
folder, ending = sys.argv[1:]
prompt = sys.stdin.read()
with open(f"{folder}/prompt-{len(os.listdir(folder))}", "w") as kept:
    kept.write(prompt)
if ending == "killed":
    os.kill(os.getpid(), 9)
if ending == "signals":
    said = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    print(json.dumps({"mc_signal": "NEEDS_INPUT", **said, "payload": "Which **drain**?"}))
if ending == "signals badly":
    said = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    print(json.dumps({"mc_signal": "BLOCKED", **said, "payload": "No\\0 \\ud800 way"}))
"""


@pytest.fixture
def run_turn(world: World, tmp_path: Path, settings: Any) -> Any:
    """``run_turn(ticket, "signals")`` gives the ticket a turn that ends so; answers with the prompt it got."""
    settings.LIMITS = settings.LIMITS | {"JOB_MAX_LOSSES": 1}
    repository, prompts = tmp_path / "repository", tmp_path / "prompts"
    repository.mkdir()
    prompts.mkdir()
    (tmp_path / "agent.py").write_text(textwrap.dedent(AGENT))
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(repository), *arguments], check=True)
    build.repository(world.mc, str(repository))

    def run(ticket: Ticket, ending: str) -> str:
        from workers.draining import Drain
        from workers.leases import LeaseKeeper

        agent = Agent.objects.get(name="claude-dev")
        number = AgentVersion.objects.filter(agent=agent).count() + 1
        command = [sys.executable, str(tmp_path / "agent.py"), str(prompts), ending]
        AgentVersion.objects.create(
            agent=agent,
            number=number,
            adapter="plain",
            trusted=True,
            command=command,
            wall_seconds=30,
            silence_seconds=30,
            max_failures=1,
        )
        ticket.refresh_from_db()
        work.assign(ticket, agent)
        assert Drain("turns", "turns@test", LeaseKeeper("turns@test"), lambda: False).run() == 1
        ticket.refresh_from_db()
        return max(prompts.iterdir(), key=lambda path: path.stat().st_mtime_ns).read_text()

    return run


def test_a_turn_is_given_what_waits_and_its_answer_stands_in_the_conversation(
    world: World, ticket: Ticket, run_turn: Any
) -> None:
    conversation.post(ticket, author=world.operator, body="Mend the drain")
    conversation.post(ticket, author=world.operator, body="Not for agents", internal=True)
    prompt = run_turn(ticket, "signals")
    assert "Mend the drain" in prompt and "Not for agents" not in prompt
    assert "from Operator" in prompt and "MESSAGE-1" in prompt
    turn, answer = Turn.objects.get(), Message.objects.get(author_kind="agent")
    assert (ticket.state, turn.state, Delivery.objects.get().state) == ("needs_person", "needs_input", "acknowledged")
    assert (answer.number, answer.body, answer.turn, answer.author_label) == (3, "Which **drain**?", turn, "claude-dev")
    conversation.post(ticket, author=world.operator, body="The second one")
    prompt = run_turn(ticket, "signals")
    assert prompt.index("Which **drain**?") < prompt.index("New messages for you") < prompt.index("The second one")


def test_no_answer_is_lost_over_a_character_that_no_database_keeps(world: World, ticket: Ticket, run_turn: Any) -> None:
    conversation.post(ticket, author=world.operator, body="Mend the drain")
    run_turn(ticket, "signals badly")
    answer = Message.objects.get(author_kind="agent")
    assert answer.body.startswith("No") and answer.body.endswith("way")
    assert (ticket.state, Delivery.objects.get().state) == ("blocked", "acknowledged")


@pytest.mark.parametrize("ending", ["silent", "killed"])
def test_what_a_turn_took_waits_again_where_it_ended_without_its_word(
    world: World, ticket: Ticket, run_turn: Any, ending: str
) -> None:
    conversation.post(ticket, author=world.operator, body="Mend the drain")
    assert "Mend the drain" in run_turn(ticket, ending)
    assert (ticket.state, Delivery.objects.get().state) == ("failed", "returned")
    assert not Message.objects.filter(author_kind="agent").exists()
    prompt = run_turn(ticket, "signals")
    assert "You may have seen some of these before" in prompt and "Mend the drain" in prompt
    assert list(Delivery.objects.order_by("id").values_list("state", flat=True)) == ["returned", "acknowledged"]


# Killed in the middle ---------------------------------------------------------------------------------


def _die_with_it(ticket: int, committed: bool) -> None:
    """A worker that claims the ticket's turn, gives it the messages, and is gone: before its commit, or after."""
    from tickets import turns
    from workers import claims

    (claim,) = claims.claim("turns", [TURN_KIND], worker="turns@test", most=1)
    row = Ticket.objects.select_related("project").get(pk=ticket)
    version = AgentVersion.objects.select_related("agent").get(pk=claim.payload["agent_version"])
    take = conversation.take

    def dying(*values: Any) -> list[Message]:
        taken = take(*values)
        assert taken
        os.kill(os.getpid(), signal.SIGKILL)
        return taken

    if not committed:
        turns.conversation.take = dying  # type: ignore[attr-defined]
    turns._begin(claim, row, version, row.workspace, Purpose.WORK, Session(), "")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("committed", [False, True])
def test_what_a_killed_worker_took_is_in_the_queue_again_once_the_sweep_ends_its_turn(
    world: World, ticket: Ticket, run_turn: Any, committed: bool
) -> None:
    from workers.sweeping import sweep

    run_turn(ticket, "signals")
    conversation.post(ticket, author=world.operator, body="Mend the drain")
    ticket.refresh_from_db()
    work.assign(ticket, Agent.objects.get(name="claude-dev"))
    with pytest.raises(EOFError):
        race(_die_with_it, [(ticket.pk, committed)])
    assert Delivery.objects.filter(state="taken").count() == int(committed)
    assert Turn.objects.filter(state="running").count() == int(committed)
    Job.objects.filter(state="running").update(lease_until="2000-01-01T00:00:00Z")
    sweep()
    assert not Attempt.objects.filter(outcome="running").exists()
    assert [message.body for message in conversation.waiting(ticket)] == ["Mend the drain"]
    assert not Turn.objects.filter(state="running").exists()

"""Tools used at the same moment, and at the moment in which their turn ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from tests.portal.mcp.speaker import running
from tests.workers.racing import race
from tickets import credentials, speaking
from tickets.models import Message, Turn
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


def _finish(turn: int, number: int) -> str:
    row = Turn.objects.select_related("ticket", "attempt", "agent_version__agent").get(pk=turn)
    try:
        speaking.finish(row, "BLOCKED", f"word {number}")
    except Refused:
        return ""
    return f"word {number}"


def test_of_many_signals_at_once_one_is_the_turns(world: World, engine: str) -> None:
    turn = running(world.mc).turn
    given = race(_finish, [(turn.pk, number) for number in range(6 if engine == "postgresql" else 3)])
    turn.refresh_from_db()
    assert [word for word in given if word] == [turn.signal_payload]


def _post(turn: int, number: int) -> int:
    row = Turn.objects.select_related("ticket", "attempt", "agent_version__agent").get(pk=turn)
    return speaking.post(row, "The same.", "one key")[0].number


def test_one_message_sent_by_many_at_once_is_one(world: World, engine: str) -> None:
    turn = running(world.mc).turn
    numbers = race(_post, [(turn.pk, number) for number in range(6 if engine == "postgresql" else 3)])
    assert set(numbers) == {1}
    assert Message.objects.count() == 1


def _say_or_end(turn: int, ends: bool) -> str:
    """The worker closes the turn's credential under the lock of its job, and reads what was said until then."""
    if not ends:
        return _finish(turn, 1)
    row = Turn.objects.select_related("attempt").get(pk=turn)
    with unit_of_work():
        Job.objects.select_for_update(no_key=True).get(pk=row.attempt.job_id)
        credentials.close(row)
    return str(row.signal_payload or "")


def test_a_signal_is_heard_by_who_ends_the_turn_or_refused(world: World, engine: str) -> None:
    for _ in range(5 if engine == "postgresql" else 2):
        turn = running(world.mc).turn
        said, heard = race(_say_or_end, [(turn.pk, False), (turn.pk, True)])
        assert said == heard

"""What a turn is told of earlier ones, and of what people decided."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.core import clock
from tests.factories import World
from tests.tickets.workshop import GOOD, Workshop
from tickets import prompts, questions, recollection
from tickets.models import Purpose, Question, Turn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


ASK = [["signal", "NEEDS_INPUT", {"question": "Which oil?", "options": ["Linseed", "Teak"]}]]
CLAIM = [["signal", "DONE", "It is oiled."]]


def test_how_earlier_turns_ended_is_told_with_what_was_not_seen_to_hold(shop: Workshop) -> None:
    ticket = shop.ticket()
    first = shop.turn(ticket, [["exit", 3]], max_failures=1)
    shop.turn(ticket, CLAIM)
    Turn.objects.filter(pk=first.pk).update(ended_at=clock.now() - timedelta(hours=5, minutes=3))
    told = recollection.of_turns(ticket, 3)
    assert told[0].startswith("- turn 2 of mender, 0 minutes ago: it said DONE, and that was not seen to hold. No new")
    assert told[1].startswith("- turn 1 of mender, 5 hours ago: failed. The agent exited with code 3.")
    assert recollection.of_turns(ticket, 2) == told[1:]
    text = prompts.preview(ticket, Purpose.WORK).text
    assert told[0] in text and told[1] in text


def test_a_good_turn_is_told_as_one(shop: Workshop) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    assert recollection.of_turns(ticket, 2) == ["- turn 1 of mender, 0 minutes ago: done, and seen to hold."]


def test_what_a_person_decided_is_told_to_every_later_turn(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, ASK)
    questions.answer(Question.objects.get(), by=world.operator, choice=1, text="Two coats.")
    [told] = recollection.of_decisions(ticket)
    assert told == f"- 0 minutes ago it was asked: Which oil?\n  {world.operator} answered: Teak Two coats."
    shop.agent(GOOD)
    shop.drain()
    assert told in prompts.preview(ticket, Purpose.REVIEW).text


def test_only_the_newest_are_told(shop: Workshop) -> None:
    ticket = shop.ticket()
    for _ in range(recollection.MOST_TURNS + 2):
        shop.turn(ticket, [["signal", "BLOCKED", "No oil."]])
    told = recollection.of_turns(ticket, 100)
    assert len(told) == recollection.MOST_TURNS and told[0].startswith(f"- turn {recollection.MOST_TURNS + 2} ")

"""Output as a page shows it: the newest part, and exactly what its cursor says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from portal.core.clock import now
from portal.live import cursor
from tests.tickets import build
from tickets import output
from workers.models import Attempt, AttemptOutput

if TYPE_CHECKING:
    from portal.core.models import User
    from tests.factories import World

pytestmark = pytest.mark.django_db


def number_of(found: output.Output) -> int:
    return cursor.parse(found.cursor).number


def test_nothing_is_nothing() -> None:
    found = output.newest(build.attempt().pk, running=False)
    assert (found.text, found.cut, number_of(found)) == ("", 0, 0)


def test_the_newest_pieces_are_shown_and_the_rest_is_counted() -> None:
    attempt = build.attempt()
    for place in range(5):
        AttemptOutput.objects.create(attempt=attempt, offset=place * 100_000, length=100_000, text=f"piece {place}\n")
    found = output.newest(attempt.pk, running=True)
    assert (found.text, found.cut, number_of(found)) == ("piece 3\npiece 4\n", 300_000, 500_000)


def test_what_is_written_after_the_cursor_was_read_is_left_to_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = build.attempt(output="first\n")
    name = output.stream(attempt.pk)
    monkeypatch.setattr(output.streams, "cursors", lambda *names: {name: "a:6"})
    AttemptOutput.objects.create(attempt=attempt, offset=6, length=7, text="second\n")
    assert output.newest(attempt.pk, running=True).text == "first\n"


def test_a_page_says_when_what_was_written_is_forgotten(
    transactional_db: None, world: World, sign_in: Callable[[User | None], Client]
) -> None:
    turn = build.turn(build.ticket(world.mc))
    address = f"/tickets/{turn.ticket.key}/turns/1/output/"
    client = sign_in(world.viewer)
    assert "It wrote nothing." in client.get(address).content.decode()
    Attempt.objects.update(ended_at=now() - timedelta(days=91))
    assert "What it wrote is gone: it is kept for 90 days after the end." in client.get(address).content.decode()
    assert "it is kept for 90 days" in client.get(f"/tickets/{turn.ticket.key}/turns/1/output.txt").content.decode()

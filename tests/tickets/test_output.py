"""Output as a page shows it: the newest part, and exactly what its cursor says."""

from __future__ import annotations

import pytest

from portal.live import cursor
from tests.tickets import build
from tickets import output
from workers.models import AttemptOutput

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

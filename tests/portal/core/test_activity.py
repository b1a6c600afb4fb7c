"""History is append-only: the database refuses, whoever asks."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from portal.core import cause
from portal.core.cause import Actor
from portal.core.models import Activity
from portal.core.unit import unit_of_work

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> Activity:
    with unit_of_work() as work:
        work.record("door.mended", "door:1", reason="Noise.")
    return Activity.objects.get()


def test_an_entry_cannot_be_changed(entry: Activity) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Activity.objects.filter(pk=entry.pk).update(reason="Never mind.")
    assert Activity.objects.get().reason == "Noise."


def test_nor_by_a_statement_of_its_own(entry: Activity) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE core_activity SET actor_label = 'somebody else'")


@pytest.mark.postgresql
def test_nor_deleted(entry: Activity) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Activity.objects.all().delete()
    assert Activity.objects.exists()


def test_it_says_who_when_what_and_from_where() -> None:
    actor = Actor("user", "7", "Ada " * 100)
    with (
        cause.acting(actor, because="POST /doors/1/" + "x" * 300, origin="192.0.2.1", request_id="abcdefgh"),
        unit_of_work() as work,
    ):
        work.record("door.mended", "door:1")
    entry = Activity.objects.get()
    assert (entry.actor_kind, entry.actor_id, entry.origin, entry.request_id) == ("user", "7", "192.0.2.1", "abcdefgh")
    assert entry.actor_label == ("Ada " * 50)
    assert len(entry.because) == 120
    assert entry.at is not None


def test_a_text_that_a_database_would_break_over_is_kept_without_what_breaks_it() -> None:
    with unit_of_work() as work:
        work.record("door.mended", "door:1", after={"text": "a\0b"}, reason="half \ud800 a pair\0")
    entry = Activity.objects.get()
    assert entry.after == {"text": "a\N{REPLACEMENT CHARACTER}b"}
    assert entry.reason == "half \N{REPLACEMENT CHARACTER} a pair\N{REPLACEMENT CHARACTER}"

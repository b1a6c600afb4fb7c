"""A unit of work: history and events with the change, or neither; hints after the commit alone."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.core import unit
from portal.core.models import Activity
from portal.core.unit import Pointer, unit_of_work
from portal.live.models import Event, Stream

pytestmark = pytest.mark.django_db(transaction=True)


def verbs() -> list[str]:
    return list(Activity.objects.order_by("pk").values_list("verb", flat=True))


def on(stream: str) -> list[tuple[int, str, int]]:
    return list(Event.objects.filter(stream_id=stream).order_by("seq").values_list("seq", "object", "object_version"))


class TestSuccess:
    def test_records_and_events_are_there_after_it(self) -> None:
        with unit_of_work() as work:
            work.record("door.mended", "door:1", before={"squeaks": True}, after={"squeaks": False}, reason="Noise.")
            work.announce("door:1", Pointer("door", "door:1", 7))
        entry = Activity.objects.get()
        assert (entry.verb, entry.subject, entry.reason) == ("door.mended", "door:1", "Noise.")
        assert (entry.before, entry.after) == ({"squeaks": True}, {"squeaks": False})
        assert on("door:1") == [(1, "door:1", 7)]

    def test_a_failure_leaves_neither(self) -> None:
        with pytest.raises(ZeroDivisionError), unit_of_work() as work:
            work.record("door.mended", "door:1")
            work.announce("door:1", Pointer("door", "door:1", 7))
            raise ZeroDivisionError
        assert not Activity.objects.exists()
        assert not Event.objects.exists()
        assert not Stream.objects.exists()

    def test_a_rollback_around_it_takes_both_back(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            with unit_of_work() as work:
                work.record("door.mended", "door:1")
                work.announce("door:1", Pointer("door", "door:1", 7))
            raise ZeroDivisionError
        assert not Activity.objects.exists()
        assert not Event.objects.exists()

    def test_a_change_outside_any_unit_is_a_mistake(self) -> None:
        with pytest.raises(RuntimeError, match="unit_of_work"):
            unit.current()

    def test_after_a_unit_none_is_open(self) -> None:
        with unit_of_work():
            pass
        with pytest.raises(ZeroDivisionError), unit_of_work():
            raise ZeroDivisionError
        with pytest.raises(RuntimeError):
            unit.current()


class TestNesting:
    def test_an_inner_block_that_fails_takes_back_its_own_only(self) -> None:
        ran: list[str] = []
        with unit_of_work() as work:
            work.record("outer.before", "a:1")
            work.announce("s:1", Pointer("a", "a:1", 1))
            work.after_commit("outer", lambda: ran.append("outer"))
            with pytest.raises(ZeroDivisionError), unit_of_work() as inner:
                inner.record("inner", "a:1")
                inner.announce("s:1", Pointer("a", "a:2", 1))
                inner.after_commit("inner", lambda: ran.append("inner"))
                raise ZeroDivisionError
            work.record("outer.after", "a:1")
        assert verbs() == ["outer.before", "outer.after"]
        assert on("s:1") == [(1, "a:1", 1)]
        assert ran == ["outer"]

    def test_an_inner_block_is_written_with_the_outer_one(self) -> None:
        with unit_of_work():
            with unit_of_work() as inner:
                inner.record("inner", "a:1")
            assert verbs() == []
        assert verbs() == ["inner"]

    def test_an_inner_block_dies_with_the_outer_one(self) -> None:
        with pytest.raises(ZeroDivisionError), unit_of_work():
            with unit_of_work() as inner:
                inner.record("inner", "a:1")
            raise ZeroDivisionError
        assert verbs() == []


class TestAfterCommit:
    def test_the_same_key_runs_once(self) -> None:
        ran: list[int] = []
        with unit_of_work() as work:
            for n in range(3):
                work.after_commit("wake", lambda n=n: ran.append(n))
        assert ran == [0]

    def test_it_runs_after_the_commit(self) -> None:
        within: list[bool] = []
        with unit_of_work() as work:
            work.after_commit("look", lambda: within.append(connection.in_atomic_block))
            assert within == []
        assert within == [False]

    def test_one_that_fails_costs_the_others_and_the_change_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        ran: list[str] = []

        def fail() -> None:
            raise ZeroDivisionError

        with caplog.at_level(logging.ERROR), unit_of_work() as work:
            work.record("door.mended", "door:1")
            work.after_commit("bad", fail)
            work.after_commit("good", lambda: ran.append("good"))
        assert ran == ["good"]
        assert verbs() == ["door.mended"]

    def test_a_failure_runs_none(self) -> None:
        ran: list[str] = []
        with pytest.raises(ZeroDivisionError), unit_of_work() as work:
            work.after_commit("x", lambda: ran.append("x"))
            raise ZeroDivisionError
        assert ran == []

    def test_what_runs_then_opens_a_unit_of_its_own(self) -> None:
        """It used to join the one that had just been written, and its history was lost."""

        def act() -> None:
            with unit_of_work() as later:
                later.record("later", "a:1")
                later.announce("s:1", Pointer("a", "a:1", 2))

        with unit_of_work() as work:
            work.record("first", "a:1")
            work.after_commit("later", act)
        assert verbs() == ["first", "later"]
        assert on("s:1") == [(1, "a:1", 2)]


class TestStreams:
    def test_the_same_object_twice_on_a_stream_is_one_event_of_its_last_version(self) -> None:
        with unit_of_work() as work:
            for version in (1, 2, 3):
                work.announce("s:1", Pointer("a", "a:1", version))
            work.announce("s:1", Pointer("a", "a:2", 1))
        assert on("s:1") == [(1, "a:1", 3), (2, "a:2", 1)]

    def test_streams_are_locked_in_the_order_of_their_names(self) -> None:
        with CaptureQueriesContext(connection) as said, unit_of_work() as work:
            for name in ("s:c", "s:a", "s:b"):
                work.announce(name, Pointer("a", "a:1", 1))
        text = "\n".join(query["sql"] for query in said if "live_stream" in query["sql"])
        assert text.index("s:a") < text.index("s:b") < text.index("s:c")

    def test_history_is_written_before_any_stream_is_locked(self) -> None:
        with CaptureQueriesContext(connection) as said, unit_of_work() as work:
            work.announce("s:a", Pointer("a", "a:1", 1))
            work.record("a.changed", "a:1")
        tables = [
            "activity" if "core_activity" in query["sql"] else "stream"
            for query in said
            if "core_activity" in query["sql"] or "live_stream" in query["sql"]
        ]
        assert tables == ["activity", "stream"]

    def test_numbers_go_on_without_a_gap_over_a_rollback(self) -> None:
        def announce(version: int) -> None:
            with unit_of_work() as work:
                work.announce("s:1", Pointer("a", "a:1", version))
                if version == 2:
                    raise ZeroDivisionError

        announce(1)
        with pytest.raises(ZeroDivisionError):
            announce(2)
        announce(3)
        assert on("s:1") == [(1, "a:1", 1), (2, "a:1", 3)]


class TestHints:
    def test_nothing_is_published_before_the_commit(self, valkey_url: str) -> None:
        # Others may speak on the same store: a name that only this test knows.
        name = f"s:{uuid.uuid4().hex}"

        def heard_of_it(heard: Any, seconds: float) -> bool:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                message = heard.get_message(timeout=0.1)
                if message and message["type"] == "pmessage" and name.encode() in message["data"]:
                    return True
            return False

        with redis.Redis.from_url(valkey_url) as store, store.pubsub() as heard:
            heard.psubscribe("*")
            with unit_of_work() as work:
                work.announce(name, Pointer("a", "a:1", 1))
                assert not heard_of_it(heard, 0.5)
            assert heard_of_it(heard, 5)

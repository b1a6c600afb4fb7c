"""Numbers without gaps, locks in name order, bounded pruning, hints that never hurt."""

from __future__ import annotations

import random
import signal
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F

from portal.core.unit import Pointer, unit_of_work
from portal.live import hints, publishing, streams
from portal.live.models import Event, Stream
from tests.engines import valkey


@pytest.fixture
def sent(monkeypatch):
    """Hints instead of sending them."""
    found: list[list[str]] = []
    monkeypatch.setattr(hints, "send", lambda names: found.append(list(names)))
    return found


def pointers(count: int = 1) -> list[Pointer]:
    return [Pointer("message", f"MC-1#{n}", n) for n in range(count)]


def test_events_are_numbered_from_one_in_the_order_given(db, sent):
    with transaction.atomic():
        publishing.publish({"b:1": pointers(3), "a:1": pointers(1), "c:1": []})
        publishing.publish({"b:1": pointers(2)})
    assert list(Stream.objects.order_by("name").values_list("name", "head", "floor")) == [("a:1", 1, 0), ("b:1", 5, 0)]
    rows = Event.objects.filter(stream_id="b:1").order_by("seq").values_list("seq", "object", "object_version")
    assert list(rows) == [(1, "MC-1#0", 0), (2, "MC-1#1", 1), (3, "MC-1#2", 2), (4, "MC-1#0", 0), (5, "MC-1#1", 1)]
    assert len(set(Stream.objects.values_list("epoch", flat=True))) == 2


def test_the_hint_goes_out_after_the_commit_and_not_after_a_rollback(transactional_db, sent):
    with unit_of_work() as unit:
        unit.announce("b:1", *pointers())
        unit.announce("a:1", *pointers())
        assert sent == []
    assert sent == [["a:1", "b:1"]]
    with pytest.raises(RuntimeError), unit_of_work() as unit:
        unit.announce("a:1", *pointers())
        raise RuntimeError
    assert sent == [["a:1", "b:1"]]
    assert Stream.objects.get(name="a:1").head == 1


def test_publishing_is_one_statement_on_postgresql(db, engine, sent, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(1 if engine == "postgresql" else 4):
        publishing.publish({"b:1": pointers(3), "a:1": pointers(2)})


@pytest.mark.postgresql
def test_writers_at_once_leave_no_gap_and_no_deadlock(transactional_db, sent):
    names = [f"room:{n}" for n in range(6)]
    problems: list[BaseException] = []

    def write(seed: int) -> None:
        choose = random.Random(seed)
        try:
            for _ in range(40):
                with transaction.atomic():
                    publishing.publish({name: pointers(choose.randint(1, 3)) for name in choose.sample(names, 3)})
                    if choose.random() < 0.2:
                        transaction.set_rollback(True)
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    for stream in Stream.objects.all():
        numbers = Event.objects.filter(stream=stream).order_by("seq").values_list("seq", flat=True)
        assert list(numbers) == list(range(1, stream.head + 1))


def test_pruning_raises_the_floor_and_keeps_what_is_young(db, sent, monkeypatch):
    monkeypatch.setattr(publishing, "PRUNE_BATCH_EVENTS", 7)
    with transaction.atomic():
        publishing.publish({"a:1": pointers(30), "b:1": pointers(5)})
    Event.objects.filter(stream_id="a:1", seq__lte=20).update(at=F("at") - timedelta(hours=49))
    assert publishing.prune(48) == 20
    assert list(Stream.objects.order_by("name").values_list("head", "floor")) == [(30, 20), (5, 0)]
    assert Event.objects.filter(stream_id="a:1").order_by("seq").first().seq == 21
    assert publishing.prune(48) == 0


def test_pruning_all_leaves_a_cursor_at_the_head_valid(db, sent):
    with transaction.atomic():
        publishing.publish({"a:1": pointers(3)})
    Event.objects.update(at=F("at") - timedelta(hours=2))
    assert publishing.prune(1) == 3
    assert Stream.objects.get().floor == Stream.objects.get().head == 3


def test_cursors_of_a_page_take_one_statement(db, sent, django_assert_num_queries):
    with transaction.atomic():
        publishing.publish({"a:1": pointers(3), "b:1": pointers(1)})
    epoch = Stream.objects.get(name="a:1").epoch
    with django_assert_num_queries(1):
        found = streams.cursors("a:1", "b:1", "new:1")
    assert found["a:1"] == f"{epoch}:3"
    assert found["new:1"] == "-:0"


def test_the_tag_prefers_the_cursors_that_the_view_read_first(db, sent):
    from django.template import Context, Template

    with transaction.atomic():
        publishing.publish({"a:1": pointers(3)})
    epoch = Stream.objects.get().epoch
    page = Template('{% load live %}<p {% live "a:1" "b:1" url=address %}>')
    assert page.render(Context({"address": "/x?a=1&b=2"})) == (
        f'<p data-live="a:1 b:1" data-live-cursor="{epoch}:3 -:0" data-live-url="/x?a=1&amp;b=2">'
    )
    early = Context({"address": "", "live_cursors": {"a:1": "e:1"}})
    assert page.render(early) == '<p data-live="a:1 b:1" data-live-cursor="e:1 -:0">'


def test_a_prefix_is_registered_once():
    from portal.core import access
    from portal.core.access import SIGNED_IN

    try:
        streams.register("test-once", SIGNED_IN, lambda name: "")
        with pytest.raises(ValueError, match="twice"):
            streams.register("test-once", SIGNED_IN, lambda name: "")
        with pytest.raises(ValueError, match="no prefix"):
            streams.register("Bad:", SIGNED_IN, lambda name: "")
        assert streams.kind_of("test-once:1").label == "test-once"
        assert streams.kind_of("test-once:a/b") is None
    finally:
        streams._kinds.pop("test-once")
        access._operations.pop("stream.test-once")


@pytest.fixture
def broker(settings):
    """A broker of its own, to be stopped and paused, and a sender that knows no other."""
    from channels.layers import channel_layers

    store = valkey.start()
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": settings.CHANNEL_LAYERS["default"]["BACKEND"],
            "CONFIG": {"hosts": [store.url], "prefix": "t"},
        }
    }
    channel_layers.backends.clear()
    yield store
    store.process.send_signal(signal.SIGCONT)
    store.stop()
    channel_layers.backends.clear()


@pytest.fixture
def sender(monkeypatch):
    made = hints._Sender()
    monkeypatch.setattr(hints, "_sender", made)
    yield made
    if made._loop is not None:
        made._loop.close()


@pytest.mark.processes
def test_a_broker_that_hangs_costs_a_second_and_then_nothing(broker, sender):
    hints.send(["a:1"])
    assert sender._quiet_until == 0
    broker.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    hints.send(["a:1"])
    assert time.monotonic() - began < 1.3
    began = time.monotonic()
    for _ in range(100):
        hints.send(["a:1"])
    assert time.monotonic() - began < 0.1


@pytest.mark.processes
def test_a_broker_that_is_gone_is_tried_again_after_a_while(broker, sender, monkeypatch):
    monkeypatch.setattr(hints, "QUIET_SECONDS", 0.2)
    broker.stop()
    began = time.monotonic()
    hints.send(["a:1"])
    assert time.monotonic() - began < 1.3
    assert sender._quiet_until > 0


@pytest.mark.processes
def test_threads_share_one_sender(broker, sender):
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: [hints.send(["a:1"]) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender._quiet_until == 0
    assert time.monotonic() - began < 5

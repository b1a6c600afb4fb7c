"""What a reader gets, whatever happens between."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest
from django.db import connection, transaction
from websockets.exceptions import ConnectionClosed

from portal.core.unit import Pointer
from portal.live import publishing
from portal.live.models import Event, Stream
from tests.portal.live.conftest import number

pytestmark = pytest.mark.processes


@pytest.fixture
def reader(server, person, dial):
    _, session = person(t1=10)
    return lambda to=server, **options: dial(to, session, **options)


def test_an_event_arrives_as_a_pointer(reader, announce):
    client = reader()
    assert client.follow("room:1.a", "-:0")["type"] == "following"
    announce("room:1.a")
    frame = client.next("event")
    epoch = Stream.objects.get(name="room:1.a").epoch
    assert frame == {
        "type": "event",
        "stream": "room:1.a",
        "cursor": f"{epoch}:1",
        "kind": "message",
        "object": "room:1.a#0",
        "version": 0,
    }


def test_nothing_is_lost_between_the_page_and_its_follow(reader, announce):
    """The page was rendered when there was no event at all."""
    announce("room:1.a", 3)
    client = reader()
    assert client.follow("room:1.a", "-:0")["cursor"].endswith(":0")
    assert client.numbers(3) == [1, 2, 3]


def test_a_reader_without_a_cursor_starts_now(reader, announce):
    announce("room:1.a", 3)
    client = reader()
    assert number(client.follow("room:1.a")) == 3
    announce("room:1.a")
    assert client.numbers(4) == [4]


def test_a_replay_longer_than_the_queue_is_complete(reader, announce):
    announce("room:1.a", 500, together=True)
    client = reader()
    client.follow("room:1.a", "-:0")
    assert client.numbers(500) == list(range(1, 501))


def test_a_burst_reaches_a_reader_that_keeps_up_without_a_gap(reader, announce):
    client = reader()
    client.follow("room:1.a", "-:0")
    announce("room:1.a", 500, together=True)
    assert client.numbers(500) == list(range(1, 501))


def test_reconnects_at_random_see_every_number_once(reader, announce):
    """A writer commits all the time; the reader leaves and comes back wherever it is."""
    choose = random.Random(20)
    streams = ["room:1.a", "room:1.b", "room:1.c"]
    total = 60

    def write() -> None:
        for _ in range(total):
            for name in streams:
                announce(name)
            time.sleep(0.005)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    cursors = dict.fromkeys(streams, "-:0")
    seen: dict[str, list[int]] = {name: [] for name in streams}
    deadline = time.monotonic() + 60
    while any(len(numbers) < total for numbers in seen.values()):
        assert time.monotonic() < deadline, {name: len(numbers) for name, numbers in seen.items()}
        client = reader()
        for name in streams:
            client.say(type="follow", stream=name, cursor=cursors[name])
        for frame in client.quiet(choose.uniform(0, 0.2)):
            assert frame["type"] in ("following", "event"), frame
            if frame["type"] == "event":
                seen[frame["stream"]].append(number(frame))
                cursors[frame["stream"]] = frame["cursor"]
        client.socket.close()
    writer.join()
    assert seen == {name: list(range(1, total + 1)) for name in streams}


@pytest.mark.postgresql
def test_a_late_commit_is_not_skipped(reader, announce, transactional_db):
    """The first writer has its number and waits; the second can only get the next one after it."""
    client = reader()
    client.follow("room:1.a", "-:0")
    first_has_its_number, may_commit = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            publishing.publish({"room:1.a": [Pointer("message", "first", 1)]})
            first_has_its_number.set()
            may_commit.wait(5)
        connection.close()

    def second() -> None:
        announce("room:1.a")
        connection.close()

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    assert first_has_its_number.wait(5)
    threads[1].start()
    announce("room:1.b")
    assert client.quiet(0.5) == []
    may_commit.set()
    frames = [client.next("event") for _ in range(2)]
    for thread in threads:
        thread.join()
    assert [(number(frame), frame["object"]) for frame in frames] == [(1, "first"), (2, "room:1.a#0")]


def test_positions_of_another_life_are_answered_by_a_resync(reader, announce):
    announce("room:1.a", 5)
    client = reader()
    now = str(number(client.follow("room:1.a")))
    for cursor in (f"feedbeef:{now}", "feedbeef:0", client.heard[-1]["cursor"].replace(":5", ":6")):
        assert client.follow("room:1.a", cursor)["type"] == "resync"


def test_a_cursor_below_the_floor_is_answered_by_a_resync_and_at_the_floor_replayed(reader, announce):
    announce("room:1.a", 5)
    Event.objects.filter(seq__lte=3).delete()
    Stream.objects.update(floor=3)
    epoch = Stream.objects.get(name="room:1.a").epoch
    client = reader()
    for below in ("-:0", f"{epoch}:0", f"{epoch}:2"):
        assert client.follow("room:1.a", below)["type"] == "resync"
    assert client.follow("room:1.a", f"{epoch}:3")["type"] == "following"
    assert client.numbers(5) == [4, 5]


def test_followers_are_told_when_a_restore_renews_the_epoch(reader, announce):
    announce("room:1.a", 5)
    client = reader()
    client.follow("room:1.a")
    publishing.renew_epochs()
    assert number(client.next("resync", seconds=5)) == 5
    announce("room:1.a")
    assert client.numbers(6) == [6]


def test_output_comes_with_its_byte_offsets(reader, announce):
    announce("text:1", 2)
    client = reader()
    epoch = client.follow("text:1", "-:0")["cursor"].partition(":")[0]
    frames = [client.next("output") for _ in range(2)]
    assert [(frame["cursor"], frame["text"]) for frame in frames] == [
        (f"{epoch}:10", "000000001\n"),
        (f"{epoch}:20", "000000002\n"),
    ]
    announce("text:1")
    assert client.next("output")["cursor"] == f"{epoch}:30"
    assert reader().follow("text:1", f"{epoch}:31")["type"] == "resync"


def test_a_derived_stream_says_that_it_changed_and_at_most_once_a_second(reader, announce):
    client = reader()
    rendered = client.follow("tally")["cursor"]
    for _ in range(10):
        announce("room:1.tally")
        time.sleep(0.1)
    frames = [frame for frame in client.quiet(2.5) if frame["type"] == "event"]
    assert 1 <= len(frames) <= 3
    assert frames[0]["kind"] == "tally" and frames[0]["cursor"] != rendered
    assert reader().follow("tally", rendered)["type"] == "resync"
    assert reader().follow("tally", frames[-1]["cursor"])["type"] == "following"


def test_nothing_comes_after_unfollow(reader, announce):
    client = reader()
    client.follow("room:1.a")
    client.say(type="unfollow", stream="room:1.a")
    client.say(type="ping")
    client.next("pong")
    announce("room:1.a")
    assert client.quiet(0.5) == []


@pytest.mark.parametrize("layer", ["dropping", "absent"])
def test_without_any_hint_an_event_arrives_by_looking(serve, reader, announce, layer):
    client = reader(serve(TEST_LAYER=layer))
    client.follow("room:1.a", "-:0")
    began = time.monotonic()
    announce("room:1.a")
    client.next("event", seconds=5)
    assert time.monotonic() - began < 5


def test_a_client_is_told_every_few_seconds_that_it_is_live(reader):
    client = reader()
    client.next("beat", seconds=1)
    client.next("beat", seconds=7)
    began = time.monotonic()
    client.next("beat", seconds=7)
    assert 4 < time.monotonic() - began < 7


def test_leaving_a_team_ends_its_streams_and_no_others(server, person, dial, announce):
    user, session = person(t1=10, t2=10)
    client = dial(server, session)
    client.follow("room:1.a")
    client.follow("room:2.a")
    user.groups.remove(user.groups.get(name="team:1:10"))
    assert client.next("gone", seconds=10) == {"type": "gone", "stream": "room:1.a"}
    announce("room:1.a")
    announce("room:2.a")
    assert [frame["stream"] for frame in client.quiet(1)] == ["room:2.a"]
    assert client.follow("room:1.a")["code"] == "not_found"


def test_a_role_given_a_moment_ago_counts_at_once(server, person, dial):
    from django.contrib.auth.models import Group

    user, session = person(t1=10)
    client = dial(server, session)
    assert client.follow("room:2.a")["code"] == "not_found"
    user.groups.add(Group.objects.create(name="team:2:10"))
    assert client.follow("room:2.a")["type"] == "following"


@pytest.mark.parametrize("end", ["sign out", "deactivate", "new password"])
def test_who_is_signed_out_is_closed_and_hears_nothing_more(server, person, dial, announce, end):
    from django.contrib.sessions.models import Session

    user, session = person(t1=10)
    client = dial(server, session)
    client.follow("room:1.a")
    if end == "sign out":
        Session.objects.filter(session_key=session).delete()
    elif end == "deactivate":
        user.is_active = False
        user.save(update_fields=["is_active"])
    else:
        user.set_password("something else")
        user.save(update_fields=["password"])
    began = time.monotonic()
    assert client.closed(10) == 4403
    assert time.monotonic() - began < 10


def slow_socket(port: int) -> socket.socket:
    """A peer whose kernel takes next to nothing on its behalf."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    made.connect(("127.0.0.1", port))
    return made


def test_a_reader_that_falls_behind_is_told_once_to_read_anew(serve, reader, announce):
    """Two hundred large frames for a queue of eight; the reader pauses for less than its patience."""
    server = serve(SOCKET_QUEUE_FRAMES="8", SOCKET_SEND_SECONDS="60")
    client = reader(server, sock=slow_socket(server.port), max_size=None, max_queue=1)
    client.follow("flood:1", "-:0")
    for _ in range(200):
        announce("flood:1")
        time.sleep(0.01)
    time.sleep(0.5)
    last, resyncs = 0, 0
    while last < 200:
        frame = client.next("output", "resync", seconds=10)
        if frame["type"] == "resync":
            resyncs += 1
        else:
            assert number(frame) == last + 1
        last = number(frame)
    assert 1 <= resyncs <= 3
    announce("flood:1")
    assert number(client.next("output")) == 201


def test_a_reader_that_does_not_read_is_closed_and_delays_nobody(server, reader, announce):
    slow = reader(server, sock=slow_socket(server.port), max_size=None, max_queue=1)
    slow.follow("flood:1", "-:0")
    fast = reader()
    fast.follow("room:1.a", "-:0")
    delays = []
    for _ in range(40):
        # 20 MB in all: several times what the buffers of the kernel take.
        announce("flood:1", 10, together=True)
        sent = time.monotonic()
        announce("room:1.a")
        fast.next("event")
        delays.append(time.monotonic() - sent)
        time.sleep(0.05)
    fast.quiet(3)
    with pytest.raises(ConnectionClosed):
        while True:
            slow.socket.recv(timeout=10)
    assert sorted(delays)[len(delays) * 95 // 100] < 0.5


def test_a_question_to_the_database_that_is_slow_delays_no_other_socket(reader, announce):
    """The first asks what takes its time; before it is answered, the other has heard what happened meanwhile."""
    waiting, other = reader(), reader()
    other.follow("room:1.a", "-:0")
    waiting.say(type="follow", stream="slow:1", cursor=None)
    announce("room:1.a")
    other.say(type="ping")
    assert {other.next("event", "pong", seconds=20)["type"] for _ in range(2)} == {"event", "pong"}
    assert waiting.quiet(0.1) == []
    assert waiting.next("following", seconds=20)["stream"] == "slow:1"


@pytest.mark.postgresql
def test_the_hub_goes_on_after_its_connections_are_killed(reader, announce):
    client = reader()
    client.follow("room:1.a", "-:0")
    for n in range(1, 4):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        announce("room:1.a")
        assert number(client.next("event", seconds=10)) == n
    assert client.follow("room:1.b")["type"] == "following"


@pytest.mark.postgresql
def test_while_the_database_is_away_clients_are_told_and_then_caught_up(reader, announce):
    client = reader()
    client.follow("room:1.a", "-:0")
    with connection.cursor() as cursor:
        # As good as away: whatever the hub asks is an error of the database.
        cursor.execute("ALTER TABLE live_stream RENAME TO live_stream_away")
    try:
        client.next("delayed", seconds=10)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE live_stream_away RENAME TO live_stream")
    client.next("beat", seconds=10)
    announce("room:1.a")
    assert number(client.next("event", seconds=10)) == 1

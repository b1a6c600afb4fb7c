"""Who may open a socket, and what may be said on it."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.processes


def flood(client, frames):
    """Send until the server has had enough; it may close between two sends."""
    with contextlib.suppress(ConnectionClosed):
        for _ in range(frames):
            client.say(type="ping")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}/path",
        "http://127.0.0.1:{port}.evil.example",
        "http://user@127.0.0.1:{port}",
        "127.0.0.1:{port}",
    ],
)
def test_another_origin_is_refused_at_the_handshake(server, person, dial, origin):
    _, session = person(t1=10)
    sent = origin.format(port=server.port) if origin else origin
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session, origin=sent)
    assert refused.value.response.status_code == 403


def test_two_origins_are_refused_even_if_one_is_ours(server, person, dial):
    _, session = person(t1=10)
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session, headers={"Origin": "http://evil.example"})
    assert refused.value.response.status_code in (400, 403)


def test_who_is_not_signed_in_is_refused_before_accept(server, person, dial):
    user, session = person(t1=10)
    user.is_active = False
    user.save(update_fields=["is_active"])
    for key in (None, "", "x" * 32, "\x85", session):
        with pytest.raises(InvalidStatus) as refused:
            dial(server, key)
        assert refused.value.response.status_code in (400, 403)


def test_a_session_of_a_former_password_is_refused(server, person, dial):
    user, session = person(t1=10)
    user.set_password("another one")
    user.save(update_fields=["password"])
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session)
    assert refused.value.response.status_code == 403


def test_another_address_is_refused(server, person, dial):
    _, session = person(t1=10)
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session, path="/ws/other/")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x01",
        "",
        "{",
        "nonsense",
        "[]",
        "1",
        "null",
        "[" * 30_000,
        json.dumps({"type": "websocket.disconnect"}),
        json.dumps({"type": "_x"}),
        json.dumps({"type": "live.hint"}),
        json.dumps({"type": ["follow"]}),
        json.dumps({"type": "follow"}),
        json.dumps({"type": "follow", "stream": 7}),
        json.dumps({"type": "unfollow", "stream": {"$ne": 1}}),
    ],
)
def test_the_third_bad_frame_closes(server, person, dial, frame):
    _, session = person(t1=10)
    client = dial(server, session)
    for _ in range(3):
        client.socket.send(frame)
    assert client.closed() == 1003
    assert [heard["type"] for heard in client.heard if heard["type"] != "beat"] == ["error"] * 3


def test_two_bad_frames_leave_the_socket_alive(server, person, dial):
    _, session = person(t1=10)
    client = dial(server, session)
    client.socket.send("{")
    client.socket.send(b"\x00")
    client.say(type="ping")
    assert client.next("pong")
    assert client.follow("room:1.a")["type"] == "following"


@pytest.mark.parametrize(
    "stream",
    [
        "room:2.a",
        "room:100.a",
        "vault:1.a",
        "nothing:1",
        "room:1/a",
        "room:1 a",
        "room:" + "1" * 101,
        "",
        "room:\ud800",
        "room:1\x00",
    ],
)
def test_a_stream_of_others_is_answered_as_a_missing_one(server, person, dial, stream):
    _, session = person(t1=10)
    client = dial(server, session)
    client.say(type="follow", stream=stream, cursor=None)
    assert client.next("error") == {"type": "error", "code": "not_found", "stream": stream}
    assert client.follow("room:1.a")["type"] == "following"


@pytest.mark.parametrize("cursor", ["x", "-1", ":", "a:-1", "a:١", -1, 2**63, {"n": 1}, "e:" + "9" * 19, "-:1"])
def test_a_bad_cursor_is_answered_by_a_resync(server, person, dial, announce, cursor):
    _, session = person(t1=10)
    announce("room:1.a", 2)
    answer = dial(server, session).follow("room:1.a", cursor)
    assert answer["type"] == "resync"
    assert answer["cursor"].endswith(":2")


def test_one_stream_more_than_allowed_is_refused(serve, person, dial):
    _, session = person(t1=10)
    client = dial(serve(SOCKET_STREAMS="3"), session)
    for n in range(3):
        assert client.follow(f"room:1.{n}")["type"] == "following"
    assert client.follow("room:1.3") == {"type": "error", "code": "too_many_streams", "stream": "room:1.3"}
    client.say(type="unfollow", stream="room:1.0")
    assert client.follow("room:1.3")["type"] == "following"


def test_a_frame_at_the_limit_is_read_and_one_past_it_closes(server, person, dial):
    _, session = person(t1=10)
    client = dial(server, session)
    ping = json.dumps({"type": "ping", "pad": ""})
    client.say(type="ping", pad="x" * (65_536 - len(ping)))
    assert client.next("pong")
    client.say(type="ping", pad="x" * (65_537 - len(ping)))
    assert client.closed() == 1009


def test_a_flood_of_frames_closes(server, person, dial):
    _, session = person(t1=10)
    client = dial(server, session)
    flood(client, 1000)
    assert client.closed() == 1008


def test_frames_are_bounded_by_what_is_set(serve, person, dial):
    _, session = person(t1=10)
    server = serve(SOCKET_RATE_FRAMES="1", SOCKET_STREAMS="1", SOCKET_BAD_FRAMES="0")
    client = dial(server, session)
    for _ in range(102):
        client.say(type="ping")
        client.next("pong")
    time.sleep(1.2)  # by default this gives back more frames than are sent now
    flood(client, 20)
    assert client.closed() == 1008
    client = dial(server, session)
    client.socket.send("{")
    assert client.closed() == 1003


def test_one_person_cannot_take_all_sockets(serve, person, dial):
    server = serve(USER_SOCKETS="2")
    _, session = person(t1=10)
    first, _second = dial(server, session), dial(server, session)
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session)
    assert refused.value.response.status_code in (403, 429)
    _, other = person("bo@example.org", t1=10)
    assert dial(server, other).follow("room:1.a")["type"] == "following"
    first.socket.close()
    assert _dial_again(server, session, dial).follow("room:1.a")["type"] == "following"


def test_a_connection_that_breaks_off_gives_its_place_back(serve, person, dial):
    server = serve(USER_SOCKETS="1")
    _, session = person(t1=10)
    for _ in range(3):
        client = _dial_again(server, session, dial)
        assert client.follow("room:1.a")["type"] == "following"
        # No closing handshake and no end of stream: the peer is gone, and says so with a reset at most.
        client.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.socket.close()
    assert _dial_again(server, session, dial).follow("room:1.a")["type"] == "following"


def test_a_server_that_is_told_to_stop_closes_its_sockets_and_ends(serve, person, dial):
    server = serve(USER_SOCKETS="7")
    _, session = person(t1=10)
    client = dial(server, session)
    assert client.follow("room:1.a")["type"] == "following"
    began = time.monotonic()
    server.process.terminate()
    assert client.closed(10) == 1012
    server.process.wait(10)
    assert time.monotonic() - began < 6


def _dial_again(server, session, dial, seconds=10):
    """A socket, once a place for it is free."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return dial(server, session)
        except InvalidStatus:
            assert time.monotonic() < deadline

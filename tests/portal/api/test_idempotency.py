"""The header ``Idempotency-Key``: one effect and one answer, however often and by however many it is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.client import encode_multipart
from hypothesis import given
from hypothesis import strategies as st

from deployments.models import Deployment
from portal.api import idempotency
from portal.core import clock, tokens, unit
from portal.core.access import SIGNED_IN
from portal.core.models import Activity, Idempotency, User
from reviews.models import Review
from tests.deployments import build as door
from tests.factories import World, person
from tests.reviews import build
from tests.walking import objects
from tests.walking.routes import Route, all_routes
from tests.workers.racing import race
from tickets.models import Attachment, Membership, Message, Ticket
from tickets.work import create_ticket
from workers import retention

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@dataclass(frozen=True)
class Entrance:
    """Something that makes a row: where it is asked, with what, with what else, and how many rows there are."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    model: type[Any]

    @property
    def rows(self) -> int:
        return int(self.model._default_manager.count())


@pytest.fixture
def entrances(world: World) -> dict[str, Entrance]:
    finding, another = build.finding(world.mc), build.finding(world.mc)
    service, environment = door.service(world.mc, "web"), door.environment(world.mc, "live")
    ticket = create_ticket(world.mc, title="A door")
    asked = {"service": service.name, "environment": environment.name}
    return {
        "ticket": Entrance(
            "/projects/MC/findings/tickets", {"findings": [finding.pk]}, {"findings": [another.pk]}, Ticket
        ),
        "message": Entrance(f"/tickets/{ticket.key}/messages", {"body": "Oil it."}, {"body": "Paint it."}, Message),
        "review": Entrance(
            "/projects/MC/reviews", {"series": "Path", "text": "# x"}, {"series": "Path", "text": "# y"}, Review
        ),
        "deployment": Entrance(
            "/projects/MC/deployments", asked | {"asked": "main"}, asked | {"asked": "other"}, Deployment
        ),
    }


@pytest.fixture
def ticket(world: World) -> Ticket:
    return create_ticket(world.mc, title="A door")


def say(call: Call, ticket: Ticket, by: User, key: str, body: str = "Oil it.") -> Any:
    return call("post", f"/tickets/{ticket.key}/messages", by, {"body": body}, Idempotency_Key=key)


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    return str(answer.json()["error"]["message"])


def replayed(answer: Any) -> bool:
    return answer.get(idempotency.REPLAYED) == "true"


class TestTheSameAgain:
    @pytest.mark.parametrize("name", ["ticket", "message", "review", "deployment"])
    def test_five_times_is_one_row_and_one_answer(
        self, call: Call, world: World, entrances: dict[str, Entrance], name: str
    ) -> None:
        entrance = entrances[name]
        before = entrance.rows
        first, *more = (
            call("post", entrance.path, world.releaser, entrance.body, Idempotency_Key="k") for _ in range(5)
        )
        assert first.status_code == 200 and not replayed(first)
        assert {(answer.status_code, answer.content, replayed(answer)) for answer in more} == {
            (200, first.content, True)
        }
        assert {answer["Content-Type"] for answer in more} == {first["Content-Type"]}
        assert entrance.rows == before + 1
        told = call("post", entrance.path, world.releaser, entrance.other, Idempotency_Key="k")
        assert "another operation, address or body" in refused(told, 409)
        assert entrance.rows == before + 1

    def test_an_answer_is_the_same_with_a_key_as_without(self, call: Call, world: World, ticket: Ticket) -> None:
        path, body = f"/tickets/{ticket.key}/edit", {"version": ticket.version, "title": "Ä door", "body": "x"}
        with_key, without = None, None
        for sent in ({"Idempotency_Key": "k"}, {}):
            with transaction.atomic():
                answer = call("post", path, world.operator, body, **sent)
                transaction.set_rollback(True)
            with_key, without = answer, with_key
        assert with_key.content == without.content and with_key.headers.keys() == without.headers.keys()

    def test_without_a_key_nothing_is_kept(self, call: Call, world: World, ticket: Ticket) -> None:
        for _ in range(2):
            assert call("post", f"/tickets/{ticket.key}/messages", world.operator, {"body": "x"}).status_code == 200
        assert Message.objects.count() == 2 and not Idempotency.objects.exists()

    def test_another_persons_key_is_another(self, call: Call, world: World, ticket: Ticket) -> None:
        for by in (world.operator, world.owner):
            answer = say(call, ticket, by, "k")
            assert answer.status_code == 200 and not replayed(answer)
        assert Message.objects.count() == Idempotency.objects.count() == 2

    def test_another_address_or_operation_is_refused(self, call: Call, world: World, ticket: Ticket) -> None:
        other = create_ticket(world.mc, title="A window")
        say(call, ticket, world.operator, "k")
        assert "new key" in refused(say(call, other, world.operator, "k"), 409)
        body = {"body": "Oil it."}
        stop = call("post", f"/tickets/{ticket.key}/stop", world.operator, body, Idempotency_Key="k")
        assert "new key" in refused(stop, 409)
        assert Message.objects.count() == 1

    def test_the_right_is_looked_at_again(self, call: Call, world: World, ticket: Ticket) -> None:
        assert say(call, ticket, world.operator, "k").status_code == 200
        Membership.objects.filter(user=world.operator).delete()
        assert refused(say(call, ticket, world.operator, "k"), 404) == "There is nothing here."

    def test_a_key_without_the_right_is_not_taken(self, call: Call, world: World, ticket: Ticket) -> None:
        refused(say(call, ticket, world.outsider, "k"), 404)
        refused(say(call, ticket, world.viewer, "k"), 403)
        assert not Idempotency.objects.exists()

    def test_an_answer_that_is_too_large_is_not_kept_and_the_effect_is_one(
        self, call: Call, world: World, ticket: Ticket, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"IDEMPOTENCY_ANSWER_MAX_BYTES": 1024}
        bare = len(say(call, ticket, world.operator, "bare", body="x").content) - 1
        for number, (length, status) in enumerate([(1024 - bare, 200), (1025 - bare, 409)]):
            body, before = "x" * length, Message.objects.count()
            assert say(call, ticket, world.operator, f"k{number}", body=body).status_code == 200
            again = say(call, ticket, world.operator, f"k{number}", body=body)
            assert (again.status_code, replayed(again)) == (status, status == 200)
            assert Message.objects.count() == before + 1
        assert "This was done" in refused(again, 409) and "1,024 bytes" in refused(again, 409)


class TestForms:
    def send(self, world: World, ticket: Ticket, content: bytes, boundary: str, name: str = "door.log") -> Any:
        text = tokens.issue(world.operator, name="test", days=1, may_write=True)[1]
        form = encode_multipart(boundary, {"file": SimpleUploadedFile(name, content)})
        return Client().generic(
            "POST",
            f"/api/v1/tickets/{ticket.key}/attachments",
            form,
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Authorization": f"Bearer {text}", "Idempotency-Key": "k"},
        )

    def test_a_form_is_the_same_by_its_parts_whatever_their_boundary(self, world: World, ticket: Ticket) -> None:
        first, again = (self.send(world, ticket, b"squeak", boundary) for boundary in ("one", "two"))
        assert first.json()["new"] is True and first.json()["attachment"]["size_bytes"] == 6
        assert replayed(again) and again.content == first.content
        refused(self.send(world, ticket, b"squeal", "one"), 409)
        refused(self.send(world, ticket, b"squeak", "one", "window.log"), 409)
        assert Attachment.objects.count() == 1

    def test_one_that_cannot_be_read_is_refused(self, call: Call, world: World, ticket: Ticket) -> None:
        kind = "multipart/form-data; boundary=x"
        path, sent = f"/tickets/{ticket.key}/attachments", {"Content_Type": kind, "Idempotency_Key": "k"}
        assert "form cannot be read" in refused(call("post", path, world.operator, b"--x\r\n", **sent), 400)


class TestNothingIsLeft:
    def test_of_a_refusal(self, call: Call, world: World, ticket: Ticket) -> None:
        refused(say(call, ticket, world.operator, "k", body=" "), 400)
        stop = f"/tickets/{ticket.key}/stop"
        refused(call("post", stop, world.operator, {"reason": "x"}, Idempotency_Key="k"), 409)
        refused(call("post", stop, world.operator, {"reason": 1}, Idempotency_Key="k"), 400)
        assert not Idempotency.objects.exists()
        assert not replayed(say(call, ticket, world.operator, "k")), "the key is free"

    @pytest.mark.django_db(transaction=True)
    def test_of_what_broke_after_its_effect(
        self, call: Call, world: World, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[int, int]] = []

        def breaks(pointers: Any) -> Callable[[], None]:
            kept = Idempotency.objects.filter(status=200, answer__isnull=False)
            seen.append((Message.objects.count(), kept.count()))
            raise RuntimeError("The lights go out.")

        with monkeypatch.context() as patch:
            # The last that a unit does before its commit.
            patch.setattr(unit, "_publishers", [*unit._publishers, breaks])
            assert say(call, ticket, world.operator, "k").status_code == 500
        assert seen == [(1, 1)], "both were written, in the transaction that is gone"
        assert not Message.objects.exists() and not Idempotency.objects.exists()
        assert not Activity.objects.filter(verb__contains="message").exists()
        answers = [say(call, ticket, world.operator, "k") for _ in range(2)]
        assert [replayed(answer) for answer in answers] == [False, True] and Message.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_is_told_before_the_commit(
        self, call: Call, world: World, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What goes out after a unit goes out once the key is committed with it, and once."""
        told: list[tuple[bool, int]] = []

        def publish(pointers: Any) -> Callable[[], None]:
            return lambda: told.append((connection.in_atomic_block, Idempotency.objects.filter(status=200).count()))

        monkeypatch.setattr(unit, "_publishers", [publish])
        for _ in range(3):
            assert say(call, ticket, world.operator, "k").status_code == 200
        assert told == [(False, 1)]


class TestAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_sixteen_at_once_are_one_row_and_sixteen_answers(
        self, world: World, entrances: dict[str, Entrance], engine: str
    ) -> None:
        before = {name: entrance.rows for name, entrance in entrances.items()}
        text = tokens.issue(world.releaser, name="test", days=1, may_write=True)[1]
        asked = [(entrance.path, entrance.body) for entrance in entrances.values()]
        # One writes at a time on SQLite, and the others poll for their turn.
        found = race(_send_all, [(text, asked)] * (16 if engine == "postgresql" else 4))
        for place, (name, entrance) in enumerate(entrances.items()):
            answers = [answers[place] for answers in found]
            assert {(status, content) for status, content, _ in answers} == {(200, answers[0][1])}, name
            assert [again for *_, again in answers].count(False) == 1, name
            assert entrance.rows == before[name] + 1

    @pytest.mark.postgresql
    @pytest.mark.django_db(transaction=True)
    def test_whoever_waits_too_long_is_told_that_the_first_still_runs(self, world: World, ticket: Ticket) -> None:
        text = tokens.issue(world.operator, name="test", days=1, may_write=True)[1]
        path, pk = f"/tickets/{ticket.key}/messages", world.operator.pk
        _, (status, content, _) = race(_hold_or_send, [(pk, "", ""), (0, text, path)])
        assert status == 409 and "still runs" in json.loads(content)["error"]["message"]
        # It was given up: the next has the key.
        ((status, _, again),) = _send_all(text, [(path, {"body": "Oil it."})])
        assert (status, again) == (200, False)


def _send_all(text: str, asked: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, bytes, bool]]:
    found = []
    for place, (path, body) in enumerate(asked):
        headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": f"k{place}"}
        answer = Client().generic(
            "POST", f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers
        )
        found.append((answer.status_code, answer.content, replayed(answer)))
    return found


def _hold_or_send(holder: int, text: str, path: str) -> Any:
    if holder:
        with transaction.atomic():
            Idempotency.objects.create(user_id=holder, key="k0", operation="api.message.post", digest="0")
            time.sleep(1.2)
            transaction.set_rollback(True)
        return None
    time.sleep(0.3)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    return _send_all(text, [(path, {"body": "Oil it."})])[0]


class TestTheHeader:
    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64))
    def test_any_visible_ascii_of_its_length_is_one(self, key: str) -> None:
        found = _asked(key)
        assert found is not None and found.key == key

    @given(
        st.one_of(
            st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=65, max_size=200),
            st.text(max_size=64).filter(lambda key: not key or any(not "!" <= letter <= "~" for letter in key)),
        )
    )
    def test_anything_else_is_none(self, key: str) -> None:
        with pytest.raises(idempotency.BadKey, match=idempotency.HEADER):
            _asked(key)

    @pytest.mark.parametrize("key", ["", " ", "a b", "x" * 65, "schlüssel", "k\x7f", "k\t"])
    def test_the_door_names_it_where_it_is_none(self, call: Call, world: World, ticket: Ticket, key: str) -> None:
        answer = say(call, ticket, world.operator, key)
        assert "Idempotency-Key is 1 to 64 visible ASCII characters" in refused(answer, 400)
        assert answer.json()["error"]["field"] == "Idempotency-Key" and not Message.objects.exists()

    def test_reading_takes_no_notice_of_it(self, call: Call, world: World) -> None:
        for _ in range(2):
            answer = call("get", "/tickets", world.viewer, Idempotency_Key="a b")
            assert answer.status_code == 200 and not replayed(answer)


def _asked(key: str) -> idempotency.Asked | None:
    request = RequestFactory().post("/api/v1/x", b"{}", content_type="application/json", HTTP_IDEMPOTENCY_KEY=key)
    return idempotency.asked(request, User(), "api.x", SIGNED_IN)


def test_keys_are_forgotten_with_their_time(world: World) -> None:
    for name, ago in (("young", 23.9), ("old", 24.1)):
        Idempotency.objects.create(user=world.viewer, key=name, created_at=clock.now() - timedelta(hours=ago))
    (rule,) = (rule for rule in retention.rules() if "core.Idempotency" in rule.tables)
    assert rule.forget() == 1 and [row.key for row in Idempotency.objects.all()] == ["young"]


def test_a_person_who_is_taken_away_takes_their_keys(world: World) -> None:
    gone = person("gone@example.org")
    Idempotency.objects.create(user=gone, key="k")
    gone.delete()
    assert not Idempotency.objects.exists()


# Every operation that writes ----------------------------------------------------------


def writing() -> Iterator[tuple[Route, str]]:
    for route in all_routes():
        for method in route.methods:
            if route.door == "api" and method not in {"GET", "HEAD"}:
                yield route, method


class Walk:
    """Asks twice under one key, as an admin, or as whoever was told."""

    def __init__(self) -> None:
        self.objects = objects.build()
        self.people = {True: self.objects.world.viewer, False: self.objects.world.admin}
        issued = {told: tokens.issue(who, name="walk", days=1, may_write=True)[1] for told, who in self.people.items()}
        self.tokens = issued

    def ask(self, route: Route, method: str) -> tuple[Any, User, Any]:
        """A function that sends it under a key; who sends it; the request as the door sees it."""
        assert route.operation is not None
        told = route.operation.name == "api.notification.read"
        body = self.objects.bodies[route.operation.name]
        address = route.address(self.objects.of(route.path))
        sent = "" if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.tokens[told]}", "Idempotency-Key": "walk"}
        kind = "application/json"
        request = RequestFactory().generic(method, address, sent, content_type=kind, headers=headers)

        def ask() -> Any:
            return Client().generic(method, address, sent, content_type=kind, headers=headers)

        return ask, self.people[told], request


def test_every_operation_that_writes_is_done_once_under_a_key(db: None) -> None:
    walk, done = Walk(), set()
    for route, method in writing():
        assert route.operation is not None
        name = route.operation.name
        ask, by, request = walk.ask(route, method)
        with transaction.atomic():
            first = ask()
            history = Activity.objects.count()
            again = ask()
            assert Activity.objects.count() == history, name
            if first.status_code == 200:
                assert replayed(again) and again.content == first.content, name
                done.add(name)
            else:
                assert again.status_code == first.status_code and not Idempotency.objects.exists(), name
            transaction.set_rollback(True)
        # Whatever its state allows: an answer that is kept is given.
        with transaction.atomic():
            found = idempotency.asked(request, by, name, route.operation.rule)
            assert found is not None
            kept = {"operation": name, "digest": found.digest, "scope": walk.objects.world.mc.scope}
            if name == "api.notification.read":
                kept["scope"] = f"user:{by.pk}"
            Idempotency.objects.create(user=by, key="walk", status=200, answer=b'{"kept": true}', **kept)
            answer = ask()
            assert replayed(answer) and answer.json() == {"kept": True}, name
            transaction.set_rollback(True)
    assert len(done) > 15, done


def test_every_operation_that_writes_says_that_it_takes_the_header(call: Call, world: World) -> None:
    described = call("get", "/openapi.json", world.viewer).json()["paths"]
    for path, item in described.items():
        for method, operation in item.items():
            names = [parameter["name"] for parameter in operation["parameters"]]
            assert ("Idempotency-Key" in names) is (method != "get"), (method, path)

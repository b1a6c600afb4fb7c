"""Words of a ticket through the API: its text, its conversation, its files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.factories import World
from tests.tickets import build
from tickets import conversation, work
from tickets.models import Attachment, KeyAlias, Message, Ticket

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def ticket(world: World) -> Ticket:
    return work.create_ticket(world.mc, title="A door", body="It squeaks.")


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, found["code"]) == (status, code), found
    return found


class TestEditing:
    def test_other_words_are_written_under_the_version(self, call: Call, world: World, ticket: Ticket) -> None:
        body = {"version": 1, "title": "A door\nthat  squeaks", "body": "Oil\nit."}
        answer = call("post", "/tickets/MC-1/edit", world.operator, body).json()
        assert (answer["title"], answer["body"], answer["version"]) == ("A door that squeaks", "Oil\nit.", 2)
        old = body | {"title": "Mine"}
        found = refused(call("post", "/tickets/MC-1/edit", world.operator, old), 409, "refused")
        assert (found["version"], found["state"]) == (2, "open")
        ticket.refresh_from_db()
        assert ticket.title == "A door that squeaks"

    @pytest.mark.parametrize(
        ("name", "value", "status"),
        [("title", " ", 400), ("title", "\u2800", 400), ("title", "x" * 201, 413), ("body", "x" * 100_001, 413)],
    )
    def test_words_are_bounded(
        self, call: Call, world: World, ticket: Ticket, name: str, value: str, status: int
    ) -> None:
        body = {"version": 1, "title": "x", "body": "x", name: value}
        answer = call("post", "/tickets/MC-1/edit", world.operator, body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, name)

    def test_another_name_leads_to_the_ticket(self, call: Call, world: World, ticket: Ticket) -> None:
        KeyAlias.objects.create(project=world.mc, key="SEC-12", ticket=ticket)
        shown = call("get", "/tickets/SEC-12", world.viewer).json()
        assert (shown["key"], shown["aliases"]) == ("MC-1", ["SEC-12"])
        refused(call("get", "/tickets/SEC-12", world.outsider), 404, "not_found")


class TestMessages:
    def post(self, call: Call, world: World, **body: Any) -> Any:
        return call("post", "/tickets/MC-1/messages", world.operator, {"body": "Oil it.", **body})

    def test_the_same_key_twice_is_one_message(self, call: Call, world: World, ticket: Ticket) -> None:
        first, again = (self.post(call, world, idempotency_key="k1").json() for _ in range(2))
        assert (first["new"], again["new"], first["message"]) == (True, False, again["message"])
        assert Message.objects.count() == 1
        refused(self.post(call, world, idempotency_key="k1", body="Other words."), 409, "refused")

    def test_pages_follow_each_other_newest_first(self, call: Call, world: World, ticket: Ticket) -> None:
        for n in range(5):
            conversation.post(ticket, author=world.operator, body=f"Word {n}")
        seen, address = [], "/tickets/MC-1/messages?limit=2"
        while address:
            page = call("get", address, world.viewer).json()
            seen += [row["number"] for row in page["items"]]
            address = f"/tickets/MC-1/messages?limit=2&before={page['next']}" if page["next"] else ""
        assert seen == [5, 4, 3, 2, 1]

    def test_what_became_of_a_message_is_said(self, call: Call, world: World, ticket: Ticket) -> None:
        self.post(call, world)
        turn = build.turn(ticket, "running")
        conversation.take(ticket, turn)
        (row,) = call("get", "/tickets/MC-1/messages", world.viewer).json()["items"]
        assert (row["turn"], row["delivery"], row["author"]) == (1, "taken", "Operator")

    def test_what_was_withdrawn_is_not_read_any_more(self, call: Call, world: World, ticket: Ticket) -> None:
        message, _ = conversation.post(ticket, author=world.operator, body="Wait.")
        conversation.withdraw(message, by=world.operator)
        (row,) = call("get", "/tickets/MC-1/messages", world.viewer).json()["items"]
        assert (row["body"], row["withdrawn_at"] is None) == ("", False)

    def test_a_message_is_bounded_and_a_blank_one_refused(
        self, call: Call, world: World, ticket: Ticket, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"MESSAGE_MAX_CHARS": 1000}
        refused(self.post(call, world, body="x" * 1001), 413, "too_large")
        refused(self.post(call, world, body=" \n"), 400, "bad_request")
        refused(self.post(call, world, internal=1), 400, "invalid")
        assert self.post(call, world, body="x" * 1000).status_code == 200
        assert Message.objects.count() == 1

    def test_a_ticket_that_is_done_takes_none(self, call: Call, world: World, ticket: Ticket) -> None:
        Ticket.objects.filter(pk=ticket.pk).update(state="done")
        found = refused(self.post(call, world), 409, "refused")
        assert (found["state"], found["allowed"]) == ("done", ["reopen"])

    def test_it_takes_an_operator(self, call: Call, world: World, ticket: Ticket) -> None:
        refused(call("post", "/tickets/MC-1/messages", world.viewer, {"body": "x"}), 403, "forbidden")

    def test_the_queries_of_a_conversation_do_not_grow(self, call: Call, world: World, ticket: Ticket) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        def count() -> int:
            with CaptureQueriesContext(connection) as found:
                call("get", "/tickets/MC-1/messages", world.viewer)
            return len(found)

        self.post(call, world)
        conversation.take(ticket, build.turn(ticket, "done"))
        few = count()
        for n in range(20):
            self.post(call, world, body=f"Word {n}")
            conversation.take(ticket, build.turn(ticket, "done", seq=n + 2))
        assert count() == few


class TestFiles:
    def attach(self, call: Call, world: World, content: bytes = b"squeak", name: str = "door.txt") -> Any:
        body = {"name": name, "content_base64": base64.b64encode(content).decode()}
        return call("post", "/tickets/MC-1/attachments", world.operator, body)

    def form(self, token: Callable[..., str], world: World, **parts: Any) -> Any:
        headers = {"Authorization": f"Bearer {token(world.operator)}"}
        return Client().post("/api/v1/tickets/MC-1/attachments", parts, headers=headers)

    def test_what_comes_back_is_what_was_sent(self, call: Call, world: World, ticket: Ticket) -> None:
        sent = self.attach(call, world, b"\x00\xff<script>", "../../door.html").json()
        shown = sent["attachment"]
        assert (sent["new"], shown["name"], shown["size_bytes"]) == (True, "door.html", 10)
        assert shown["sha256"] == hashlib.sha256(b"\x00\xff<script>").hexdigest()
        assert call("get", "/tickets/MC-1/attachments", world.viewer).json()["items"] == [shown]
        file = call("get", f"/tickets/MC-1/attachments/{shown['id']}", world.viewer)
        assert b"".join(file.streaming_content) == b"\x00\xff<script>"
        assert file["Content-Type"] == "application/octet-stream"
        assert file["Content-Disposition"].startswith("attachment")
        assert file["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in file["Content-Security-Policy"]

    def test_a_form_does_as_well_and_the_same_bytes_are_the_same_file(
        self, call: Call, world: World, ticket: Ticket, token: Callable[..., str]
    ) -> None:
        first = self.form(token, world, file=SimpleUploadedFile("door.txt", b"squeak")).json()
        assert first["new"] is True
        assert self.attach(call, world).json() == first | {"new": False}
        assert Attachment.objects.count() == 1

    @pytest.mark.parametrize(
        "parts",
        [
            {},
            {"file": "text"},
            {"other": SimpleUploadedFile("x", b"x")},
            {"name": "x", "file": SimpleUploadedFile("x", b"x")},
        ],
        ids=["nothing", "no file", "another part", "a field beside it"],
    )
    def test_a_form_holds_one_file_and_nothing_else(
        self, world: World, ticket: Ticket, token: Callable[..., str], parts: dict[str, Any]
    ) -> None:
        assert refused(self.form(token, world, **parts), 400, "bad_request")["field"] == "file"
        assert not Attachment.objects.exists()

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"[]", 400),
            (b'{"name": "x"}', 400),
            (b'{"name": "x", "content_base64": "*"}', 400),
            (b'{"name": "x", "content_base64": "eA==", "path": "/etc"}', 400),
            (b'{"name": "x", "content_base64": ""}', 422),
        ],
    )
    def test_what_is_no_file_is_refused(
        self, call: Call, world: World, ticket: Ticket, body: bytes, status: int
    ) -> None:
        answer = call("post", "/tickets/MC-1/attachments", world.operator, body)
        assert answer.status_code == status, answer.content
        assert answer.json()["error"]["message"]
        assert not Attachment.objects.exists()

    def test_another_type_of_content_is_415(self, call: Call, world: World, ticket: Ticket) -> None:
        answer = call("post", "/tickets/MC-1/attachments", world.operator, b"x", Content_Type="text/plain")
        refused(answer, 415, "media_type")

    def test_a_file_over_the_bound_is_413(self, call: Call, world: World, ticket: Ticket, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"ATTACHMENT_MAX_BYTES": 1024}
        assert self.attach(call, world, b"x" * 1024).status_code == 200
        refused(self.attach(call, world, b"x" * 1025), 413, "too_large")
        refused(self.attach(call, world, b"x" * 5000), 413, "too_large")

    def test_one_that_was_removed_is_gone(self, call: Call, world: World, ticket: Ticket) -> None:
        number = self.attach(call, world).json()["attachment"]["id"]
        address = f"/tickets/MC-1/attachments/{number}"
        refused(call("post", f"{address}/remove", world.operator, {"reason": ""}), 400, "invalid")
        assert call("post", f"{address}/remove", world.operator, {"reason": "A name in it."}).status_code == 200
        refused(call("get", address, world.viewer), 404, "not_found")
        assert call("get", "/tickets/MC-1/attachments", world.viewer).json()["items"] == []

    def test_a_file_of_another_ticket_is_not_found_under_this_one(
        self, call: Call, world: World, ticket: Ticket
    ) -> None:
        number = self.attach(call, world).json()["attachment"]["id"]
        work.create_ticket(world.mc, title="Another")
        refused(call("get", f"/tickets/MC-2/attachments/{number}", world.viewer), 404, "not_found")

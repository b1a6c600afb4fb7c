"""What the operations of the API do."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.core import limits
from portal.core.models import Activity
from reviews.models import Review
from tests.factories import World, project
from tickets.models import Project, Ticket
from tickets.work import create_ticket
from workers.models import Agent, AgentVersion, Job

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Agent:
    Project.objects.filter(pk=world.mc.pk).update(repository=str(tmp_path))
    made = Agent.objects.create(name="mender")
    AgentVersion.objects.create(
        agent=made, number=1, adapter="plain", trusted=True, command=["true"], wall_seconds=60, silence_seconds=60
    )
    return made


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


class TestTickets:
    def test_a_ticket_shows_its_declared_fields_and_no_other(self, call: Call, world: World) -> None:
        ticket = create_ticket(world.mc, title="A door", body="secret words")
        assert call("get", f"/tickets/{ticket.key}", world.viewer).json() == {
            "key": "MC-1",
            "project": "MC",
            "title": "A door",
            "state": "open",
            "version": 1,
            "allowed": ["assign"],
            "taken_by": "",
            "body": "secret words",
            "aliases": [],
            "findings": [],
            "messages": 0,
        }
        (row,) = call("get", "/tickets", world.viewer).json()["items"]
        assert set(row) == {"key", "project", "title", "state", "version", "allowed", "taken_by"}

    def test_a_list_holds_what_its_reader_sees_newest_first(self, call: Call, world: World) -> None:
        for title in ("one", "two"):
            create_ticket(world.mc, title=title)
        foreign = create_ticket(project("XX", "Another"), title="three")
        keys = [item["key"] for item in call("get", "/tickets", world.viewer).json()["items"]]
        assert keys == ["MC-2", "MC-1"]
        assert call("get", "/tickets", world.outsider).json() == {"items": [], "next": None}
        assert foreign.key in [item["key"] for item in call("get", "/tickets", world.admin).json()["items"]]
        assert call("get", "/tickets?project=XX", world.viewer).json()["items"] == []

    def test_pages_follow_each_other_to_the_end(self, call: Call, world: World) -> None:
        for n in range(5):
            create_ticket(world.mc, title=str(n))
        seen, address = [], "/tickets?limit=2"
        while address:
            page = call("get", address, world.viewer).json()
            assert len(page["items"]) <= 2
            seen += [item["key"] for item in page["items"]]
            address = f"/tickets?limit=2&before={page['next']}" if page["next"] else ""
        assert seen == ["MC-5", "MC-4", "MC-3", "MC-2", "MC-1"]

    @pytest.mark.parametrize("limit", [1, 100])
    def test_a_limit_at_its_bounds_is_taken(self, call: Call, world: World, limit: int) -> None:
        assert call("get", f"/tickets?limit={limit}", world.viewer).status_code == 200

    def test_a_list_may_be_of_one_state(self, call: Call, world: World) -> None:
        first, _ = (create_ticket(world.mc, title=title) for title in ("one", "two"))
        Ticket.objects.filter(pk=first.pk).update(state="done")
        assert [item["key"] for item in call("get", "/tickets?state=done", world.viewer).json()["items"]] == ["MC-1"]


class TestAssigning:
    def test_it_queues_a_turn_in_the_name_of_the_token(self, call: Call, world: World, agent: Agent) -> None:
        create_ticket(world.mc, title="A door")
        answer = call("post", "/tickets/MC-1/assign", world.operator, {"agent": "mender", "version": 1})
        assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (200, "queued", 2)
        job = Job.objects.get()
        assert (job.kind, job.subject) == ("turn", "ticket:MC-1")
        entry = Activity.objects.get(verb="ticket.assign")
        assert entry.actor_kind == "token"
        assert entry.actor_label == "Operator by token test"
        assert entry.because == "POST /api/v1/tickets/MC-1/assign"
        assert entry.request_id == answer["X-Request-Id"] == job.cause["request_id"]

    def test_a_call_that_is_repeated_is_refused_and_not_doubled(self, call: Call, world: World, agent: Agent) -> None:
        create_ticket(world.mc, title="A door")
        body = {"agent": "mender", "version": 1}
        call("post", "/tickets/MC-1/assign", world.operator, body)
        again = call("post", "/tickets/MC-1/assign", world.operator, body)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "refused")
        assert "version 1, now 2" in again.json()["error"]["message"]
        assert Job.objects.count() == 1

    def test_an_agent_that_is_not_there_is_named(self, call: Call, world: World) -> None:
        create_ticket(world.mc, title="A door")
        answer = call("post", "/tickets/MC-1/assign", world.operator, {"agent": "nobody", "version": 1})
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "There is no agent nobody.")


class TestUploading:
    def upload(self, call: Call, world: World, content: bytes, **fields: Any) -> Any:
        body = {"series": "security", "content_base64": encoded(content), **fields}
        return call("post", "/projects/MC/reviews", world.operator, body)

    def test_what_is_stored_is_what_was_sent(self, call: Call, world: World) -> None:
        content = b"# Review\r\n\x00\xff not UTF-8"
        answer = self.upload(call, world, content, file_name="review.md")
        assert answer.status_code == 200
        assert answer.json()["new"] is True
        assert bytes(Review.objects.get(pk=answer.json()["id"]).content) == content

    def test_the_same_document_again_is_the_same_review(self, call: Call, world: World) -> None:
        first, again = (self.upload(call, world, b"# Review").json() for _ in range(2))
        assert again == first | {"new": False}
        assert Job.objects.count() == 1

    def test_a_document_at_the_bound_is_taken_and_one_byte_more_is_not(
        self, call: Call, world: World, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"DOCUMENT_TEXT_MAX_BYTES": 1024}
        assert limits.value("DOCUMENT_TEXT_MAX_BYTES") == 1024
        assert self.upload(call, world, b"x" * 1024).status_code == 200
        over = self.upload(call, world, b"y" * 1025)
        assert over.status_code == 413
        assert "1024 bytes" in over.json()["error"]["message"]
        assert self.upload(call, world, b"z" * 5000).status_code == 413

    @pytest.mark.parametrize("content", ["", "*", "eA", "eA==eA==", "e A=="])
    def test_what_is_no_base64_or_nothing_is_refused(self, call: Call, world: World, content: str) -> None:
        answer = call("post", "/projects/MC/reviews", world.operator, {"series": "s", "content_base64": content})
        assert answer.status_code == 400
        assert not Review.objects.exists()

    @pytest.mark.parametrize("series", ["", "   ", "x" * 201])
    def test_a_series_has_a_name(self, call: Call, world: World, series: str) -> None:
        answer = self.upload(call, world, b"x", series=series)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "series")


def test_the_api_describes_itself(call: Call, world: World) -> None:
    described = call("get", "/openapi.json", world.viewer).json()
    assert described["info"]["title"] == "Shiproom"
    assert set(described["paths"]["/api/v1/tickets/{key}/assign"]) == {"post"}
    assert "/api/v1/openapi.json" not in described["paths"]
    assert call("get", "/openapi.json", None).status_code == 401

"""Who acts and because of what: bound once at an entrance, carried to the end of what it began."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.test import Client

from portal.core import cause, tokens
from portal.core.cause import Actor, Cause
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tests.factories import World
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Job, JobState

DOCUMENT = b"# Review\n\n## H1: The door squeaks\n\nSeverity: High\n\nOil it.\n"
ADA = Actor("user", "7", "Ada")


class TestBinding:
    def test_outside_any_entrance_it_is_a_nameless_command(self) -> None:
        found = cause.current()
        assert found.actor == cause.NOBODY
        assert len(found.request_id) == 20

    def test_it_ends_with_its_block_whatever_happens_in_it(self) -> None:
        before = cause._current.get()
        with pytest.raises(ZeroDivisionError), cause.acting(ADA):
            raise ZeroDivisionError
        assert cause._current.get() is before

    def test_another_actor_goes_on_under_the_same_request(self) -> None:
        with cause.bound(Cause(ADA, "abcdefgh", "request", "192.0.2.1")):
            with cause.acting(Actor("agent", "1", "mender"), because="job:1") as found:
                assert (found.request_id, found.origin, found.because) == ("abcdefgh", "192.0.2.1", "job:1")
            with cause.because("import:12") as found:
                assert (found.actor, found.request_id, found.because) == (ADA, "abcdefgh", "import:12")
            assert cause.current().because == "request"

    @pytest.mark.django_db
    def test_each_entry_names_the_cause_of_its_moment(self) -> None:
        with cause.acting(ADA, request_id="abcdefgh"), unit_of_work() as work:
            work.record("first", "door:1")
            with cause.acting(Actor("agent", "1", "mender")):
                work.record("second", "door:1")
        said = Activity.objects.order_by("pk").values_list("verb", "actor_label", "request_id")
        assert list(said) == [("first", "Ada", "abcdefgh"), ("second", "mender", "abcdefgh")]


@pytest.mark.django_db(transaction=True)
class TestFromRequestToHandler:
    """One request, its history, the job that it enqueues, and the history of the handler: one request id."""

    REQUEST = "from-the-browser-0001"

    def upload(self, world: World) -> Any:
        _, text = tokens.issue(world.operator, name="laptop", days=1, may_write=True)
        body = {"series": "security", "content_base64": base64.b64encode(DOCUMENT).decode()}
        return Client().post(
            "/api/v1/projects/MC/reviews",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {text}", "X-Request-Id": self.REQUEST},
        )

    def test_the_id_of_the_request_is_that_of_all_that_it_began(self, world: World) -> None:
        answer = self.upload(world)
        assert (answer.status_code, answer["X-Request-Id"]) == (200, self.REQUEST)
        received = Activity.objects.get(verb="review.received")
        assert (received.request_id, received.actor_kind, received.origin) == (self.REQUEST, "token", "127.0.0.1")
        job = Job.objects.get()
        assert job.cause["request_id"] == self.REQUEST
        assert job.cause["actor"] == "Operator by token laptop"
        assert Drain("short", "short@test", LeaseKeeper("short@test"), lambda: False).run() == 1
        assert Job.objects.get().state == JobState.SUCCEEDED
        planned = Activity.objects.get(verb="review.plan")
        assert (planned.request_id, planned.actor_kind, planned.actor_label) == (self.REQUEST, "worker", "short@test")
        assert planned.because == f"job:{job.pk}/1"


@pytest.mark.django_db
def test_a_person_who_is_signed_in_is_the_actor(world: World) -> None:
    client = Client()
    client.force_login(world.admin, "allauth.account.auth_backends.AuthenticationBackend")
    form = {"key": "NW", "title": "New", "repository": ""}
    assert client.post("/projects/new/", form, headers={"X-Request-Id": "abcdefgh-1"}).status_code == 302
    entry = Activity.objects.get(verb="project.created")
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", str(world.admin.pk), "Admin")
    assert (entry.request_id, entry.because, entry.origin) == ("abcdefgh-1", "POST /projects/new/", "127.0.0.1")

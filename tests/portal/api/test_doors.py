"""The door of the API: who comes in, in what form, and what the others hear."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from portal.core import clock, tokens
from portal.core.models import Activity, ApiToken
from reviews.models import Review
from tests.factories import World, project
from tickets.work import create_ticket

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
Issue = Callable[..., str]


def error(answer: Any, status: int) -> dict[str, Any]:
    """The one form of an error; checked here for every test that meets one."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"error"}
    found: dict[str, Any] = body["error"]
    assert {"code", "message", "request_id"} <= set(found)
    assert found["message"]
    assert found["request_id"] == answer["X-Request-Id"]
    return found


def same(first: Any, second: Any) -> bool:
    """The same answer but for the request's id."""
    texts = [answer.content.decode().replace(answer["X-Request-Id"], "") for answer in (first, second)]
    return first.status_code == second.status_code and texts[0] == texts[1]


class TestWhoComesIn:
    def test_a_token_does(self, call: Call, world: World) -> None:
        answer = call("get", "/me", world.viewer)
        assert answer.json() == {"email": "viewer@example.org", "roles": {world.mc.scope: "viewer"}}
        assert answer["Cache-Control"] == "no-store, private"

    def test_nobody_does_without_one(self, call: Call, world: World) -> None:
        answer = call("get", "/me", None)
        assert error(answer, 401)["code"] == "sign_in"
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_a_session_opens_nothing_here(self, world: World) -> None:
        client = Client()
        client.force_login(world.admin, "allauth.account.auth_backends.AuthenticationBackend")
        error(client.get("/api/v1/me"), 401)

    def test_a_token_in_the_address_opens_nothing_and_is_not_told(self, call: Call, token: Issue, world: World) -> None:
        text = token(world.viewer)
        answer = call("get", f"/me?token={text}&access_token={text}", None)
        error(answer, 401)
        assert text not in answer.content.decode()

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", "Bearer srm_x", "bearer"])
    def test_nor_does_another_header(self, call: Call, world: World, value: str) -> None:
        error(call("get", "/me", None, Authorization=value), 401)

    def test_all_that_is_not_right_gets_the_same_answer(self, call: Call, world: World) -> None:
        def issued() -> tuple[ApiToken, str]:
            return tokens.issue(world.viewer, name="x", days=1, may_write=True)

        (expired, one), (revoked, two), (off, three) = issued(), issued(), issued()
        ApiToken.objects.filter(pk=expired.pk).update(expires_at=clock.now() - timedelta(seconds=1))
        tokens.revoke(revoked)
        off.user = world.operator
        ApiToken.objects.filter(pk=off.pk).update(user=world.operator)
        type(world.operator).objects.filter(pk=world.operator.pk).update(is_active=False)
        unknown = call("get", "/me", None, Authorization="Bearer srm_00000000_x")
        for text in (one, two, three):
            assert same(call("get", "/me", None, Authorization=f"Bearer {text}"), unknown)

    def test_a_token_that_may_only_read_reads(self, call: Call, token: Issue, world: World) -> None:
        reading = f"Bearer {token(world.owner, may_write=False)}"
        ticket = create_ticket(world.mc, title="A door")
        assert call("get", f"/tickets/{ticket.key}", None, Authorization=reading).status_code == 200
        body = {"agent": "x", "version": 1}
        answer = call("post", f"/tickets/{ticket.key}/assign", None, body, Authorization=reading)
        assert "may only read" in error(answer, 403)["message"]


class TestWhatIsThere:
    def test_another_projects_ticket_is_answered_as_a_missing_one(self, call: Call, world: World) -> None:
        foreign = create_ticket(project("XX", "Another"), title="Theirs")
        hidden, missing = (call("get", f"/tickets/{key}", world.owner) for key in (foreign.key, "XX-99"))
        assert error(hidden, 404)["code"] == "not_found"
        assert same(hidden, missing)

    def test_nor_does_a_write_tell_them_apart(self, call: Call, world: World) -> None:
        foreign = create_ticket(project("XX", "Another"), title="Theirs")
        body = {"agent": "x", "version": 1}
        assert same(*(call("post", f"/tickets/{key}/assign", world.owner, body) for key in (foreign.key, "XX-99")))

    def test_a_role_that_is_missing_is_named(self, call: Call, world: World) -> None:
        ticket = create_ticket(world.mc, title="A door")
        answer = call("post", f"/tickets/{ticket.key}/assign", world.viewer, {"agent": "x", "version": 1})
        assert "takes the role operator" in error(answer, 403)["message"]

    @pytest.mark.parametrize(
        "path", ["/nothing", "/tickets/MC-1/nothing", "/tickets/%2e%2e%2fme", "/tickets/%00", "/tickets/MC%00-1", "/"]
    )
    def test_a_path_that_is_none_is_a_404_in_the_same_form(self, call: Call, world: World, path: str) -> None:
        error(call("get", path, world.owner), 404)

    def test_a_method_that_is_none_is_a_405(self, call: Call, world: World) -> None:
        answer = call("delete", "/me", world.owner)
        assert answer.status_code == 405
        assert "GET" in answer["Allow"]

    def test_a_failure_of_ours_tells_only_its_id(self, rf: Any) -> None:
        from portal.api.doors import api
        from portal.core.cause import Actor, acting

        with acting(Actor("command", "", "test"), request_id="abcdefgh1234"):
            try:
                raise RuntimeError("the password is swordfish")
            except RuntimeError as failure:
                answer = api.on_exception(rf.get("/api/v1/me"), failure)
        assert answer.status_code == 500
        assert json.loads(answer.content)["error"] == {
            "code": "broke",
            "field": "",
            "message": "Something broke on our side.",
            "request_id": "abcdefgh1234",
        }


class TestForm:
    def assign(self, call: Call, world: World, body: Any, **headers: str) -> Any:
        ticket = create_ticket(world.mc, title="A door")
        return call("post", f"/tickets/{ticket.key}/assign", world.operator, body, **headers)

    def test_a_request_id_that_is_sent_comes_back_in_the_error(self, call: Call, world: World) -> None:
        answer = call("get", "/tickets/MC-99", world.viewer, X_Request_Id="from-the-client-1")
        assert error(answer, 404)["request_id"] == "from-the-client-1"

    @pytest.mark.parametrize("name", ["is_staff", "state", "lease_token", "project_id", "created_by"])
    def test_a_field_that_is_not_declared_is_refused_by_name(self, call: Call, world: World, name: str) -> None:
        answer = self.assign(call, world, {"agent": "x", "version": 1, name: 1})
        found = error(answer, 400)
        assert (found["code"], found["field"]) == ("invalid", name)

    @pytest.mark.parametrize("value", [["a"], {"$ne": 1}, 1, True, None])
    def test_another_type_is_refused_by_the_fields_name(self, call: Call, world: World, value: Any) -> None:
        found = error(self.assign(call, world, {"agent": value, "version": 1}), 400)
        assert found["field"] == "agent"
        assert "string" in found["message"]

    @pytest.mark.parametrize("value", [True, "1", 1.0, 1.5, None, 0, -1, 2**31, 2**63, 10**30])
    def test_a_number_is_a_number_within_its_bounds(self, call: Call, world: World, value: Any) -> None:
        assert error(self.assign(call, world, {"agent": "x", "version": value}), 400)["field"] == "version"

    @pytest.mark.parametrize(
        "body", [b"", b'{"agent": ', b"[]", b'"text"', b"null", b"1", '{"agent": "x"}'.encode("utf-16")]
    )
    def test_a_body_that_is_no_object_is_refused(self, call: Call, world: World, body: bytes) -> None:
        error(self.assign(call, world, body), 400)

    @pytest.mark.parametrize(
        "kind",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"],
    )
    def test_another_type_of_content_is_415(self, call: Call, world: World, kind: str) -> None:
        answer = self.assign(call, world, b'{"agent": "x", "version": 1}', Content_Type=kind)
        assert error(answer, 415)["code"] == "media_type"

    def test_a_body_that_is_packed_is_415(self, call: Call, world: World) -> None:
        error(self.assign(call, world, b"\x1f\x8b", Content_Encoding="gzip"), 415)

    def test_a_body_over_the_bound_is_413(self, call: Call, world: World, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2000
        padding = len(json.dumps({"agent": "", "version": 1}))
        at_bound = self.assign(call, world, {"agent": "x" * (2000 - padding), "version": 1})
        assert error(at_bound, 400)["field"] == "agent"
        over = self.assign(call, world, {"agent": "x" * (2001 - padding), "version": 1})
        assert "2000 bytes" in error(over, 413)["message"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=-1", "limit"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("limit=1e1", "limit"),
            ("before=99999999999999999999", "before"),
            ("before=-1", "before"),
            ("ordering=password", "ordering"),
            ("user__password__startswith=p", "user__password__startswith"),
            ("page=1000000000", "page"),
            ("project=" + "x" * 11, "project"),
        ],
    )
    def test_a_parameter_out_of_bounds_or_unknown_is_refused(
        self, call: Call, world: World, query: str, field: str
    ) -> None:
        assert error(call("get", f"/tickets?{query}", world.viewer), 400)["field"] == field

    def test_a_state_that_is_none_is_refused_with_those_there_are(self, call: Call, world: World) -> None:
        message = error(call("get", "/tickets?state=exploded", world.viewer), 400)["message"]
        assert "open, queued, running" in message

    def test_a_parameter_given_twice_is_refused(self, call: Call, world: World) -> None:
        answer = call("get", "/tickets?state=open&state=done", world.viewer)
        assert "state is given twice" in error(answer, 400)["message"]

    @pytest.mark.parametrize("query", ["project=%00", "project=M%00C", "%00=1"])
    def test_a_nul_in_the_query_is_refused(self, call: Call, world: World, query: str) -> None:
        error(call("get", f"/tickets?{query}", world.viewer), 400)

    def test_nothing_that_was_refused_has_changed_anything(self, call: Call, world: World) -> None:
        before = Activity.objects.exclude(verb__startswith="token.").count()
        call("post", "/projects/MC/reviews", world.operator, {"series": "", "content_base64": "eA=="})
        call("post", "/projects/MC/reviews", world.viewer, {"series": "s", "content_base64": "eA=="})
        call("post", "/projects/MC/reviews", world.outsider, {"series": "s", "content_base64": "eA=="})
        assert not Review.objects.exists()
        assert Activity.objects.exclude(verb__startswith="token.").count() == before

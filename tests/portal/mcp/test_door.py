"""Who gets in, and what is never let in: credentials of every kind, arguments of every kind, at every tool."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client

from portal.core import access, tokens
from portal.core.models import Activity, ApiToken
from portal.mcp.offered import TOOLS
from reviews.models import Finding, Series
from tests import factories
from tests.portal.mcp.speaker import Reply, Speaker, ask, running
from tickets import conversation, credentials
from tickets.models import Attachment, Message, Turn
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db

# Arguments with which each tool does what it is for.
GIVEN: dict[str, dict[str, Any]] = {
    "get_ticket": {},
    "list_messages": {},
    "post_message": {"body": "Said."},
    "ask": {"question": "Which?"},
    "attach": {"name": "a.txt", "text": "a"},
    "report_progress": {"text": "Half."},
    "finish": {"signal": "DONE", "payload": "Done."},
    "list_findings": {},
    "propose_finding": {"title": "It squeaks", "severity": "low", "text": "It does."},
}


def calling(name: str, given: dict[str, Any] | None = None) -> bytes:
    params = {"name": name, "arguments": GIVEN[name] if given is None else given}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def rows() -> tuple[int, ...]:
    """All that a tool could leave behind."""
    said = Turn.objects.exclude(signal="").count() + Turn.objects.exclude(progress="").count()
    return Message.objects.count(), Attachment.objects.count(), Activity.objects.count(), Job.objects.count(), said


def test_the_walk_knows_every_tool() -> None:
    assert set(GIVEN) == set(TOOLS)


def test_what_is_offered_is_what_is_declared_for_this_door(agent: Speaker) -> None:
    listed = {tool["name"] for tool in agent.rpc("tools/list").json["result"]["tools"]}
    declared = [operation for operation in access.operations() if operation.door == "mcp"]
    assert {f"mcp.{name}" for name in listed} == {operation.name for operation in declared}
    assert {operation.rule for operation in declared} == {access.TURN}


def test_no_person_passes_the_rule_of_a_turn(world: World) -> None:
    for person in (world.admin, world.owner):
        assert not access.may(person, access.TURN, world.mc.scope)


@pytest.mark.parametrize("who", ["nobody", "outsider", "viewer", "operator", "reviewer", "releaser", "owner", "admin"])
@pytest.mark.once
def test_no_person_uses_a_tool_of_an_agent(world: World, agent: Speaker, who: str) -> None:
    """Neither with a token nor with a session: a tool is a running turn's, by the credential of that turn."""
    person = getattr(world, who, None)
    sent: list[dict[str, str]] = [{}]
    if person is not None:
        token = tokens.issue(person, name="walk", days=1, may_write=True)[1]
        client = Client()
        client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        sent = [{"authorization": f"Bearer {token}"}, {"cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}]
    before = rows()
    for name in TOOLS:
        assert {ask(calling(name), headers).status for headers in sent} == {401}, name
    assert rows() == before


# Credentials -----------------------------------------------------------------------


def ended(agent: Speaker) -> None:
    Turn.objects.filter(pk=agent.turn.pk).update(state="done")


def told_to_stop(agent: Speaker) -> None:
    Job.objects.filter(attempts=agent.turn.attempt).update(cancel_at="2026-01-01T00:00:00Z")


def under_a_later_fence(agent: Speaker) -> None:
    Job.objects.filter(attempts=agent.turn.attempt).update(fence=2)


def without_its_lease(agent: Speaker) -> None:
    Job.objects.filter(attempts=agent.turn.attempt).update(lease_until="2026-01-01T00:00:00Z")


def handed_back(agent: Speaker) -> None:
    Job.objects.filter(attempts=agent.turn.attempt).update(state="queued", worker="", lease_until=None)


def closed(agent: Speaker) -> None:
    credentials.close(Turn.objects.get(pk=agent.turn.pk))


DEADLY = [ended, told_to_stop, under_a_later_fence, without_its_lease, handed_back, closed]


@pytest.mark.parametrize("deed", DEADLY)
def test_a_turn_that_may_not_go_on_opens_nothing(agent: Speaker, deed: Callable[[Speaker], None]) -> None:
    assert agent.rpc("ping").status == 200
    deed(agent)
    before = rows()
    for name in TOOLS:
        reply = agent.send(calling(name))
        assert (reply.status, reply.json["error"]["code"]) == (401, "sign_in"), name
        assert reply.headers["www-authenticate"] == "Bearer"
    assert rows() == before


@pytest.mark.parametrize("deed", DEADLY)
def test_what_was_let_in_before_the_end_writes_nothing_after_it(
    agent: Speaker, deed: Callable[[Speaker], None]
) -> None:
    """The door had let the request in; the deed itself asks again, under the lock of the job."""
    from portal.mcp.tools import call

    turn = credentials.find(agent.token)
    assert turn is not None
    deed(agent)
    before = rows()
    for name, tool in TOOLS.items():
        if tool.writes:
            answer = call(TOOLS, turn, name, GIVEN[name])
            assert (answer.refused, answer.said) == (True, credentials.ENDED), name
    assert rows() == before


def test_nothing_but_the_token_of_the_turn_is_a_credential(world: World, agent: Speaker) -> None:
    person = tokens.issue(world.admin, name="admin", days=1, may_write=True)[1]
    digest = agent.turn.credential
    wrong = [
        "", "Bearer", "Bearer ", f"Bearer {person}", f"Bearer {digest}", f"Bearer {agent.turn.nonce}",
        f"Bearer {agent.token[:-1]}", f"Bearer {agent.token}0", f"Basic {agent.token}", agent.token,
        f"Bearer {'x' * 5000}", "Bearer \xff\xfe",
    ]  # fmt: skip
    before = rows()
    for text in wrong:
        for name in TOOLS:
            assert ask(calling(name), {"authorization": text} if text else {}).status == 401, (text, name)
    assert ask(calling("get_ticket"), query=f"token={agent.token}".encode()).status == 401
    assert ask(calling("get_ticket"), {"cookie": f"shiproom={agent.token}"}).status == 401
    assert rows() == before
    assert ApiToken.objects.get().last_used_at is None


def test_the_credential_opens_no_other_door(agent: Speaker) -> None:
    for address in ("/api/v1/me", "/api/v1/tickets", f"/tickets/{agent.turn.ticket.key}/"):
        answer = Client(headers={"Authorization": f"Bearer {agent.token}"}).get(address)
        assert answer.status_code in {401, 302}, address


def test_each_agent_has_its_own_ticket_alone(world: World, agent: Speaker) -> None:
    elsewhere = running(factories.project("XX", "Elsewhere"))
    conversation.post(elsewhere.turn.ticket, author=world.admin, body="A foreign word.")
    for name in TOOLS:
        said = agent.call(name, **GIVEN[name])
        assert not said.refused or name == "finish", (name, said.text)
        assert "XX" not in said.text and "foreign" not in said.text, name
    assert Message.objects.get(author_kind="agent").ticket == agent.turn.ticket
    assert Attachment.objects.get().ticket == agent.turn.ticket
    elsewhere.turn.refresh_from_db()
    assert (elsewhere.turn.signal, elsewhere.turn.progress) == ("", "")
    for name in TOOLS:
        given = GIVEN[name] | {"ticket": elsewhere.turn.ticket.key, "project": "XX"}
        said = agent.call(name, **given)
        assert said.refused and f"{name} takes no argument named" in said.text


def test_the_token_is_stored_as_its_digest_and_shown_nowhere(agent: Speaker) -> None:
    from portal.core.redaction import redact
    from tickets.admin.records import TurnPage

    assert len(agent.token) == len("srm_turn_") + 64
    assert agent.turn.credential == credentials.digest(agent.token) != agent.token
    assert redact(f"It is {agent.token}, is it not?") == "It is [redacted], is it not?"
    assert "credential" in (TurnPage.exclude or ())


# The address -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.once
def test_only_post_is_answered(agent: Speaker, method: str) -> None:
    reply = ask(b"", {"authorization": f"Bearer {agent.token}"}, method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_foreign_host_and_a_foreign_page_are_turned_away(agent: Speaker) -> None:
    bearer = {"authorization": f"Bearer {agent.token}"}
    assert ask(calling("get_ticket"), bearer | {"host": "evil.example"}).status == 421
    assert ask(calling("get_ticket"), bearer | {"host": ""}).status == 421
    assert ask(calling("get_ticket"), bearer | {"origin": "https://evil.example"}).status == 403
    assert ask(calling("get_ticket"), bearer | {"host": "localhost:9999"}).status == 200


def test_every_answer_has_an_id_and_is_kept_by_nobody(agent: Speaker) -> None:
    for reply in (agent.rpc("ping"), ask(b"")):
        assert len(reply.headers["x-request-id"]) == 20
        assert reply.headers["cache-control"] == "no-store"


# What is sent -------------------------------------------------------------------------


def said_why(reply: Reply) -> str:
    """The sentence of an error, whoever found it: the protocol, or the tool. Never a traceback."""
    assert reply.status in {200, 202, 400}, reply
    found = reply.body.decode()
    assert "Traceback" not in found and 'File "' not in found
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 7}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": []}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": "\\ud800"}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "file:///etc/passwd"}}',
        b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]',
        b'{"a":' * 5000,
        b"[" * 100_000,
    ],
)
@pytest.mark.once
def test_what_is_no_call_is_an_error_of_the_protocol(agent: Speaker, body: bytes) -> None:
    before = rows()
    assert "error" in said_why(agent.send(body))
    assert rows() == before


def test_a_body_beyond_the_bound_is_refused_while_it_arrives(agent: Speaker) -> None:
    bearer = {"authorization": f"Bearer {agent.token}"}
    body = calling("post_message", {"body": "x" * 1000})
    assert ask(body, bearer, most=len(body)).status == 200
    reply = ask(body, bearer, most=len(body) - 1)
    assert (reply.status, reply.json["error"]["code"]) == (413, "too_large")
    assert ask(body, most=len(body) - 1).status == 401, "who has no credential is not listened to"


GARBAGE: list[Any] = [
    None, True, 0, -1, 1.5, "", "x" * 20_001, "\x00", "\ud800", "a\ud800b", [], [None], {}, {"a": {"b": 1}},
    2**63, ["x" * 1000] * 1000,
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(GIVEN))
@pytest.mark.once
def test_garbage_in_any_argument_is_a_sentence_and_changes_nothing(agent: Speaker, name: str) -> None:
    for place, field in enumerate(TOOLS[name].arguments.model_fields):
        for value in [*GARBAGE, *(["x" * 10_000_000] if place == 0 else [])]:
            before = rows()
            reply = agent.send(calling(name, GIVEN[name] | {field: value}))
            found = said_why(reply)
            assert len(found) < 2000 or name == "get_ticket"
            if '"isError":true' in found or '"error"' in found:
                assert rows() == before, (name, field)
            # What fits does its work once; the next begins anew.
            Turn.objects.update(signal="", signal_payload=None, progress="", progress_at=None)


@pytest.mark.parametrize("name", sorted(GIVEN))
@pytest.mark.once
def test_an_argument_that_there_is_not_is_named(agent: Speaker, name: str) -> None:
    said = agent.call(name, **(GIVEN[name] | {"agent": "root"}))
    assert said.refused and said.text.startswith(f"{name} takes no argument named agent. There are: ")


def test_an_argument_that_is_missing_and_one_of_another_type_are_named(agent: Speaker) -> None:
    assert agent.call("post_message").text == "post_message needs the argument body."
    assert agent.call("post_message", body=7).text == "body: Input should be a valid string."
    assert agent.call("list_messages", after="1").text.startswith("after: ")
    assert agent.call("post_message", body="\x00").refused


def test_a_message_is_as_long_as_the_limit_and_no_longer(agent: Speaker) -> None:
    assert not agent.call("post_message", body="x" * 20_000).refused
    assert "at most 20,000 characters; yours has 20,001" in agent.call("post_message", body="x" * 20_001).text


@pytest.mark.parametrize("name", ["accept", "approve", "waive", "deploy", "get_tickets", "\x00", "x" * 10_000])
@pytest.mark.once
def test_a_tool_that_there_is_not_is_named_with_those_that_there_are(agent: Speaker, name: str) -> None:
    said = agent.call(name)
    assert said.refused and said.text.startswith("There is no tool named ")
    assert "There are: get_ticket, " in said.text and len(said.text) < 400


def test_no_tool_approves_accepts_waives_or_deploys() -> None:
    """An agent's word is a claim; what counts is done by people, through other doors."""
    assert sorted(TOOLS) == sorted(
        ["get_ticket", "list_messages", "post_message", "ask", "attach", "report_progress", "finish", "list_findings",
         "propose_finding"]
    )  # fmt: skip


def test_a_tool_that_breaks_says_so_and_tells_nothing_of_it(world: World, agent: Speaker) -> None:
    """A row of a form that nobody knows, as after a change by hand."""
    series = Series.objects.create(project=world.mc, name="Security")
    Finding.objects.create(series=series, identity="x", title="Odd", severity="high", state="open", files=7)
    said = agent.call("list_findings")
    assert said.refused and said.text.startswith("Something broke on our side (request ")
    assert "int" not in said.text

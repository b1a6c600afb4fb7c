"""What each tool gives and does, as the agent of a running turn."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from portal.core.clock import now
from portal.core.models import Activity
from portal.live.models import Event
from reviews import decisions, documents
from reviews.models import Finding, Review, Series
from tests import factories
from tests.portal.mcp.speaker import Speaker, running
from tests.reviews import build as build_review
from tests.tickets import build
from tickets import conversation
from tickets.models import Attachment, Message, Purpose, Turn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def finding(world: World, title: str, ticket: Any = None, state: str = "open") -> Finding:
    series, _ = Series.objects.get_or_create(project=world.mc, name="Security")
    return Finding.objects.create(
        series=series, identity=title, title=title, severity="high", state=state, ticket=ticket, files=["src/door.py:4"]
    )


def test_the_ticket_is_told_with_its_findings_paths_and_checks(world: World, agent: Speaker) -> None:
    type(world.mc).objects.update(allowed_paths=["src/"], checks=[["make", "test"]])
    own = finding(world, "The door squeaks", agent.turn.ticket)
    said = agent.call("get_ticket").json
    assert said["key"] == agent.turn.ticket.key
    assert (said["title"], said["state"]) == (agent.turn.ticket.title, "running")
    assert said["project"] == {"key": "MC", "name": "Mission control"}
    assert (said["allowed_paths"], said["checks"]) == (["src/"], [["make", "test"]])
    assert [(row["id"], row["title"]) for row in said["findings"]] == [(own.pk, "The door squeaks")]
    assert said["turn"] == {"number": 1, "purpose": "work"}


def test_messages_come_in_order_without_notes_for_people_and_what_was_withdrawn(world: World, agent: Speaker) -> None:
    ticket = agent.turn.ticket
    for body, internal in (("One.", False), ("For people.", True), ("Two.", False)):
        conversation.post(ticket, author=world.operator, body=body, internal=internal)
    conversation.withdraw(conversation.post(ticket, author=world.operator, body="Never mind.")[0], by=world.operator)
    said = agent.call("list_messages").json
    assert [(row["number"], row["body"], row["author"]) for row in said["messages"]] == [
        (1, "One.", str(world.operator)),
        (3, "Two.", str(world.operator)),
    ]
    assert said["more"] is False
    first = agent.call("list_messages", limit=1).json
    assert ([row["number"] for row in first["messages"]], first["more"]) == ([1], True)
    assert [row["number"] for row in agent.call("list_messages", after=1).json["messages"]] == [3]


def test_a_page_of_messages_holds_no_more_text_than_a_turn_is_given(
    world: World, agent: Speaker, settings: Any
) -> None:
    settings.LIMITS = {**settings.LIMITS, "TURN_MESSAGES_CHARS": 1000}
    for letter in "ab":
        conversation.post(agent.turn.ticket, author=world.operator, body=letter * 900)
    said = agent.call("list_messages").json
    assert ([len(row["body"]) for row in said["messages"]], said["more"]) == ([900], True)


def test_a_secret_that_somebody_wrote_is_told_to_no_agent(world: World, agent: Speaker) -> None:
    conversation.post(agent.turn.ticket, author=world.operator, body="It is ghp_abcdefghijklmnopqrstuv.")
    assert "ghp_" not in agent.call("list_messages").text


def test_a_message_is_the_agents_of_this_turn_and_the_same_key_is_the_same_message(agent: Speaker) -> None:
    first = agent.call("post_message", body="I began with the hinge.", idempotency_key="k1").json
    again = agent.call("post_message", body="I began with the hinge.", idempotency_key="k1").json
    assert (first, again) == ({"number": 1, "new": True}, {"number": 1, "new": False})
    message = Message.objects.get()
    assert (message.turn, message.author_kind, message.author_label) == (agent.turn, "agent", "mender")
    other = agent.call("post_message", body="Other words.", idempotency_key="k1")
    assert other.refused and "they are #1" in other.text
    row = Activity.objects.get(verb="message.posted")
    assert (row.actor_kind, row.actor_label, row.because) == ("agent", "mender", f"turn:{agent.turn.ticket.key}/1")
    assert row.request_id == "r" * 20


def test_a_turn_posts_as_many_messages_as_the_limit_and_no_more(agent: Speaker, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "TURN_POSTED_MESSAGES": 2}
    assert [agent.call("post_message", body="Word.").refused for _ in range(3)] == [False, False, True]


def test_a_file_comes_as_text_or_as_bytes_and_once(agent: Speaker) -> None:
    text = agent.call("attach", name="log.txt", text="it squeaked\n").json
    whole = agent.call("attach", name="again.txt", content_base64=base64.b64encode(b"it squeaked\n").decode()).json
    assert (text["new"], whole["new"], whole["sha256"]) == (True, False, text["sha256"])
    row = Attachment.objects.get()
    assert (row.name, row.size_bytes, row.uploader, row.uploader_label) == ("log.txt", 12, None, "mender")
    both = agent.call("attach", name="x", text="a", content_base64="YQ==")
    neither = agent.call("attach", name="x")
    assert both.text == neither.text == "Send the file as text, or as content_base64: one of the two."
    assert agent.call("attach", name="x", content_base64="no base64!").text == "content_base64 is not base64."
    assert "0 bytes" in agent.call("attach", name="x", text="").text


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(agent: Speaker, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "ATTACHMENT_MAX_BYTES": 2000}
    for size, refused in ((2000, False), (2001, True), (4000, True)):
        content = base64.b64encode(bytes(range(250)) * (size // 250) + b"x" * (size % 250)).decode()
        assert agent.call("attach", name="x.bin", content_base64=content).refused is refused, size
    assert Attachment.objects.count() == 1


def test_progress_is_replaced_by_the_next_and_announced_on_the_ticket(agent: Speaker) -> None:
    assert not agent.call("report_progress", text="Half of the\n hinges.").refused
    agent.turn.refresh_from_db()
    assert agent.turn.progress == "Half of the hinges."
    assert Event.objects.filter(stream__name=agent.turn.ticket.subject, kind="turn").count() == 1
    soon = agent.call("report_progress", text="All.")
    assert soon.refused and "less than 2 seconds ago" in soon.text
    Turn.objects.update(progress_at="2020-01-01T00:00:00Z")
    assert not agent.call("report_progress", text="All.").refused
    agent.turn.refresh_from_db()
    assert agent.turn.progress == "All."


def test_progress_is_as_long_as_the_limit_and_no_longer(agent: Speaker) -> None:
    assert agent.call("report_progress", text="x" * 201).refused
    assert not agent.call("report_progress", text="x" * 200).refused


def test_progress_stands_on_the_ticket_while_its_turn_runs(world: World, agent: Speaker, settings: Any) -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    agent.call("report_progress", text="Half of <b>it</b>.")
    viewer = Client()
    viewer.force_login(world.viewer, "allauth.account.auth_backends.AuthenticationBackend")
    address = agent.turn.ticket.get_absolute_url()
    assert "Half of &lt;b&gt;it&lt;/b&gt;." in viewer.get(address).content.decode()
    Turn.objects.update(state="done", ended_at=now())
    assert "Half of" not in viewer.get(address).content.decode()


def test_a_turn_signals_once_and_the_same_again_is_the_same(agent: Speaker) -> None:
    first = agent.call("finish", signal="DONE", payload="The door is oiled.")
    assert "End your turn now" in first.json["next"]
    agent.turn.refresh_from_db()
    assert (agent.turn.signal, agent.turn.signal_payload) == ("DONE", "The door is oiled.")
    assert not agent.call("finish", signal="DONE", payload="The door is oiled.").refused
    for other in (
        agent.call("finish", signal="DONE", payload="Other words."),
        agent.call("finish", signal="FAILED", payload="It broke."),
        agent.call("ask", question="Which?"),
    ):
        assert other.refused and "has signalled DONE already" in other.text
    agent.turn.refresh_from_db()
    assert agent.turn.signal == "DONE"
    assert Activity.objects.filter(verb="turn.signalled").count() == 1


def test_who_was_told_more_after_its_signal_signals_again(world: World, agent: Speaker) -> None:
    agent.call("finish", signal="DONE", payload="First.")
    Turn.objects.update(signal_at="2020-01-01T00:00:00Z")
    assert agent.call("finish", signal="BLOCKED", payload="Second.").refused
    conversation.post(agent.turn.ticket, author=world.operator, body="And the gate.")
    conversation.take(agent.turn.ticket, agent.turn)
    assert not agent.call("finish", signal="BLOCKED", payload="Second.").refused
    assert agent.call("finish", signal="DONE", payload="Third.").refused
    agent.turn.refresh_from_db()
    assert (agent.turn.signal, agent.turn.signal_payload) == ("BLOCKED", "Second.")


def test_a_signal_without_a_reason_is_refused_but_for_done(agent: Speaker) -> None:
    assert agent.call("finish", signal="BLOCKED").text == "payload is needed, and is blank."
    assert agent.call("finish", signal="NEEDS_INPUT", payload="x").refused
    assert not agent.call("finish", signal="DONE").refused


def test_a_question_is_kept_in_its_form(agent: Speaker) -> None:
    said = agent.call(
        "ask", question="Replay them?", options=[{"label": "Yes", "detail": "late"}, "No"], default="No",
        deadline_minutes=60,
    )  # fmt: skip
    assert not said.refused, said.text
    agent.turn.refresh_from_db()
    assert agent.turn.signal == "NEEDS_INPUT"
    assert agent.turn.signal_payload == {
        "question": "Replay them?",
        "options": [{"label": "Yes", "detail": "late"}, {"label": "No", "detail": ""}],
        "default": 1,
        "deadline_minutes": 60,
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"question": " "}, "question is needed"),
        ({"question": "x" * 10_001}, "at most 10,000"),
        ({"question": "Which?", "options": [str(n) for n in range(11)]}, "at most 10 options"),
        ({"question": "Which?", "options": ["x" * 301]}, "label of option 1"),
        ({"question": "Which?", "options": [{"label": "a", "detail": "x" * 301}]}, "detail of option 1"),
        ({"question": "Which?", "options": ["a", "a"]}, "same label"),
        ({"question": "Which?", "options": ["a"], "default": 1}, "default names no option"),
        ({"question": "Which?", "deadline_minutes": 14}, "from 15 to 43,200"),
        ({"question": "Which?", "deadline_minutes": 43_201}, "from 15 to 43,200"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_where_it_is_typed(
    agent: Speaker, given: dict[str, Any], why: str
) -> None:
    said = agent.call("ask", **given)
    assert said.refused and why in said.text
    agent.turn.refresh_from_db()
    assert agent.turn.signal == ""


def test_a_review_asks_nobody(world: World) -> None:
    said = running(world.mc, purpose=Purpose.REVIEW).call("ask", question="Is it right?")
    assert said.refused and "BLOCKED" in said.text


def test_open_findings_of_the_project_are_told_those_of_the_ticket_first(world: World, agent: Speaker) -> None:
    own = finding(world, "Own", agent.turn.ticket)
    other = finding(world, "Another's")
    finding(world, "Mended", state="fixed")
    elsewhere = factories.project("XX", "Elsewhere")
    series = Series.objects.create(project=elsewhere, name="Security")
    Finding.objects.create(series=series, identity="x", title="Foreign", severity="high", state="open")
    said = agent.call("list_findings").json
    assert [row["id"] for row in said["findings"]] == [own.pk, other.pk]
    assert said["findings"][0]["ticket"] == agent.turn.ticket.key
    short = agent.call("list_findings", limit=1).json
    assert ([row["id"] for row in short["findings"]], short["more"]) == ([own.pk], 1)


def test_what_people_rejected_is_told_with_why_and_what_shows_it(world: World, agent: Speaker) -> None:
    rejected = finding(world, "The fuse is wrong")
    build_review.reject(rejected, reason="It is rated for it.")
    ended = finding(world, "Open again")
    decisions.end(build_review.reject(ended), reason="Premise changed.")
    elsewhere = build_review.finding(factories.project("XX", "Elsewhere"))
    build_review.reject(elsewhere)
    said = agent.call("list_findings").json
    (known,) = said["known_rejected"]
    assert (known["id"], known["reason"], known["evidence"]) == (
        rejected.pk, "It is rated for it.", "The test in tests/test_door.py:12.",
    )  # fmt: skip
    assert said["known_rejected_more"] == 0


PROPOSAL = {"title": "The gate squeaks too", "severity": "high", "text": "## H9: More\n\nSeverity: Low", "line": 12}


def test_a_proposal_is_a_plan_that_waits_and_no_finding(agent: Speaker) -> None:
    said = agent.call("propose_finding", **PROPOSAL, file="src/gate.py")
    assert not said.refused, said.text
    review = Review.objects.select_related("series__project").get()
    assert (said.json["review"], review.series.name) == (review.pk, "Proposed by agents")
    assert documents.read_now(review).state == "planned"
    [row] = review.rows.all()
    assert (row.item["title"], row.item["severity"], row.action) == ("The gate squeaks too", "high", "new")
    assert Finding.objects.count() == 0
    again = agent.call("propose_finding", **PROPOSAL, file="src/gate.py")
    assert (again.json["review"], again.json["new"]) == (review.pk, False)
    assert Activity.objects.get(verb="review.received").actor_kind == "agent"


def test_a_turn_proposes_as_many_findings_as_the_limit_and_no_more(agent: Speaker, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "TURN_PROPOSALS": 2}
    given = {"severity": "low", "text": "It is so."}
    refused = [agent.call("propose_finding", title=f"Door {n}", **given).refused for n in (1, 2, 3, 1)]
    assert refused == [False, False, True, False]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"title": "x" * 201}, "at most 200"),
        ({"title": "two\nlines"}, "title is one line"),
        ({"text": "x" * 10_001}, "at most 10,000"),
        ({"text": "It\x00squeaks"}, "NUL"),
        ({"file": "x" * 301}, "at most 300"),
        ({"file": "", "line": 3}, "needs the file"),
        ({"line": 0}, "counts from 1"),
        ({"severity": "dire"}, "severity"),
    ],
)
def test_a_proposal_that_does_not_fit_is_refused(agent: Speaker, changes: dict[str, Any], why: str) -> None:
    said = agent.call("propose_finding", **{**PROPOSAL, "file": "src/gate.py", **changes})
    assert said.refused and why in said.text
    assert Review.objects.count() == 0


def test_who_reads_the_ticket_sees_what_was_said(world: World, agent: Speaker) -> None:
    build.repository(world.mc)
    agent.call("post_message", body="I began with the hinge.")
    assert [message.number for message in conversation.waiting(agent.turn.ticket)] == []

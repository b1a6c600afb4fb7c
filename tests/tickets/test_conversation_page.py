"""The ticket's page as people write on it: once, whole or refused with the reason, and nothing typed is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build
from tickets import conversation
from tickets.models import KeyAlias, Message, Ticket, Turn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages


@pytest.fixture
def ticket(world: World) -> Ticket:
    return build.ticket(world.mc)


def url_of(ticket: Ticket, rest: str = "messages/") -> str:
    return f"{ticket.get_absolute_url()}{rest}"


def shown(page: str, number: int) -> str:
    """The part of a page that is one message."""
    found = re.search(rf'<article class="msg" id="m{number}".*?</article>', page, re.S)
    return found[0] if found else ""


# Who may -------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", ["messages/", "messages/1/withdraw/", "edit/"])
def test_writing_takes_the_role_operator(world: World, sign_in: SignIn, ticket: Ticket, rest: str) -> None:
    conversation.post(ticket, author=world.viewer, body="As it was")
    allowed = ROLES[ROLES.index("operator") :]
    for name in ROLES:
        answer = sign_in(getattr(world, name)).post(url_of(ticket, rest), {})
        assert (answer.status_code == 403) == (name not in allowed), name
    assert sign_in(world.outsider).post(url_of(ticket, rest)).status_code == 404
    assert Message.objects.get().withdrawn_at is None


def test_a_viewer_reads_and_is_told_what_writing_takes(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    conversation.post(ticket, author=world.operator, body="Readable", internal=True)
    page = sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()
    assert "Readable" in page and "Writing takes the role operator" in page
    assert "message-form" not in page and "Withdraw" not in page


# Sent -------------------------------------------------------------------------------------


def test_a_message_is_sent_once_however_often_it_is_clicked(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    page = browser.get(ticket.get_absolute_url()).content.decode()
    key = re.search(r'name="idempotency_key" value="(\w{32})"', page)
    assert key
    sent = {"body": "Once.\r\nOnly.", "idempotency_key": key[1]}
    answers = [browser.post(url_of(ticket), sent)["Location"] for _ in range(3)]
    assert answers == [f"{ticket.get_absolute_url()}#m1"] * 3
    assert [(m.number, m.body, m.author_label) for m in Message.objects.all()] == [(1, "Once.\nOnly.", "Operator")]
    again = browser.get(ticket.get_absolute_url()).content.decode()
    assert key[1] not in again, "the next message has a key of its own"


def test_other_words_of_a_form_that_was_sent_are_kept_and_can_be_sent(
    world: World, sign_in: SignIn, ticket: Ticket
) -> None:
    browser = sign_in(world.operator)
    browser.post(url_of(ticket), {"body": "First", "idempotency_key": "k"})
    answer = browser.post(url_of(ticket), {"body": "Second", "idempotency_key": "k"})
    page = answer.content.decode()
    assert answer.status_code == 409 and "they are #1" in page and ">\nSecond</textarea>" in page
    key = re.search(r'name="idempotency_key" value="(\w{32})"', page)
    assert key and browser.post(url_of(ticket), {"body": "Second", "idempotency_key": key[1]}).status_code == 302
    assert list(Message.objects.order_by("number").values_list("body", flat=True)) == ["First", "Second"]


def test_what_becomes_of_each_message_is_said_beside_it(world: World, sign_in: SignIn) -> None:
    ticket = build.talk(build.ticket(world.mc), world.operator, world.reviewer)
    page = sign_in(world.operator).get(ticket.get_absolute_url()).content.decode()
    said = {number: re.sub(r"<[^>]+>", " ", shown(page, number)) for number in range(1, 7)}
    assert "Read by turn 1" in said[1]
    assert "Read by" not in said[2] and "turn 1 ·" in re.sub(r"\s+", " ", said[2])
    assert "Taken by turn 3" in said[3]
    assert "Internal: no agent is given it" in said[4]
    assert "Withdrawn" in said[5]
    assert "Waits for the next turn" in said[6]
    assert [number for number in said if "Withdraw</button>" in shown(page, number)] == [6]
    places = [page.index(mark) for mark in ('id="m1"', 'id="turn-1"', 'id="m2"', 'id="m3"', 'id="turn-2"', 'id="m4"')]
    assert places == sorted(places), "turns stand among the messages, by time"
    Turn.objects.filter(ticket=ticket, seq=3).update(state="failed")
    conversation.give_back(Turn.objects.get(ticket=ticket, seq=3))
    page = sign_in(world.operator).get(ticket.get_absolute_url()).content.decode()
    assert "Back in the queue after turn 3" in shown(page, 3)


def test_a_message_is_withdrawn_where_it_stands(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    conversation.post(ticket, author=world.operator, body="A mistake")
    browser = sign_in(world.operator)
    assert browser.post(url_of(ticket, "messages/1/withdraw/"))["Location"].endswith("#m1")
    assert "Withdrawn" in shown(browser.get(ticket.get_absolute_url()).content.decode(), 1)
    conversation.post(ticket, author=world.operator, body="Another")
    conversation.take(ticket, build.turn(ticket, "running"))
    answer = browser.post(url_of(ticket, "messages/2/withdraw/"))
    assert answer.status_code == 409
    assert "taken by turn 1" in shown(answer.content.decode(), 2)


def test_files_come_with_their_message_or_not_at_all(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    sent = {"body": "", "files": [SimpleUploadedFile("a.log", b"one"), SimpleUploadedFile("b.log", b"two")]}
    assert browser.post(url_of(ticket), sent).status_code == 302
    message = shown(browser.get(ticket.get_absolute_url()).content.decode(), 1)
    assert "a.log" in message and "b.log" in message
    sent = {"body": "x" * 20_001, "files": [SimpleUploadedFile("c.log", b"three")]}
    assert "Choose the files again" in browser.post(url_of(ticket), sent).content.decode()
    sent = {"body": "Kept", "files": [SimpleUploadedFile("d.log", b"four"), SimpleUploadedFile("e.log", b"")]}
    answer = browser.post(url_of(ticket), sent)
    assert answer.status_code == 422 and "e.log is empty" in answer.content.decode()
    assert Message.objects.count() == 1
    assert set(ticket.attachments.values_list("name", flat=True)) == {"a.log", "b.log"}


# Refused, and kept ------------------------------------------------------------------------------


def test_a_done_ticket_refuses_what_was_typed_and_keeps_it(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    Ticket.objects.filter(pk=ticket.pk).update(state="done")
    assert "Reopen it to write on" in browser.get(ticket.get_absolute_url()).content.decode()
    answer = browser.post(url_of(ticket), {"body": "Long words", "internal": "on", "idempotency_key": "k"})
    page = answer.content.decode()
    composer = page[page.index('id="message-form"') :]
    assert answer.status_code == 409
    assert "Reopen it, then send." in composer and ">\nLong words</textarea>" in composer
    assert re.search(r'name="internal"[^>]* checked', composer)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ("", 409, "A message needs a text or a file."),
        ("\u200b\u3164 \n", 409, "A message needs a text or a file."),
        ("x" * 20_001, 422, "At most 20,000 characters (you sent 20,001)."),
    ],
)
def test_a_bad_message_is_refused_in_words(
    world: World, sign_in: SignIn, ticket: Ticket, body: str, status: int, sentence: str
) -> None:
    answer = sign_in(world.operator).post(url_of(ticket), {"body": body})
    page = answer.content.decode()
    assert answer.status_code == status
    assert sentence in page[page.index('id="message-form"') :]
    assert "x" * 20_001 in page or len(body) < 20
    assert not Message.objects.exists()


def test_a_message_of_the_greatest_length_is_taken(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    assert sign_in(world.operator).post(url_of(ticket), {"body": "é" * 20_000}).status_code == 302


@pytest.mark.parametrize("rest", ["messages/", "edit/"])
def test_no_nul_and_no_half_character_reaches_a_database(
    world: World, sign_in: SignIn, ticket: Ticket, rest: str
) -> None:
    browser = sign_in(world.operator)
    assert browser.post(url_of(ticket, rest), {"body": "a\0b", "title": "T"}).status_code == 400
    # A lone surrogate as a browser never sends it: three bytes that are no UTF-8.
    raw = b"title=T&expected_version=1&body=a%ED%A0%80b"
    answer = browser.generic("POST", url_of(ticket, rest), raw, content_type="application/x-www-form-urlencoded")
    assert answer.status_code < 500
    for text in [*Message.objects.values_list("body", flat=True), Ticket.objects.get().body]:
        assert not re.search("[\0\ud800-\udfff]", text)


def test_a_field_that_is_given_twice_is_refused(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    answer = sign_in(world.operator).post(url_of(ticket), {"body": ["one", "two"]})
    assert answer.status_code == 422 and "Message is given twice" in answer.content.decode()
    assert not Message.objects.exists()


def test_text_of_people_is_laid_out_and_never_markup_of_the_page(world: World, sign_in: SignIn) -> None:
    hostile = "**b** <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![p](https://evil.example/p.png) a\u202eb"
    ticket = build.ticket(world.mc, body=hostile)
    world.operator.name = "gpj.\u202eexe<b>"
    conversation.post(ticket, author=world.operator, body=hostile)
    page = sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()
    assert page.count("<strong>b</strong>") == 2 and page.count("a[U+202E]b") == 2
    assert "<img" not in page and 'href="javascript' not in page and "\u202e" not in page
    assert "<bdi>gpj.[U+202E]exe&lt;b&gt;</bdi>" in page


# Long ----------------------------------------------------------------------------------------------


def test_pages_of_a_conversation_follow_each_other_without_gap_or_repeat(
    world: World, sign_in: SignIn, ticket: Ticket, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    for n in range(12):
        conversation.post(ticket, author=world.operator, body=f"m {n}")
        if n in (1, 7):
            build.turn(ticket, seq=1 + (n == 7))
    browser, seen, turns, url = sign_in(world.viewer), [], [], ticket.get_absolute_url()
    while url:
        page = browser.get(url).content.decode()
        seen.append(re.findall(r'<article class="msg" id="m(\d+)"', page))
        turns.append(re.findall(r'<section class="panel" id="turn-(\d+)"', page))
        assert ("message-form" in page or "Writing takes" in page) == ("before" not in url)
        older = re.search(r'href="([^"]+\?before=\d+)', page)
        url = older[1] if older else ""
    assert seen == [["8", "9", "10", "11", "12"], ["3", "4", "5", "6", "7"], ["1", "2"]]
    assert turns == [["2"], [], ["1"]], "each turn stands on one page"
    assert browser.get(f"{ticket.get_absolute_url()}?before=x").status_code == 400


def test_much_text_is_spread_over_pages(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    for _ in range(15):
        conversation.post(ticket, author=world.operator, body="y" * 19_000)
    page = sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()
    assert page.count('<article class="msg"') == 10 and "5 earlier messages" in page


def test_a_turn_that_runs_is_on_the_newest_page(world: World, sign_in: SignIn, ticket: Ticket, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    build.turn(ticket, "running", output="it runs\n")
    for n in range(7):
        conversation.post(ticket, author=world.operator, body=f"m {n}")
    assert "it runs" in sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()


def test_what_the_page_costs_does_not_depend_on_how_much_was_said(
    world: World, sign_in: SignIn, counted: Counted, ticket: Ticket
) -> None:
    browser = sign_in(world.operator)
    build.talk(ticket, world.operator, world.reviewer)
    KeyAlias.objects.create(project=world.mc, key="OLD-1", ticket=ticket)
    few = [counted(browser, url_of(ticket, rest)) for rest in ("", "fragment/", "rail/", "history/")]
    for seq in range(4, 24):
        turn = build.turn(ticket, "failed", seq=seq, payload="x", output="x\n")
        conversation.post(ticket, author=world.reviewer, body=f"m {seq}")
        conversation.take(ticket, turn)
        conversation.acknowledge(turn)
        conversation.said(turn, "Done.")
    assert [counted(browser, url_of(ticket, rest)) for rest in ("", "fragment/", "rail/", "history/")] == few
    assert few[0] <= 30, few


# Another name, other words -----------------------------------------------------------------------------


def test_a_second_name_leads_to_the_ticket(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    KeyAlias.objects.create(project=world.mc, key="OLD-294", ticket=ticket)
    assert sign_in(world.viewer).get("/tickets/OLD-294/")["Location"] == ticket.get_absolute_url()
    assert "also OLD-294" in sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()
    assert sign_in(world.outsider).get("/tickets/OLD-294/").status_code == 404
    assert sign_in(world.viewer).get("/tickets/OLD-295/").status_code == 404


def test_words_are_edited_under_the_version_that_was_seen(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    assert f'value="{ticket.title}"' in browser.get(url_of(ticket, "edit/")).content.decode()
    sent = {"title": "New title", "body": "New body", "expected_version": 1, "state": "done"}
    assert browser.post(url_of(ticket, "edit/"), sent)["Location"] == ticket.get_absolute_url()
    ticket.refresh_from_db()
    assert (ticket.title, ticket.body, ticket.state, ticket.version) == ("New title", "New body", "open", 2)


def test_an_old_form_shows_both_texts_and_overwrites_nothing(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    Ticket.objects.filter(pk=ticket.pk).update(version=3, title="Theirs", body="Their body")
    sent = {"title": "Mine", "body": "My body", "expected_version": 1}
    answer = browser.post(url_of(ticket, "edit/"), sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    for text in ('value="Mine"', "My body", "Theirs", "Their body", "version 1, now 3", 'value="3"'):
        assert text in page, text
    ticket.refresh_from_db()
    assert (ticket.title, ticket.body, ticket.version) == ("Theirs", "Their body", 3)
    assert browser.post(url_of(ticket, "edit/"), sent | {"expected_version": 3}).status_code == 302


def test_a_refused_title_keeps_the_version_that_was_seen(world: World, sign_in: SignIn, ticket: Ticket) -> None:
    browser = sign_in(world.operator)
    Ticket.objects.filter(pk=ticket.pk).update(version=3)
    for title in ("x" * 201, " \u3164"):
        answer = browser.post(url_of(ticket, "edit/"), {"title": title, "body": "Kept", "expected_version": 1})
        page = answer.content.decode()
        assert answer.status_code == 422 and "Kept" in page
        assert 'name="expected_version" value="1"' in page, "what the sender never saw is not overwritten by a retry"
    ticket.refresh_from_db()
    assert ticket.version == 3


@pytest.mark.parametrize("rest", ["messages/", "edit/"])
def test_ten_megabytes_of_text_are_413_with_the_limit(world: World, sign_in: SignIn, ticket: Ticket, rest: str) -> None:
    sent = {"body": "x" * 10_000_000, "title": "T", "expected_version": 1}
    answer = sign_in(world.operator).post(url_of(ticket, rest), sent)
    assert answer.status_code == 413
    assert "A form has at most 8,000,000 bytes" in answer.content.decode()
    ticket.refresh_from_db()
    assert (ticket.version, ticket.last_message) == (1, 0)

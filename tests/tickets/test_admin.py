"""Tickets in the admin: written under a version, spoken to, and never saved whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests.tickets import build
from tickets import conversation, work
from tickets.models import Attachment, KeyAlias, Message, ProjectCounter, Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]


@pytest.fixture
def admin(world: World, sign_in: Callable[..., Client]) -> Client:
    return sign_in(world.admin)


def url(model: type[Model], what: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def do(client: Client, row: Any, verb: str, **sent: Any) -> Any:
    if hasattr(row, "version"):
        sent.setdefault("expected_version", row.version)
    return client.post(url(type(row), f"do_{verb}", row.pk), sent, follow=True)


def offered(client: Client, row: Any) -> set[str]:
    page = client.get(url(type(row), "change", row.pk))
    return {offer.deed.verb for offer in page.context["deeds"]}


class TestWriting:
    """What a form of an older version does: nothing, and it says so with both texts."""

    def opened(self, ticket: Ticket) -> dict[str, Any]:
        seen = {"title": ticket.title, "body": ticket.body}
        return seen | {f"initial-{name}": text for name, text in seen.items()} | {"seen": ticket.version} | EMPTY

    def save(self, client: Client, ticket: Ticket, form: dict[str, Any]) -> Any:
        return client.post(url(Ticket, "change", ticket.pk), form)

    def test_an_old_form_is_answered_with_both_texts(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door", body="It squeaks.")
        form = self.opened(ticket)
        work.edit(ticket, title="A door that squeaks", body="Oil it.", expected_version=ticket.version)
        answer = self.save(admin, ticket, form | {"title": "My door", "body": "It squeaks."})
        text = answer.content.decode()
        assert "It has changed since you opened it" in text
        assert "My door" in text
        assert "Now it is: A door that squeaks" in text
        shown = answer.context["adminform"].form
        # What its sender did not touch is what is stored: to save again takes nothing back.
        assert shown["body"].value() == "Oil it."
        ticket.refresh_from_db()
        assert (ticket.title, ticket.body, ticket.version) == ("A door that squeaks", "Oil it.", 2)

    def test_and_saving_again_is_a_decision(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door", body="It squeaks.")
        form = self.opened(ticket)
        work.edit(ticket, title="A door that squeaks", body="Oil it.", expected_version=ticket.version)
        shown = self.save(admin, ticket, form | {"title": "My door"}).context["adminform"].form
        again = {name: shown[name].value() for name in ("title", "body", "seen")} | EMPTY
        again |= {f"initial-{name}": shown.data[f"initial-{name}"] for name in ("title", "body")}
        assert self.save(admin, ticket, again).status_code == 302
        ticket.refresh_from_db()
        assert (ticket.title, ticket.body) == ("My door", "Oil it.")

    def test_what_changes_between_the_check_and_the_writing_loses_nothing_typed(
        self, admin: Client, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        edit = work.edit

        def beaten(row: Ticket, **asked: Any) -> Ticket:
            monkeypatch.setattr(work, "edit", edit)
            edit(Ticket.objects.get(pk=row.pk), title="Theirs", body="", expected_version=1)
            return edit(row, **asked)

        monkeypatch.setattr(work, "edit", beaten)
        answer = self.save(admin, ticket, self.opened(ticket) | {"title": "Mine"})
        assert answer.status_code == 200
        assert "Mine" in answer.content.decode()
        assert "has changed since you opened it" in answer.content.decode()

    def test_the_bounds_of_the_pages_hold_here(self, admin: Client, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"TITLE_MAX_CHARS": 20}
        ticket = work.create_ticket(world.mc, title="A door")
        form = self.opened(ticket)
        assert "At most 20 characters" in self.save(admin, ticket, form | {"title": "x" * 21}).content.decode()
        assert self.save(admin, ticket, form | {"title": "x" * 20}).status_code == 302

    def test_line_ends_are_stored_as_they_were_typed_on_a_page(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door", body="one\ntwo")
        form = self.opened(ticket) | {"body": "one\r\ntwo", "initial-body": "one\r\ntwo", "title": "Doors"}
        self.save(admin, ticket, form)
        ticket.refresh_from_db()
        assert (ticket.title, ticket.body) == ("Doors", "one\ntwo")

    def test_no_form_writes_what_a_machine_writes(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        form = self.opened(ticket)
        machine = {"state": "done", "last_message": 9, "accepted_commit": "f" * 40, "number": 77, "key": "MC-77"}
        self.save(admin, ticket, form | machine | {"title": "Doors", "version": 50})
        ticket.refresh_from_db()
        assert (ticket.title, ticket.state, ticket.version) == ("Doors", "open", 2)
        assert (ticket.last_message, ticket.accepted_commit, ticket.number, ticket.key) == (0, "", 1, "MC-1")


EMPTY = {
    f"{prefix}-{name}_FORMS": 0
    for prefix in ("messages", "attachments", "turns")
    for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")
}


class TestConversation:
    def test_a_message_is_posted_and_read_on_its_page(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        page = do(admin, ticket, "post", body="Oil it <b>first</b>.", internal="on", idempotency_key="k1")
        assert told(page) == ["Sent as #1."]
        assert "Oil it &lt;b&gt;first&lt;/b&gt;." in page.content.decode()
        message = Message.objects.get()
        assert (message.author, message.internal) == (world.admin, True)

    def test_the_same_form_twice_is_one_message(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        for _ in range(2):
            do(admin, ticket, "post", body="Oil it.", idempotency_key="k1")
        assert Message.objects.count() == 1

    def test_each_showing_of_the_form_has_a_name_of_its_own(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        keys = set()
        for _ in range(2):
            page = admin.get(url(Ticket, "change", ticket.pk))
            form = next(offer.form for offer in page.context["deeds"] if offer.deed.verb == "post")
            keys.add(form["idempotency_key"].value())
        assert len(keys) == 2

    def test_a_refused_message_stays_in_its_form(self, admin: Client, world: World) -> None:
        ticket = build.ticket(world.mc, "done")
        assert not {"post", "attach"} & offered(admin, ticket)
        answer = do(admin, ticket, "post", body="One more thing.")
        assert answer.status_code == 409
        assert "One more thing." in answer.content.decode()
        assert "Reopen it" in answer.content.decode()

    def test_a_message_over_the_bound_is_refused(self, admin: Client, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"MESSAGE_MAX_CHARS": 1000}
        ticket = work.create_ticket(world.mc, title="A door")
        answer = do(admin, ticket, "post", body="x" * 1001)
        assert (answer.status_code, "At most 1,000 characters" in answer.content.decode()) == (422, True)
        assert do(admin, ticket, "post", body="x" * 1000).status_code == 200
        assert Message.objects.count() == 1

    def test_lines_of_a_message_are_not_run_together(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        message, _ = conversation.post(ticket, author=world.operator, body="One <b>\n- two")
        for row in (ticket, message):
            page = admin.get(url(type(row), "change", row.pk)).content.decode()
            assert '<div class="as-written"><bdi>One &lt;b&gt;\n- two</bdi></div>' in page

    def test_the_time_of_a_state_is_not_called_that_of_the_last_edit(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        for address in (url(Ticket, "changelist"), url(Ticket, "change", ticket.pk)):
            page = admin.get(address).content.decode()
            assert "In this state since" in page
            assert "Updated at" not in page

    def test_a_message_is_withdrawn(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        message, _ = conversation.post(ticket, author=world.operator, body="Wait.")
        assert offered(admin, message) == {"withdraw"}
        do(admin, message, "withdraw")
        message.refresh_from_db()
        assert message.withdrawn_at is not None
        assert offered(admin, message) == set()


class TestFiles:
    def test_a_file_is_attached_downloaded_by_the_tickets_door_and_removed(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        file = SimpleUploadedFile("door <b>.txt", b"squeak", content_type="text/html")
        page = do(admin, ticket, "attach", file=file)
        attachment = Attachment.objects.get()
        door = reverse("attachment", args=[ticket.key, attachment.pk])
        assert door in page.content.decode()
        assert b"".join(admin.get(door).streaming_content) == b"squeak"
        assert do(admin, attachment, "remove", reason="").status_code == 422
        do(admin, attachment, "remove", reason="It named a person.")
        attachment.refresh_from_db()
        assert attachment.removed_at is not None
        assert door not in admin.get(url(Ticket, "change", ticket.pk)).content.decode()

    @pytest.mark.parametrize("content", [None, b""])
    def test_no_file_and_an_empty_one_are_refused(self, admin: Client, world: World, content: bytes | None) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        sent = {} if content is None else {"file": SimpleUploadedFile("x.txt", content)}
        assert do(admin, ticket, "attach", **sent).status_code == 422
        assert not Attachment.objects.exists()

    def test_where_the_bytes_lie_is_shown_nowhere(self, admin: Client, world: World) -> None:
        ticket = work.create_ticket(world.mc, title="A door")
        do(admin, ticket, "attach", file=SimpleUploadedFile("x.txt", b"x"))
        attachment = Attachment.objects.get()
        for address in (url(Attachment, "changelist"), url(Attachment, "change", attachment.pk)):
            assert attachment.stored_as not in admin.get(address).content.decode()


class TestMoving:
    @pytest.mark.parametrize(
        ("state", "verbs"),
        [
            ("open", {"assign", "take"}),
            ("queued", {"stop", "take"}),
            ("running", {"stop", "take"}),
            ("in_review", {"assign", "review", "accept", "take"}),
            ("unproven", {"assign", "accept", "take"}),
            ("done", {"reopen"}),
        ],
    )
    def test_only_what_its_state_allows_is_offered(
        self, admin: Client, world: World, state: str, verbs: set[str]
    ) -> None:
        ticket = build.ticket(world.mc, state)
        assert offered(admin, ticket) - {"post", "attach"} == verbs
        for verb in {"accept", "reopen", "stop"} - verbs:
            answer = do(admin, ticket, verb, reason="Because.")
            assert answer.status_code == 409, verb
            assert "Because." in answer.content.decode()

    def test_a_ticket_is_taken_over_and_handed_back(self, admin: Client, world: World) -> None:
        build.repository(world.mc)
        ticket, agent = work.create_ticket(world.mc, title="A door"), build.agent()
        do(admin, ticket, "take", reason="Mine.")
        ticket.refresh_from_db()
        assert (ticket.taken_by, "hand_back" in offered(admin, ticket)) == (world.admin, True)
        refused = do(admin, ticket, "assign", agent=agent.pk)
        assert refused.status_code == 409 and "has taken" in refused.content.decode()
        do(admin, ticket, "hand_back", agent=agent.pk, message="Go on.")
        ticket.refresh_from_db()
        assert (ticket.state, ticket.taken_by) == ("queued", None)

    def test_a_ticket_is_assigned_and_stopped(self, admin: Client, world: World) -> None:
        build.repository(world.mc)
        ticket, agent = work.create_ticket(world.mc, title="A door"), build.agent()
        assert do(admin, ticket, "assign").status_code == 422
        assert told(do(admin, ticket, "assign", agent=agent.pk)) == ["MC-1 is assigned to claude-dev."]
        ticket.refresh_from_db()
        do(admin, ticket, "stop")
        ticket.refresh_from_db()
        assert ticket.state == "open"


def test_another_name_finds_the_ticket(admin: Client, world: World) -> None:
    ticket = work.create_ticket(world.mc, title="A door")
    KeyAlias.objects.create(project=world.mc, key="SEC-12", ticket=ticket)
    page = admin.get(url(Ticket, "changelist") + "?q=SEC-12")
    assert list(page.context["cl"].queryset) == [ticket]
    assert "SEC-12" in admin.get(url(Ticket, "change", ticket.pk)).content.decode()


def test_the_counter_is_in_no_form(admin: Client, world: World) -> None:
    from django.contrib import admin as site

    assert ProjectCounter not in site.site._registry
    assert "counter" not in admin.get(f"/admin/tickets/project/{world.mc.pk}/change/").context["adminform"].form.fields


def test_a_tickets_page_takes_the_same_queries_for_one_message_as_for_fifty(
    admin: Client, world: World, counted: Callable[[Client, str], int]
) -> None:
    few, many = (work.create_ticket(world.mc, title=str(n)) for n in (1, 50))
    for ticket, number in ((few, 1), (many, 50)):
        for n in range(number):
            conversation.post(ticket, author=world.operator, body=f"Word {n}")
            Attachment.objects.create(
                ticket=ticket,
                name=f"{n}.txt",
                media_type="text/plain",
                size_bytes=1,
                digest=f"{n:064d}",
                stored_as=f"{ticket.pk}-{n}",
            )
            build.turn(ticket, seq=n + 1)
    numbers = [counted(admin, url(Ticket, "change", ticket.pk)) for ticket in (few, many)]
    assert numbers[0] == numbers[1] < 40

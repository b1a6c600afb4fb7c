"""From a document to tickets, in the admin alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from portal.core import clock
from reviews import applying
from reviews.models import Finding, ImportRow, Review, Series
from tests.reviews import build
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]
Counted = Callable[[Client, str], int]


@pytest.fixture
def admin(world: World, sign_in: Callable[..., Client]) -> Client:
    return sign_in(world.admin)


def url(model: type[Model], what: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def act(client: Client, model: type[Model], action: str, *rows: int, **beside: Any) -> list[str]:
    sent = {"action": action, "_selected_action": rows, **beside}
    return told(client.post(url(model, "changelist"), sent, follow=True))


def do(client: Client, row: Any, verb: str, **sent: Any) -> Any:
    if hasattr(row, "version"):
        sent.setdefault("expected_version", row.version)
    return client.post(url(type(row), f"do_{verb}", row.pk), sent, follow=True)


def offered(client: Client, row: Any) -> set[str]:
    page = client.get(url(type(row), "change", row.pk))
    return {offer.deed.verb for offer in page.context["deeds"]}


class TestReceiving:
    def upload(self, client: Client, world: World, **sent: Any) -> Any:
        return client.post(
            url(Review, "add"), {"of_project": world.mc.pk, "series_name": "Path", "text": ""} | sent, follow=True
        )

    def test_a_file_is_received_and_its_page_says_that_it_is_being_read(self, admin: Client, world: World) -> None:
        document = SimpleUploadedFile("review.md", b"# Review\r\n")
        page = self.upload(admin, world, document=document)
        review = Review.objects.get()
        assert (bytes(review.content), review.file_name) == (b"# Review\r\n", "review.md")
        assert page.redirect_chain[-1][0] == url(Review, "change", review.pk)
        assert told(page) == ["Received as Path v1. It is being read."]
        assert "Look again" in page.content.decode()

    def test_pasted_text_is_received(self, admin: Client, world: World) -> None:
        self.upload(admin, world, text="# Review\n")
        assert bytes(Review.objects.get().content).splitlines() == [b"# Review"]

    def test_the_same_document_again_is_nothing_new(self, admin: Client, world: World) -> None:
        self.upload(admin, world, text="# Review")
        assert told(self.upload(admin, world, text="# Review")) == [
            "This document is Path v1 already, and is being read."
        ]
        Review.objects.update(state="planned")
        assert told(self.upload(admin, world, text="# Review")) == ["Nothing new: this document is Path v1 already."]
        assert Review.objects.count() == 1

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({}, "Choose a file, or paste the text"),
            ({"text": "   "}, "Choose a file, or paste the text"),
            ({"text": "# x", "series_name": ""}, "Series is required"),
            ({"text": "# x", "series_name": "x" * 201}, "At most 200 characters"),
            ({"document": SimpleUploadedFile("empty.md", b"")}, "it has 0 bytes"),
            ({"document": SimpleUploadedFile("a.md", b"# a"), "text": "# b"}, "not both"),
        ],
        ids=["nothing", "blank", "no series", "long series", "empty file", "both"],
    )
    def test_what_is_wrong_is_said_in_place_and_nothing_typed_is_lost(
        self, admin: Client, world: World, sent: dict[str, Any], said: str
    ) -> None:
        page = self.upload(admin, world, **sent)
        text = page.content.decode()
        assert (page.status_code, said in text) == (200, True)
        assert sent.get("series_name", "Path") in text
        assert sent.get("text", "").strip() in text
        assert not Review.objects.exists()

    def test_a_document_over_the_bound_is_refused(self, admin: Client, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"DOCUMENT_TEXT_MAX_BYTES": 1024}
        page = self.upload(admin, world, text="x" * 1025)
        assert "At most 1,024 bytes" in page.content.decode()
        self.upload(admin, world, text="x" * 1024)
        assert Review.objects.count() == 1


class TestAReview:
    def test_its_page_shows_the_plan_the_totals_and_the_document_escaped(self, admin: Client, world: World) -> None:
        hostile = build.DOCUMENT + "\n<script>alert(1)</script>\n"
        review = build.planned(world.mc, hostile)
        page = admin.get(url(Review, "change", review.pk)).content.decode()
        assert "Outbox drain deletes rows it never sent" in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert(1)" not in page
        for row in ImportRow.objects.filter(review=review):
            assert row.reason in page.replace("&#x27;", "'")

    def test_a_long_document_says_how_much_of_it_is_shown(self, admin: Client, world: World) -> None:
        review = build.planned(world.mc, build.DOCUMENT + "line\n" * 6000)
        assert "The first 5000 of 60" in admin.get(url(Review, "change", review.pk)).content.decode()

    def test_it_is_applied_once_and_the_second_click_hears_why_not(self, admin: Client, world: World) -> None:
        review = build.planned(world.mc)
        page = do(admin, review, "apply", document_keys="on")
        assert told(page)[0].startswith("The plan is applied: 3 new")
        assert Finding.objects.count() == 3
        again = do(admin, review, "apply", document_keys="on")
        assert again.status_code == 409
        assert "has changed since you opened it" in again.content.decode()
        assert Finding.objects.count() == 3

    def test_it_is_reverted_with_a_reason_that_is_kept_where_it_was_refused(self, admin: Client, world: World) -> None:
        review = build.applied(world.mc)
        blank = do(admin, review, "revert", reason="")
        assert (blank.status_code, "Say why" in blank.content.decode()) == (422, True)
        stale = do(admin, review, "revert", reason="It was the wrong branch.", expected_version=review.version - 1)
        assert (stale.status_code, "It was the wrong branch." in stale.content.decode()) == (409, True)
        assert told(do(admin, review, "revert", reason="It was the wrong branch.")) == ["Reverted: 3 taken back."]
        assert set(Finding.objects.values_list("state", flat=True)) == {"withdrawn"}

    def test_a_plan_is_discarded_and_the_document_read_again(self, admin: Client, world: World) -> None:
        review = build.planned(world.mc)
        do(admin, review, "discard", reason="")
        review.refresh_from_db()
        assert review.state == "discarded"
        do(admin, review, "read_again")
        review.refresh_from_db()
        assert review.state == "received"

    @pytest.mark.parametrize(
        ("state", "verbs"),
        [
            ("received", set()),
            ("planned", {"apply", "discard", "read_again"}),
            ("applied", {"revert"}),
            ("reverted", {"read_again"}),
            ("discarded", {"read_again"}),
            ("failed", {"read_again"}),
        ],
    )
    def test_only_what_its_state_allows_is_offered(
        self, admin: Client, world: World, state: str, verbs: set[str]
    ) -> None:
        review = build.in_state(world.mc, state)
        assert offered(admin, review) == verbs
        for verb in {"apply", "discard", "revert", "read_again"} - verbs:
            answer = do(admin, review, verb, reason="Because.")
            assert (answer.status_code, "cannot" in answer.content.decode()) == (409, True), verb

    def test_a_row_is_left_out_and_taken_in_again(self, admin: Client, world: World) -> None:
        review = build.planned(world.mc)
        first, second, third = ImportRow.objects.filter(review=review).order_by("n")
        assert offered(admin, first) == {"leave_out"}
        do(admin, first, "leave_out")
        assert offered(admin, first) == {"take_in"}
        act(admin, ImportRow, "leave_out", second.pk, third.pk)
        act(admin, ImportRow, "take_in", third.pk)
        applying.apply(review)
        assert list(Finding.objects.values_list("reference", flat=True)) == ["DP-3"]
        assert offered(admin, first) == set()
        assert "can be decided on" in do(admin, first, "leave_out").content.decode()

    def test_several_are_applied_at_once_and_one_that_refuses_stops_no_other(self, admin: Client, world: World) -> None:
        ready, done = build.planned(world.mc), build.in_state(world.mc, "applied")
        said = act(admin, Review, "apply", ready.pk, done.pk)
        assert any("cannot apply" in words for words in said)
        assert said[-1] == "1 applied."

    def test_its_page_takes_the_same_queries_for_ten_rows_as_for_a_thousand(
        self, admin: Client, world: World, counted: Counted
    ) -> None:
        few, many = (
            build.applied(
                world.mc,
                "".join(f"## F-{n}: Problem number {n} of {rows}\n\nText {n}.\n\n" for n in range(rows)),
                series=str(rows),
            )
            for rows in (10, 400)
        )
        assert many.rows.count() > few.rows.count() > 5
        numbers = [counted(admin, url(Review, "change", review.pk)) for review in (few, many)]
        assert numbers[0] == numbers[1] < 40


class TestFindings:
    def test_a_withdrawn_one_is_in_the_list_only_where_it_is_asked_for(self, admin: Client, world: World) -> None:
        here, gone = build.finding(world.mc), build.finding(world.mc, "withdrawn")
        page = admin.get(url(Finding, "changelist"))
        assert list(page.context["cl"].queryset) == [here]
        page = admin.get(url(Finding, "changelist") + "?state=withdrawn")
        assert list(page.context["cl"].queryset) == [gone]

    def test_filters_find_what_they_name(self, admin: Client, world: World) -> None:
        build.applied(world.mc)
        first, *others = Finding.objects.order_by("pk")
        act(admin, Finding, "make_tickets", first.pk)
        for query, found in (
            ("has_ticket=yes", [first]),
            ("has_ticket=no", others),
            (f"of_series={first.series_id}", [first, *others]),
            ("severity__exact=critical", [first]),
            ("q=drain", [first]),
        ):
            page = admin.get(f"{url(Finding, 'changelist')}?{query}")
            assert set(page.context["cl"].queryset) == set(found), query

    @pytest.mark.parametrize("query", ["of_series=9999999999999999999999", "of_series=x", "state=%00", "has_ticket=2"])
    def test_a_filter_that_cannot_be_is_no_failure(self, admin: Client, world: World, query: str) -> None:
        build.finding(world.mc)
        assert admin.get(f"{url(Finding, 'changelist')}?{query}").status_code in {200, 302, 400}

    def test_one_ticket_is_made_of_several(self, admin: Client, world: World) -> None:
        build.applied(world.mc)
        rows = list(Finding.objects.values_list("pk", flat=True))
        assert act(admin, Finding, "make_one_ticket", *rows) == [
            "Type the title of the ticket beside the action first."
        ]
        assert act(admin, Finding, "make_one_ticket", *rows, together="Mend the path") == ["MC-1 is made of them."]
        ticket = Ticket.objects.get()
        assert (ticket.title, ticket.findings.count()) == ("Mend the path", 3)
        again = act(admin, Finding, "make_one_ticket", *rows, together="Once more")
        assert again == ["Nothing new: each of these findings has its ticket."]

    def test_each_answer_is_given_with_its_reason(self, admin: Client, world: World) -> None:
        until = (clock.now() + timedelta(days=7)).date().isoformat()
        more: dict[str, str] = {"evidence": "https://example.org/why", "until": until}
        for verb, state in (("fix", "fixed"), ("reject", "rejected"), ("defer", "deferred")):
            finding = build.finding(world.mc)
            assert offered(admin, finding) == {"ticket", "fix", "reject", "waive", "defer"}
            assert do(admin, finding, verb, reason="  ", **more).status_code == 422
            assert verb == "fix" or do(admin, finding, verb, reason="Seen by eye.").status_code == 422
            do(admin, finding, verb, reason="Seen by eye.", **more)
            finding.refresh_from_db()
            assert (finding.state, finding.answer) == (state, "Seen by eye.")
            assert offered(admin, finding) == {"ticket", "open_again"}
            assert do(admin, finding, verb, reason="Twice.", **more).status_code == 409
            do(admin, finding, "open_again", reason="It came back.")
            finding.refresh_from_db()
            assert finding.state == "open"

    def test_a_ticket_is_made_once(self, admin: Client, world: World) -> None:
        finding = build.finding(world.mc)
        assert told(do(admin, finding, "ticket")) == ["MC-1 is made of it."]
        assert "ticket" not in offered(admin, finding)
        assert told(do(admin, finding, "ticket")) == ["Nothing new: it has its ticket."]

    def test_names_in_hostile_documents_are_shown_as_text(self, admin: Client, world: World) -> None:
        finding = build.finding(world.mc)
        Finding.objects.filter(pk=finding.pk).update(title="<img src=x onerror=alert(1)>", files=["<b>x</b>"])
        for address in (url(Finding, "changelist"), url(Finding, "change", finding.pk)):
            page = admin.get(address).content.decode()
            assert "<img src=x" not in page
            assert "<b>x</b>" not in page


def test_nobody_but_an_admin_does_anything_here(world: World, sign_in: Callable[..., Client]) -> None:
    review = build.planned(world.mc)
    answer = sign_in(world.owner).post(url(Review, "do_apply", review.pk), {"expected_version": review.version})
    assert answer.status_code in {302, 403}
    review.refresh_from_db()
    assert review.state == "planned"


def test_a_row_that_is_not_there_is_said_and_no_failure(admin: Client) -> None:
    answer = admin.post(url(Review, "do_apply", 999_999), {"expected_version": 1}, follow=True)
    assert answer.status_code == 200
    assert "exist" in told(answer)[0]


def test_a_series_is_renamed_while_a_machine_counts_its_plans(admin: Client, world: World) -> None:
    series = build.planned(world.mc).series
    form = {"name": "Path", "initial-name": series.name}
    Series.objects.filter(pk=series.pk).update(version=7)
    assert admin.post(url(Series, "change", series.pk), form | {"version": 1}).status_code == 302
    series.refresh_from_db()
    assert (series.name, series.version) == ("Path", 7)

"""What a document said is read in the admin: all of it, in words, and nothing that it did not say."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from reviews import answers, applying
from reviews.importing import parse
from reviews.models import Finding, ImportRow, Occurrence, Review
from tests.reviews import build

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]


@pytest.fixture
def admin(world: World, sign_in: Callable[..., Client]) -> Client:
    return sign_in(world.admin)


def url(model: type[Model], what: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def seen(client: Client, row: Any) -> str:
    """The words of a row's page, without its document and its marks."""
    page = client.get(url(type(row), "change", row.pk)).content.decode().partition("The document, line by line")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def seed(shared: Path, number: int) -> bytes:
    return next((shared / "seeds").glob(f"{number:03}_*.txt")).read_bytes()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            0,
            (
                "MC-291 (this project has no such ticket)",
                "high 10 12 differs",
                "The document states 10 high findings; 12 were found in it.",
                "Fix first (CRITICAL) : MC-299",
                "Adopt MC-312",
            ),
        ),
        (
            1,
            (
                "Nothing in the document was read as a finding",
                "CLEAN to ship",
                "DONE of MC-4456, line 77. Nothing is done about it.",
                "Commit f94989e. 6 of 6 tests passed.",
                "lines 76 to 77, Evidence: evidence of the work, read apart",
            ),
        ),
        (2, ("DO NOT MERGE", "Mojibake was repaired on 26 line(s)", "Test plans", "1, lines 71 to 80", "Action items")),
        (
            3,
            (
                "without those, its totals are right",
                "Base commit: 9408841",
                "internal/router/router.go: H1",
                "H1 speaks of L3 (line 39)",
                "Version 7: All v7 fixes verified",
                "Checks, by the document's word",
            ),
        ),
        (4, ("No severity is stated for 26 findings", "all - 34")),
    ],
)
def test_nothing_that_a_seed_says_is_missing(
    admin: Client, world: World, shared_dir: Path, number: int, said: tuple[str, ...]
) -> None:
    document = seed(shared_dir, number)
    page = seen(admin, build.planned(world.mc, document, series="Path"))
    reviewer = parse(document).metadata.reviewer
    assert [words for words in (*said, f"Reviewer: {reviewer}" if reviewer else "") if words not in page] == []


def test_rejections_of_the_document_are_not_shown_as_a_difference(
    admin: Client, world: World, shared_dir: Path
) -> None:
    assert "differs" not in seen(admin, build.planned(world.mc, seed(shared_dir, 3)))


def test_what_a_document_does_not_say_takes_no_room(admin: Client, world: World) -> None:
    page = seen(admin, build.planned(world.mc, "# A walk\n\nThe weather was fine.\n"))
    # the menu before it has pages of some of these names
    below = page.partition("Nothing in the document was read as a finding")[2]
    assert below
    for absent in (
        "Verdict",
        "Evidence",
        "Signal",
        "Checks",
        "Action items",
        "The plan",
        "leave some",
        "Document keys",
    ):
        assert absent not in below, absent


def test_kept_and_left_out_rows_say_so_in_the_plan(admin: Client, world: World) -> None:
    review = build.planned(world.mc)
    applying.leave_out(review.rows.get(n=3), True)
    assert "Left out" in seen(admin, review)
    review.refresh_from_db()
    applying.apply(review)
    answers.make_tickets([Finding.objects.get(reference="DP-1")])
    review.refresh_from_db()
    applying.revert(review, reason="By mistake.")
    kept = ImportRow.objects.get(review=review, outcome="kept")
    assert kept.outcome_reason
    assert f"Kept: {kept.outcome_reason}" in seen(admin, review)


def test_a_title_in_the_plan_leads_to_its_row(admin: Client, world: World) -> None:
    review = build.planned(world.mc)
    page = admin.get(url(Review, "change", review.pk)).content.decode()
    assert all(url(ImportRow, "change", row.pk) in page for row in review.rows.all())


def test_fields_and_words_of_an_occurrence_are_no_raw_data(admin: Client, world: World, shared_dir: Path) -> None:
    build.applied(world.mc, seed(shared_dir, 2))
    occurrence = Occurrence.objects.order_by("n").first()
    assert occurrence is not None
    page = admin.get(url(Occurrence, "change", occurrence.pk)).content.decode()
    assert "<dt>Impact</dt>" in page
    assert "\\ud83d" not in page
    assert '<div class="as-written"><bdi>### 1. Hardcoded' in page
    finding = admin.get(url(Finding, "change", occurrence.finding_id)).content.decode()
    assert "### 1. Hardcoded" in finding


def test_what_a_document_says_is_shown_as_text(admin: Client, world: World) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    document = f"**Reviewer:** {hostile}\n\n**Verdict:** {hostile}\n\n## F-1: {hostile}\n\n**Impact:** {hostile}\n"
    review = build.applied(world.mc, document)
    reading = review.reading | {
        "evidence": [{"text": hostile, "line": 1, "commits": [hostile], "tests": [1, 2]}],
        "fix_order": [{"label": hostile, "line": 1, "refs": [hostile], "items": [hostile]}],
        "files_modified": [{"path": hostile, "note": hostile, "line": 1, "refs": []}],
        "test_plans": [{"text": hostile, "line_start": 1, "line_end": 2, "ref": hostile}],
        "signal": {"name": "DONE", "line": 1, "ticket": hostile, "nonce": "", "payload": hostile},
        "metadata": {"ticket": hostile, "reviewer": hostile},
    }
    Review.objects.filter(pk=review.pk).update(reading=reading)
    for row in (review, *Occurrence.objects.all(), *Finding.objects.all()):
        assert "<img src=x" not in admin.get(url(type(row), "change", row.pk)).content.decode()


def test_long_lists_are_cut_and_say_so(admin: Client, world: World) -> None:
    review = build.planned(world.mc)
    files = [{"path": f"file-{n}.py", "note": "", "line": 1, "refs": []} for n in range(60)]
    Review.objects.filter(pk=review.pk).update(
        reading=review.reading | {"files_modified": files, "files_modified_more": 5}
    )
    page = seen(admin, review)
    assert "file-49.py" in page
    assert "file-50.py" not in page
    assert "… and 15 more" in page


class TestReceivingAgain:
    def test_a_reverted_document_is_not_called_nothing_new_while_it_is_read(self, admin: Client, world: World) -> None:
        review = build.applied(world.mc, "# Review\n\n## F-1: Leak\n\nIt leaks.\n", series="Path")
        applying.revert(review, reason="By mistake.")
        document = SimpleUploadedFile("review.md", b"# Review\n\n## F-1: Leak\n\nIt leaks.\n")
        sent = {"of_project": world.mc.pk, "series_name": "Path", "document": document}
        answer = admin.post(url(Review, "add"), sent, follow=True)
        said = [str(message) for message in answer.context["messages"]]
        assert said == ["This document is Path v1 already, and is being read."]

    def test_no_button_promises_what_it_does_not_do(self, admin: Client) -> None:
        page = admin.get(url(Review, "add")).content.decode()
        assert 'name="_save"' in page
        assert "_addanother" not in page
        assert "_continue" not in page


def test_a_refused_answer_can_be_sent_again_with_what_was_typed(admin: Client, world: World) -> None:
    finding = build.finding(world.mc)
    build.waive(finding)
    answers.open_again(finding, reason="Now.")
    sent = {"expected_version": 1, "reason": "Not a fault.", "evidence": "https://example.org/why"}
    refused = admin.post(url(Finding, "do_reject", finding.pk), sent)
    assert refused.status_code == 409
    form = refused.context["offered"].form
    again = {name: form[name].value() for name in form.fields}
    assert again["reason"] == "Not a fault."
    assert admin.post(url(Finding, "do_reject", finding.pk), again).status_code == 302
    finding.refresh_from_db()
    assert (finding.state, finding.answer) == ("rejected", "Not a fault.")


def test_findings_that_have_a_ticket_are_not_counted_as_made(admin: Client, world: World) -> None:
    build.applied(world.mc)
    rows = list(Finding.objects.order_by("pk").values_list("pk", flat=True))

    def make(*chosen: int) -> list[str]:
        sent = {"action": "make_tickets", "_selected_action": chosen}
        answer = admin.post(url(Finding, "changelist"), sent, follow=True)
        return [str(message) for message in answer.context["messages"]]

    assert make(rows[0]) == ["1 with a ticket now."]
    assert make(*rows) == ["2 with a ticket now.", "1 had a ticket before: nothing new of them."]
    assert make(rows[0]) == ["1 had a ticket before: nothing new of them."]

"""The page on which a document is uploaded: what is kept, what is refused and says why, what a preview shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from reviews.models import Review, Series
from tests import factories
from tests.reviews import build
from tests.signing_in import Counted, SignIn

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import World

HTMX = {"HX-Request": "true"}


def upload(browser: Client, **fields: Any) -> Any:
    return browser.post("/reviews/new/", {"project": "MC", "series": "Delivery path", **fields})


def file(content: bytes, name: str = "review.md") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_a_file_is_kept_as_it_came_and_read_by_a_job(world: World, sign_in: SignIn) -> None:
    answer = upload(sign_in(world.operator), file=file(b"\xef\xbb\xbf# A\r\n- b"))
    review = Review.objects.get()
    assert answer["Location"] == review.get_absolute_url()
    assert bytes(review.content) == b"\xef\xbb\xbf# A\r\n- b"
    assert (review.state, review.file_name) == ("received", "review.md")
    assert "Being read." in sign_in(world.viewer).get(review.get_absolute_url()).content.decode()


def test_the_same_text_again_leads_to_the_known_review(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.operator)
    first, second = (upload(browser, text="# A\r\n\r\n- b") for _ in range(2))
    assert first["Location"] == second["Location"]
    assert bytes(Review.objects.get().content) == b"# A\n\n- b"
    said = "This document is Delivery path v1 already, and is being read."
    assert said in browser.get(second["Location"]).content.decode()
    Review.objects.update(state="planned")
    third = upload(browser, text="# A\n\n- b")
    said = "Nothing new: this document is Delivery path v1 already."
    assert said in browser.get(third["Location"]).content.decode()


def test_a_document_at_its_limit_is_kept_and_one_more_byte_is_not(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"DOCUMENT_MAX_BYTES": 2000, "DOCUMENT_TEXT_MAX_BYTES": 2000}
    browser = sign_in(world.operator)
    for sent in ({"file": file(b"x" * 2001)}, {"text": "é" * 1000 + "x"}):
        answer = upload(browser, **sent)
        assert answer.status_code == 422
        assert "At most 2,000 bytes (you sent 2,001)." in answer.content.decode()
    assert upload(browser, file=file(b"x" * 2000)).status_code == 302
    assert upload(browser, text="é" * 1000).status_code == 302


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose a file, or paste the text of the document."),
        ({"text": " \u200b\n"}, "Choose a file, or paste the text of the document."),
        ({"file": b""}, "The document is empty: it has 0 bytes."),
        ({"text": "x" * 2_000_001}, "At most 2,000,000 bytes (you sent 2,000,001)."),
        ({"file": b"# x", "text": "# y typed"}, "Send a file or text, not both"),
        ({"text": "kept words", "series": "\u3164"}, "Series is required."),
        ({"text": "kept words", "project": "NOPE"}, "Choose a project of the list."),
    ],
)
def test_a_bad_upload_says_why_and_keeps_the_text(
    world: World, sign_in: SignIn, sent: dict[str, Any], sentence: str
) -> None:
    fields = {name: file(value) if name == "file" else value for name, value in sent.items()}
    answer = upload(sign_in(world.operator), **fields)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert sent.get("text", "").strip(" \u200b\n") in page
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\x\\review.md", "a\nb.md", "x" * 300 + ".md", "gpj.\u202eexe"]
)
def test_a_file_name_is_only_shown(world: World, sign_in: SignIn, name: str) -> None:
    answer = upload(sign_in(world.operator), file=file(b"# x", name))
    kept = Review.objects.get().file_name
    assert answer.status_code == 302
    assert len(kept) <= 200 and not set(kept) & set("/\\\n\r\0")
    assert "\u202e" not in sign_in(world.viewer).get(answer["Location"]).content.decode()


def test_a_viewer_uploads_nothing(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.viewer)
    assert "You may not upload reviews" in browser.get("/reviews/new/").content.decode()
    assert upload(browser, text="# x").status_code == 422
    assert not Review.objects.exists()


# Before anything is stored ------------------------------------------------------------


def preview(browser: Client, **fields: Any) -> Any:
    return browser.post("/reviews/preview/", {"project": "MC", "series": "Delivery path", **fields}, headers=HTMX)


def test_a_preview_shows_what_would_be_read_and_stores_nothing(world: World, sign_in: SignIn) -> None:
    answer = preview(sign_in(world.operator), file=file(build.DOCUMENT.encode()))
    page = answer.content.decode()
    assert answer.status_code == 200 and "<html" not in page
    assert "3 findings" in page and "Outbox drain deletes rows it never sent" in page
    assert "The document states 2" in page and "nothing stored" in page
    assert not Review.objects.exists() and not Series.objects.exists()


def test_a_preview_without_a_script_keeps_all_that_was_typed(world: World, sign_in: SignIn) -> None:
    sent = {"project": "MC", "series": "Typed series", "text": build.DOCUMENT}
    answer = sign_in(world.operator).post("/reviews/preview/", sent)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Typed series"' in page and "DP-3 | MINOR" in page and 'value="MC" selected' in page
    assert "3 findings" in page and "Choose a project." not in page
    assert not Review.objects.exists()


def test_what_was_repaired_and_left_out_is_in_the_preview(world: World, sign_in: SignIn) -> None:
    mangled = "# Review\n\nIt’s 2 o’clock – so late\n".encode().decode("cp1252").encode()
    page = preview(sign_in(world.operator), file=file(mangled)).content.decode()
    assert "Mojibake was repaired" in page and "0 findings" in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose a file, or paste the text of the document."),
        ({"file": b""}, "The document is empty: it has 0 bytes."),
        ({"file": b"\x00\x01\x02\xff" * 50}, "It cannot be read."),
        ({"text": "x" * 2_000_001}, "At most 2,000,000 bytes (you sent 2,000,001)."),
        ({"file": b"# x", "text": "# y"}, "Send a file or text, not both"),
    ],
)
def test_a_preview_of_a_bad_document_says_why(
    world: World, sign_in: SignIn, sent: dict[str, Any], sentence: str
) -> None:
    fields = {name: file(value) if name == "file" else value for name, value in sent.items()}
    answer = preview(sign_in(world.operator), **fields)
    assert answer.status_code == 200 and sentence in answer.content.decode()


def test_a_preview_reads_no_more_than_its_limit(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"PREVIEW_MAX_BYTES": 1024}
    browser = sign_in(world.operator)
    assert "0 findings" in preview(browser, file=file(b"x" * 1024)).content.decode()
    page = preview(browser, file=file(b"x" * 1025)).content.decode()
    assert "Too long for a preview." in page and "read in the background" in page


def test_a_long_preview_is_cut_and_says_so(world: World, sign_in: SignIn) -> None:
    rows = "".join(f"| R-{n} | LOW | Problem number {n} in file {n}.py |\n" for n in range(14))
    page = preview(sign_in(world.operator), text=f"# R\n\n| Ref | Severity | Title |\n|---|---|---|\n{rows}")
    assert "Cut here: 4 more findings." in page.content.decode()


def test_a_hostile_document_is_text_in_its_preview(world: World, sign_in: SignIn) -> None:
    hostile = "# <script>alert(1)</script>\n\n- **CRITICAL** <img src=x onerror=y> in `a.py` \u202egpj\n"
    page = preview(sign_in(world.operator), text=hostile).content.decode()
    assert "<script>alert" not in page and "<img src=x" not in page and "\u202e" not in page


def test_only_who_may_upload_is_shown_a_preview(world: World, sign_in: SignIn) -> None:
    for somebody in (world.viewer, world.outsider):
        page = preview(sign_in(somebody), text=build.DOCUMENT).content.decode()
        assert "You may not upload reviews" in page and "Outbox drain" not in page


def test_the_series_of_a_project_are_offered_and_no_others(world: World, sign_in: SignIn) -> None:
    other, hidden = factories.project("AB", "Second"), factories.project("ZZ", "Hidden")
    factories.member(other, world.operator, factories.Role.OPERATOR)
    for project, name in ((world.mc, "Delivery path"), (other, "Other <path>"), (hidden, "Hidden path")):
        Series.objects.create(project=project, name=name)
    browser = sign_in(world.operator)
    every = browser.get("/reviews/series/").content.decode()
    assert "Delivery path" in every and "Other &lt;path&gt;" in every and "Hidden" not in every
    one = browser.get("/reviews/series/?project=AB").content.decode()
    assert "Other" in one and "Delivery path" not in one
    assert "<option" not in browser.get("/reviews/series/?project=ZZ").content.decode()
    assert "Delivery path" in browser.get("/reviews/new/?project=MC").content.decode()


def test_what_the_upload_page_costs_does_not_depend_on_the_series(
    world: World, sign_in: SignIn, counted: Counted
) -> None:
    browser = sign_in(world.operator)
    few = counted(browser, "/reviews/new/")
    for n in range(30):
        Series.objects.create(project=world.mc, name=f"Series {n}")
    assert counted(browser, "/reviews/new/") == few

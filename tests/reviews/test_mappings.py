"""A table or JSON whose columns have names of their own: said once for a series, kept, and used by every door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from reviews import documents, mappings
from reviews.importing import BadInput
from reviews.models import Review, Series
from workers.failures import BadInput as Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from tests.factories import World

TABLE = b"Wo,Was,Wie schlimm\napp/door.py:3,The door squeaks,hoch\napp/lid.py:9,The lid is loose,egal\n"
COLUMNS = "title = Was\nfile = Wo\nseverity = Wie schlimm\nseverity: hoch = high\nseverity: egal = info"
PAGE = b"<html><body><h1>Review</h1><nav>Home</nav><h2>H1: The door squeaks</h2><p>Severity: High</p></body></html>"


def received(world: World, content: bytes = TABLE, columns: str | None = COLUMNS, name: str = "t.csv") -> Review:
    mapping = None if columns is None else mappings.read(columns)
    return documents.receive(world.mc, series_name="Tool", content=content, file_name=name, mapping=mapping)[0]


def rows(review: Review) -> list[tuple[str, str, list[str]]]:
    documents.read_now(review)
    items = [row.item for row in review.rows.order_by("n")]
    return [(item["title"], item["severity"], item["files"]) for item in items]


def test_columns_are_read_as_the_series_says_and_the_next_version_too(world: World) -> None:
    expected = [("The door squeaks", "high", ["app/door.py:3"]), ("The lid is loose", "info", ["app/lid.py:9"])]
    assert rows(received(world)) == expected
    # Nothing is typed for the next one: the series keeps it.
    assert [severity for _, severity, _ in rows(received(world, TABLE + b"a.py,Another,hoch\n", None))][-1] == "high"
    kept = Series.objects.get()
    assert mappings.read(mappings.written(kept.mapping)) == kept.mapping


def test_a_hyphen_takes_the_mapping_back(world: World) -> None:
    received(world)
    received(world, TABLE + b"x,y,z\n", "-")
    assert Series.objects.get().mapping == {}


def test_a_column_that_is_not_there_is_named_and_the_document_can_be_sent_again_with_another(world: World) -> None:
    review = received(world, columns="title = Nowhere")
    with pytest.raises(Unreadable, match="Nowhere"):
        documents.read_now(review)
    review.refresh_from_db()
    assert review.state == "failed"
    again, made = documents.receive(
        world.mc, series_name="Tool", content=TABLE, file_name="t.csv", mapping=mappings.read(COLUMNS)
    )
    assert (again.pk, made, again.state) == (review.pk, False, "received")
    assert len(rows(again)) == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("title", "Line 1 is not of the form"),
        ("title = A\ntitle = B", "Line 2: title is there twice"),
        ("colour = A", "colour is no part of a finding"),
        ("file = A", "says which column is the title"),
        ("title = A\nseverity: bad = awful", "awful is none of"),
    ],
)
def test_what_is_no_mapping_says_why(typed: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        mappings.read(typed)


def test_the_page_previews_and_uploads_with_columns_and_keeps_them_where_they_are_refused(
    world: World, sign_in: Callable[..., Client]
) -> None:
    browser = sign_in(world.operator)

    def send(url: str, **fields: Any) -> Any:
        file = SimpleUploadedFile("t.csv", TABLE)
        return browser.post(url, {"project": "MC", "series": "Tool", "file": file, **fields})

    assert "The door squeaks" in send("/reviews/preview/", columns=COLUMNS).content.decode()
    refused = send("/reviews/new/", columns="title = Was\nnonsense")
    assert refused.status_code == 422
    assert "Line 2 is not of the form" in refused.content.decode() and "nonsense" in refused.content.decode()
    assert send("/reviews/new/", columns=COLUMNS).status_code == 302
    assert Series.objects.get().mapping["fields"]["title"] == "Was"
    # What the series keeps, the preview knows.
    assert "The lid is loose" in send("/reviews/preview/").content.decode()


def test_the_lines_beside_a_finding_are_those_of_what_was_read(world: World, sign_in: Callable[..., Client]) -> None:
    review = received(world, PAGE, None, "page.html")
    documents.read_now(review)
    review.refresh_from_db()
    assert (review.form, review.rows.count()) == ("html", 1)
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "H1: The door squeaks" in page and "&lt;h2&gt;" not in page

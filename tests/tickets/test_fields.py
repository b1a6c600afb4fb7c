"""Text that people send: what is refused, and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict

from portal.core.unseen import is_unseen
from tickets.fields import Form, Lines, Versioned, Words, number_of

TITLE = Words(limit="TITLE_MAX_CHARS", label="Title")
BODY = Lines(limit="BODY_MAX_CHARS", label="Body", required=False)


def refusal(field: Words, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        field.clean(value)
    return " ".join(caught.value.messages)


@pytest.mark.parametrize("blank", ["", "   ", "\u200b\u200b", "\u3164", " \u3164\u200b\t", "\u2800", "\ufeff", "\n\n"])
def test_a_title_that_nobody_can_see_is_missing(blank: str) -> None:
    assert refusal(TITLE, blank) == "Title is required."


def test_a_title_at_its_limit_is_kept_and_one_more_character_is_not() -> None:
    assert TITLE.clean("x" * 200) == "x" * 200
    assert refusal(TITLE, "x" * 201) == "At most 200 characters (you sent 201)."


def test_a_body_at_its_limit_is_kept_and_one_more_character_is_not() -> None:
    assert len(BODY.clean("é" * 100_000)) == 100_000
    assert refusal(BODY, "é" * 100_001) == "At most 100,000 characters (you sent 100,001)."


@pytest.mark.parametrize("field", [TITLE, BODY])
def test_characters_that_no_database_keeps_are_refused(field: Words) -> None:
    assert "NUL" in refusal(field, "a\x00b")
    assert "half a character" in refusal(field, "a\ud800b")


def test_a_line_stays_a_line_and_marks_of_direction_stay() -> None:
    assert TITLE.clean(" a\r\nb\tc\x1b ") == "a  b c"
    assert TITLE.clean("gpj.\u202eexe") == "gpj.\u202eexe"


def test_line_ends_of_forms_become_plain() -> None:
    assert BODY.clean("a\r\nb\rc") == "a\nb\nc"


def test_unseen_is_about_every_character() -> None:
    assert is_unseen("\u115f\uffa0 ")
    assert not is_unseen("\u200bx")


class Sample(Versioned):
    title = Words(limit=5, label="Title")


def test_a_field_that_is_given_twice_is_refused() -> None:
    form = Sample(QueryDict("title=a&title=b&expected_version=1"))
    assert form.errors == {"title": ["Title is given twice."]}


@pytest.mark.parametrize("version", ["", "x", "-1", str(2**40)])
def test_a_damaged_version_is_said_where_people_see_it(version: str) -> None:
    form = Sample({"title": "a", "expected_version": version})
    assert form.non_field_errors() == ["The form was damaged on its way. Look at the page again, then send it."]


def test_fields_that_nobody_asked_for_are_left_out() -> None:
    form = Sample({"title": "a", "expected_version": "1", "state": "done", "is_staff": "1"})
    assert form.is_valid()
    assert form.cleaned_data == {"title": "a", "expected_version": 1}


def test_an_error_belongs_to_its_field_for_who_cannot_see_it() -> None:
    html = Form.__str__(Sample({"expected_version": "1"}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="form-title_error"' in html


@pytest.mark.parametrize("text", ["", "0", "-1", "1e3", "0x1", "١٢", "²", str(2**63), "9" * 30, None])
def test_what_no_row_can_have_is_no_id(text: str | None) -> None:
    assert number_of(text) is None


def test_ids_are_read() -> None:
    assert (number_of("12"), number_of(str(2**63 - 1))) == (12, 2**63 - 1)

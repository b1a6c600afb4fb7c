"""What agents ask, however they put it: a bounded question, of which nothing is lost in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import limits
from portal.core.storable import is_storable
from portal.core.unseen import is_unseen
from tickets import intake
from tickets.intake import Asked, Option

pytestmark = pytest.mark.once
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
WHOLE = {
    "question": "What should happen to the rows?",
    "options": [{"label": "Replay all", "detail": "Up to 18 days late"}, "Write all off"],
    "default": 1,
    "deadline_minutes": 120,
}


def read(**payload: Any) -> Asked:
    return intake.asked(payload, NOW)


def test_a_question_is_read_as_it_is_meant() -> None:
    options = (Option("Replay all", "Up to 18 days late"), Option("Write all off"))
    assert read(**WHOLE) == Asked("What should happen to the rows?", options, 1, 120)
    assert intake.asked("Which **drain**?", NOW) == Asked("Which **drain**?")
    assert read(text="Which?", options=[], default=None, deadline=None) == Asked("Which?")


def test_a_default_is_a_place_or_a_label() -> None:
    assert read(**WHOLE | {"default": "Replay all"}).default == 0
    assert read(**WHOLE | {"default": " Replay  all "}).default == 0


@pytest.mark.parametrize("default", [2, -1, True, 0.0, "replay", "1", [0], {}])
def test_a_default_that_names_no_option_takes_no_effect_and_is_shown(default: Any) -> None:
    found = read(**WHOLE | {"default": default})
    assert found.default is None and "default:" in found.text and "names no option" in found.text


def test_what_stands_beside_an_unfit_option_keeps_its_place() -> None:
    found = read(question="Which?", options=["", "First", 7, "Second"], default=3)
    assert [option.label for option in found.options] == ["First", "Second"]
    assert found.default == 1
    assert "option 1" in found.text and "option 3: 7 (no label)" in found.text


def test_a_label_that_is_offered_twice_is_offered_once_and_is_no_default() -> None:
    twice = ["Same", {"label": "Same", "detail": "but other"}, "Else"]
    for default in ("Same", 1):
        found = read(question="Which?", options=twice, default=default)
        assert [option.label for option in found.options] == ["Same", "Else"]
        assert found.default is None and "offered twice" in found.text and "but other" in found.text
    assert read(question="Which?", options=twice, default=0).default == 0


def test_options_beyond_the_bound_are_shown_in_the_text() -> None:
    most = limits.value("QUESTION_OPTIONS")
    names = [f"Option {n}" for n in range(most + 2)]
    assert len(read(question="Which?", options=names[:most]).options) == most
    found = read(question="Which?", options=names, default=most)
    assert len(found.options) == most and found.default is None
    assert names[-1] in found.text and "2 beside the first" in found.text


def test_a_long_label_is_cut_and_shown_whole_in_the_text() -> None:
    most = limits.value("OPTION_MAX_CHARS")
    fits, long = "x" * most, "y" * (most - 5) + "-more-"
    found = read(question="Which?", options=[fits, {"label": "Short", "detail": long}, long], default=long)
    assert [len(option.label) for option in found.options] == [most, 5, most]
    assert found.options[0].label == fits and found.default == 2
    assert found.text.count(long[:290]) == 2 and "longer than" in found.text
    alike = read(question="Which?", options=[long + "a", long + "b"])
    assert len(alike.options) == 1 and "tell them apart" in alike.text


@pytest.mark.parametrize("options", ["one, two", {"a": "b"}, 5, True])
def test_options_that_are_no_list_are_shown(options: Any) -> None:
    found = read(question="Which?", options=options)
    assert found.options == () and "options:" in found.text and "no list" in found.text


def test_a_deadline_is_minutes_or_a_moment() -> None:
    assert read(question="?", deadline_minutes=15).deadline_minutes == 15
    assert read(question="?", deadline_minutes=20.0).deadline_minutes == 20
    assert read(question="?", deadline="2026-11-20T16:00:00Z").deadline_minutes == 120
    assert read(question="?", deadline="2026-11-20T16:00:00").deadline_minutes == 120
    there = NOW.astimezone(timezone(timedelta(hours=5))) + timedelta(minutes=30, seconds=1)
    assert read(question="?", deadline=there.isoformat()).deadline_minutes == 31
    both = read(question="?", deadline_minutes=60, deadline="2026-11-20T16:00:00Z")
    assert both.deadline_minutes == 60 and "16:00:00Z" in both.text


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("deadline_minutes", 14, "sooner than 15 minutes"),
        ("deadline_minutes", 0, "sooner"),
        ("deadline_minutes", -(10**400), "sooner"),
        ("deadline_minutes", 43_201, "later than 43200 minutes"),
        ("deadline_minutes", 1e300, "later"),
        ("deadline_minutes", float("nan"), "no time"),
        ("deadline_minutes", "60", "no time"),
        ("deadline_minutes", True, "no time"),
        ("deadline", "2026-11-20T13:00:00Z", "sooner"),
        ("deadline", "2026-11-20T14:10:00Z", "sooner"),
        ("deadline", "9999-12-31T23:59:59-23:59", "later"),
        ("deadline", "0001-01-01T00:00:00+23:59", "sooner"),
        ("deadline", "tomorrow", "no time"),
        ("deadline", 60, "no time"),
        ("deadline", "2026-11-20T16:00:00Z" + " " * 100, "no time"),
    ],
)
def test_a_deadline_that_nobody_could_keep_is_none_and_is_shown(name: str, value: Any, why: str) -> None:
    found = read(question="?", **{name: value})
    assert found.deadline_minutes is None
    assert f"{name}: " in found.text and why in found.text


@pytest.mark.parametrize("payload", ["", "\u200b \n", {}, {"question": " "}, {"question": None, "text": "\u3164"}])
def test_a_question_without_words_is_one(payload: Any) -> None:
    assert intake.asked(payload, NOW) == Asked(intake.WORDLESS)


@pytest.mark.parametrize("payload", [None, 5, ["Which?"], True, float("inf")])
def test_what_is_no_text_and_no_object_is_shown(payload: Any) -> None:
    assert intake.asked(payload, NOW).text.startswith(f"{intake.WORDLESS}\n\nWhat else it says:\n- ")


def test_what_is_said_beside_is_shown() -> None:
    found = read(question="Which?", text="The other words", context={"rows": 1204}, options=[{"label": "A", "cost": 3}])
    assert found.text.startswith("Which?\n\nWhat else it says:")
    assert "The other words" in found.text and 'context: {"rows": 1204}' in found.text and '{"cost": 3}' in found.text
    many = read(question="Which?", **{f"name {n}": n for n in range(100)})
    assert "and more, which is cut here" in many.text and "name 99" not in many.text


def test_a_long_text_is_cut_and_says_so_and_leaves_room_for_the_rest() -> None:
    most = limits.value("QUESTION_MAX_CHARS")
    assert intake.asked("x" * most, NOW).text == "x" * most
    cut = intake.asked("x" * (most + 1), NOW).text
    assert len(cut) == most and cut.endswith("characters]")
    found = read(question="x" * 50_000, default="lost?").text
    assert len(found) <= most and "lost?" in found and "[cut at" in found


def test_secrets_are_cut_out_wherever_they_stand() -> None:
    secret = "ghp_" + "a1B2" * 8
    found = read(
        question=f"Is {secret} yours?",
        options=[f"Use {secret}", {"label": "No", "detail": secret}],
        default=secret,
        note={"deep": [secret]},
    )
    assert secret not in repr(found) and "[redacted]" in found.text


def test_a_nested_or_odd_value_never_stops_the_reading() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "cannot be shown" in read(question="?", more=deep).text
    assert "cannot be shown" in read(question="?", more=10**5000).text
    while deep:
        # Taken apart by hand: the interpreter would do it by recursion.
        deep = deep.pop()


ODD = st.text(alphabet="\0\ud800\u200bx \n", max_size=3)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet="\0\ud800\u200bx \n", max_size=3),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)
OPTION = st.text(max_size=400) | st.fixed_dictionaries({}, optional={"label": JSON, "detail": JSON, "x": JSON}) | JSON
PAYLOADS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "question": JSON | st.text(max_size=300),
        "text": JSON,
        "options": st.lists(OPTION, max_size=25) | JSON,
        "default": JSON | st.integers(-2, 12),
        "deadline_minutes": JSON | st.integers(0, 50_000),
        "deadline": JSON | st.datetimes().map(datetime.isoformat),
        "else": JSON,
    },
)


@given(PAYLOADS)
def test_any_json_value_is_a_question_that_can_be_stored_and_shown(payload: Any) -> None:
    found = intake.asked(payload, NOW)
    texts = [found.text, *(text for option in found.options for text in (option.label, option.detail))]
    assert all(map(is_storable, texts))
    assert not is_unseen(found.text) and len(found.text) <= limits.value("QUESTION_MAX_CHARS")
    labels = [option.label for option in found.options]
    assert len(set(labels)) == len(labels) <= limits.value("QUESTION_OPTIONS")
    assert not any(map(is_unseen, labels))
    assert max(map(len, texts[1:]), default=0) <= limits.value("OPTION_MAX_CHARS")
    assert found.default is None or 0 <= found.default < len(labels)
    first, last = limits.value("QUESTION_DEADLINE_FIRST_MINUTES"), limits.value("QUESTION_DEADLINE_LAST_MINUTES")
    assert found.deadline_minutes is None or first <= found.deadline_minutes <= last

"""JSON as it is meant: what is not JSON is refused with its place, and nothing else happens."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ninja.errors import HttpError

from portal.api.parsing import DEEPEST, loads

pytestmark = pytest.mark.once

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
valid = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"1" * 5000)
@example(b'"\\ud800"')
@example(b"\xff\xfe[\x001\x00]\x00")
def test_whatever_comes_the_answer_is_a_value_or_a_refusal(body: bytes) -> None:
    try:
        loads(body)
    except HttpError as refusal:
        assert refusal.status_code == 400
        assert str(refusal).endswith(".")


@given(valid)
def test_what_is_valid_is_read_as_everybody_reads_it(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


REFUSED = {
    "nothing": (b"", "Not JSON at character 0"),
    "half": (b'{"a": ', "Not JSON at character 6"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "Byte 0 is not UTF-8"),
    "two values": (b"{} {}", "Not JSON at character 3"),
    "NaN": (b'{"a": NaN}', "NaN is not JSON"),
    "Infinity": (b"[Infinity]", "Infinity is not JSON"),
    "-Infinity": (b"[-Infinity]", "-Infinity is not JSON"),
    "1e400": (b"[1e400]", "too large"),
    "-1e400": (b"-1e400", "too large"),
    "the same name twice": (b'{"id": 1, "id": 2}', "'id' comes twice"),
    "twice, deep": (b'[{"a": {"b": 1, "b": 1}}]', "'b' comes twice"),
    "deep arrays": (b"[" * 100_000, "deep"),
    "deep objects": (b'{"a":' * 100_000, "deep"),
    "5,000 digits": (b"1" * 5000, "Not JSON"),
    "NUL": (b'{"a": "x\\u0000"}', "NUL"),
    "NUL in a name": (b'{"a\\u0000": 1}', "NUL"),
    "half a pair": (b'["\\ud800"]', "surrogate"),
    "half a pair in a name": (b'{"\\udc00": 1}', "surrogate"),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_json_is_refused_in_words(body: bytes, said: str) -> None:
    with pytest.raises(HttpError) as refusal:
        loads(body)
    assert refusal.value.status_code == 400
    assert said in str(refusal.value)


def test_the_depth_is_held_at_its_bound() -> None:
    def nested(depth: int) -> bytes:
        return b"[" * depth + b"]" * depth

    assert loads(nested(DEEPEST)) is not None
    with pytest.raises(HttpError, match="deep"):
        loads(nested(DEEPEST + 1))


def test_numbers_at_their_ends_are_numbers() -> None:
    assert loads(b"[1e308, -1e308, 0.0]") == [1e308, -1e308, 0.0]
    assert math.isfinite(loads(b"1.7976931348623157e308"))

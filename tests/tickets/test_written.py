"""How text of people is shown: never as elements of its own."""

from __future__ import annotations

import pytest

from tickets.templatetags.written import coded

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`drain()` loses rows", "<code>drain()</code> loses rows"),
        ("a `b` c `d`", "a <code>b</code> c <code>d</code>"),
        ("one ` alone", "one ` alone"),
        ("``two`` and ` `", "``two`` and <code> </code>"),
        ("`<img src=x onerror=y>`", "<code>&lt;img src=x onerror=y&gt;</code>"),
        ("<b>`x`</b>", "&lt;b&gt;<code>x</code>&lt;/b&gt;"),
        ("`a\nb`", "`a\nb`"),
        ("a\u202eb", "a[U+202E]b"),
    ],
)
def test_marks_of_code_become_code_and_nothing_else_an_element(text: str, shown: str) -> None:
    assert coded(text) == f"<bdi>{shown}</bdi>"

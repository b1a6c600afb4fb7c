"""Pages saved from a browser: what is left of them, and what is read from that."""

from __future__ import annotations

import contextlib
import time

import pytest

from reviews.importing import BadInput, ParsedReview, parse

pytestmark = pytest.mark.once

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Reviews - Teahouse</title><meta charset="utf-8">
<style>h1 { color: red }</style><script>var x = "<h2>H9. Not here</h2>";</script></head>
<body>
<nav><ul><li><a href="/">Home</a></li><li>H8. Not a finding</li></ul></nav>
<div style="display: none">### H7. Hidden</div>
<h1>Review of the kettle <a class="anchor" href="#x">#</a></h1>
<p>Two things, see <a href="https://example.org/plan">the plan</a>.</p>
<h2>Findings</h2>
<h3>H1. Lid is loose</h3>
<p><strong>Severity:</strong> High<br><strong>File:</strong> <code>src/lid.py:3</code></p>
<pre class="language-python"><code>if lid:
    ```wobble```
</code></pre>
<h3>H2. Base is wet</h3>
<ul><li><p><b>Severity:</b> Low</p></li><li><b>Fix:</b> dry <em>it</em><ul><li>with a cloth</li></ul></li></ul>
<button>Copy</button><span aria-hidden="true">junk</span>
<h2>Table</h2>
<table><thead><tr><th>ID</th><th>Issue</th><th>Severity</th></tr></thead>
<tbody><tr><td>M1</td><td>Spout | too <b>long</b></td><td>Medium</td></tr></tbody></table>
<ul><li><input type="checkbox" checked> done &amp; dusted</li><li><input type="checkbox"> 1 &lt; 2</li></ul>
<footer>Imprint</footer></body></html>
"""


def read(text: str) -> ParsedReview:
    return parse(text.encode())


def test_a_saved_page_is_read_like_the_document_that_it_shows() -> None:
    review = read(PAGE)
    assert review.form == "html" and review.title == "Review of the kettle"
    found = {finding.ref: finding for finding in review.findings}
    assert [(ref, f.title, f.severity) for ref, f in found.items()] == [
        ("H1", "Lid is loose", "high"),
        ("H2", "Base is wet", "low"),
        ("M1", "Spout | too long", "medium"),
    ]
    assert found["H1"].files == ("src/lid.py:3",)
    lines = review.text.split("\n")
    assert lines[found["H1"].line_start - 1] == "### H1. Lid is loose"


def test_the_text_keeps_tables_lists_boxes_code_and_links_and_nothing_hidden() -> None:
    text = read(PAGE).text
    assert "[the plan](https://example.org/plan)" in text
    assert "````python\nif lid:\n    ```wobble```\n````" in text
    assert "- [x] done & dusted\n- [ ] 1 < 2" in text
    assert "- **Fix:** dry *it*\n  - with a cloth" in text
    assert "| M1 | Spout \\| too **long** | Medium |" in text
    for gone in ("Hidden", "Not", "Home", "junk", "Copy", "Imprint", "color", "var x"):
        assert gone not in text


def test_a_note_says_that_it_was_reduced_and_how_much_was_dropped() -> None:
    [note] = [note for note in read(PAGE).notes if "reduced from HTML" in note.text]
    # style, script, nav, the hidden part, the button, the hidden span, the footer
    assert "7 elements were dropped" in note.text


def test_what_a_page_calls_its_main_part_is_taken_alone() -> None:
    text = read(
        "<html><body><div>H9. Side</div><main><h3>H1. Lid</h3><p>Loose.</p></main><p>End</p></body></html>"
    ).text
    assert text == "### H1. Lid\n\nLoose.\n"


def test_a_piece_of_a_page_is_read_too() -> None:
    review = read("<h3>H1. Lid is loose</h3>\n<p>It wobbles.</p>\n")
    assert [finding.ref for finding in review.findings] == ["H1"] and review.form == "html"


@pytest.mark.parametrize(
    "text",
    [
        '<div align="center">\n\n# Review\n\n</div>\n\n### H1. Lid is loose\n\nIt wobbles.\n',
        "<!-- made by hand -->\n# Review\n\n### H1. Lid is loose\n\nIt wobbles.\n",
        "<details>\n\n### H1. Lid is loose\n\nIt wobbles.\n\n</details>\n",
        "<p>Intro</p>\n\n- **H1. Lid is loose** - it wobbles\n",
    ],
)
def test_markdown_with_html_in_it_stays_markdown(text: str) -> None:
    assert read(text).form == "markdown"


def test_words_that_look_like_markdown_are_words() -> None:
    text = read("<html><body><p># not a heading</p><p>- not an item</p><p>&lt;script&gt;</p></body></html>").text
    assert text == "\\# not a heading\n\n\\- not an item\n\n<script>\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1251", "koi8-r"])
def test_a_page_is_decoded_as_it_says(encoding: str) -> None:
    page = f'<html><head><meta charset="{encoding}"></head><body><h3>H1. Крышка</h3><p>Шатается.</p></body></html>'
    assert "Крышка" in parse(page.encode(encoding)).text


def test_a_page_without_words_is_refused() -> None:
    with pytest.raises(BadInput, match="no words"):
        read("<html><body><script>x()</script></body></html>")


@pytest.mark.parametrize(
    "text",
    [
        "<html>" + "<div>" * 100_000 + "x",
        "<html>" + "<b>" * 30_000 + "x",
        "<html>" + "<ul><li>" * 3_000 + "x",
        "<html>" + "<table><tr><td>" * 3_000 + "x",
        "<html>" + "<blockquote>" * 3_000 + "x",
        "<html>" + "<p>x" * 15_000,
        "<html>" + "<a href=" * 20_000,
        "<html>" + "&" * 500_000,
        "<html><!--" + "-" * 500_000,
        "<html>" + "<h3>H1. Lid</h3>" * 4_000,
    ],
    ids=lambda text: f"{text[6:12]!r}x{len(text)}",
)
def test_a_hostile_page_costs_little(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(BadInput):
        read(text)
    assert time.process_time() - began < 5

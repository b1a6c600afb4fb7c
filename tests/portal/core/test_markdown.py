"""Markdown: what hostile text cannot become, and what it cannot cost."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import markdown

pytestmark = pytest.mark.once

TEXT = {
    "p",
    "br",
    "hr",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "em",
    "strong",
    "s",
    "a",
}
ALLOWED = TEXT | {"table", "thead", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"href", "title", "rel", "start", "tabindex", "class"}
# Of this thread's own time: what else the machine does is not the text's doing.
MOST_SECONDS = 0.2


class Seen(HTMLParser):
    """Every element and attribute of a piece of HTML, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.links.append(value or "")


def harmless(text: str) -> Seen:
    seen = Seen(markdown.render(text))
    assert seen.tags <= ALLOWED, text
    assert seen.attributes <= ATTRIBUTES, text
    assert not [link for link in seen.links if re.match(r"\s*(javascript|data|vbscript|file|blob)\s*:", link, re.I)], (
        text
    )
    return seen


HOSTILE = [
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    '![x](https://e.example/"onerror="alert(1))',
    '[x](https://e.example "\\" onmouseover=\\"alert(1)")',
    "<img src=x onerror=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>@import 'https://evil.example'</style>",
    "<form action=https://evil.example><input name=csrf>",
    "<base href=https://evil.example>",
    "</div></main><h1>Other page</h1>",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    '``` " onload=alert(1)\nx\n```',
    "|a|b|\n|:-:|-|\n|<script>x</script>|[x](javascript:x)|",
    "<!-- --!><script>alert(1)</script> -->",
    "\ud800[x](javascript:x)\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_script_or_a_load_from_elsewhere(text: str) -> None:
    seen = harmless(text)
    assert "img" not in seen.tags


@settings(deadline=None)  # how long a text may take is asked below
@given(st.text(alphabet="[]()<>!`*_~|-#&;:/\\\"'= \n\tax1é\u202e\ud800\x00", max_size=200))
def test_no_mixture_of_marks_becomes_one_either(text: str) -> None:
    harmless(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        ">" * 10_000,
        "> " * 10_000,
        "![" * 10_000,
        "[a](" * 10_000,
        "[](" * 10_000,
        "[[a]](" * 10_000,
        "**a*" * 10_000,
        "_a _" * 10_000,
        "*_" * 10_000,
        "`a``" * 10_000,
        "~~a " * 10_000,
        "<a " * 10_000,
        "</" * 10_000,
        "&#" * 10_000,
        "x\n" * 10_000,
        "# a\n" * 10_000,
        "- " * 10_000,
        "x\n\n" * 10_000,
        "".join("  " * n + "- a\n" for n in range(300)),
        "|a|b|\n|-|-|\n" + "|x|y|\n" * 10_000,
        "|a" * 1000 + "|\n" + "|-" * 1000 + "|\n" + "|\n" * 1000,
        "|a" * 20_000 + "|\n" + "|-" * 20_000 + "|\n|\n",
        "[a]: <" * 10_000,
        "".join(f"[a{n}]: x\n" for n in range(5000)) + "[a1]" * 2000,
        "https://a.example/b " * 10_000,
        "a@b.example " * 10_000,
        "a" * 100_000,
        "\\" * 10_000,
        "\u202e" * 10_000,
    ],
    ids=lambda text: repr(text[:9]),
)
def test_no_text_takes_long(text: str) -> None:
    taken = []
    for n in range(3):
        began = time.thread_time()
        markdown.render(f"{text} {n}")  # another text each time: what is kept costs nothing
        taken.append(time.thread_time() - began)
    assert min(taken) <= MOST_SECONDS


def test_what_is_not_laid_out_is_shown_as_it_was_written() -> None:
    html = markdown.render("[" * 10_000 + "<b>")
    assert "[" * 10_000 + "&lt;b&gt;" in html
    assert "Shown as it was written" in html


def test_ordinary_text_of_the_greatest_length_is_laid_out() -> None:
    paragraph = "The drain selects, `deletes`, then **sends**: a process that dies loses the batch.\n\n"
    html = markdown.render((paragraph * 2000)[: markdown.MOST_CHARS])
    assert "<strong>sends</strong>" in html
    assert "as it was written" not in html


def test_a_text_is_cut_at_its_limit_and_says_so() -> None:
    assert "cut here" not in markdown.render("x" * 10, most_chars=10)
    assert "characters left out: 1." in markdown.render("x" * 11, most_chars=10)


def test_marks_that_turn_text_are_seen_even_when_written_as_entities() -> None:
    for text in ("a\u202eb", "a&#x202e;b", "`a\u202eb`", "[a\u202eb](https://e.example)", "[\n" * 9000 + "a\u202eb"):
        html = markdown.render(text)
        assert "\u202e" not in html and "a[U+202E]b" in html


def test_an_image_is_a_link_to_it() -> None:
    html = markdown.render('![The <b>pump</b>](https://e.example/p.png?a=1&b="2")')
    assert html.count("<a ") == 1 and 'href="https://e.example/p.png?a=1&amp;b=%222%22"' in html
    assert "The &lt;b&gt;pump&lt;/b&gt;</a>" in html


def test_only_an_address_with_its_scheme_is_made_a_link() -> None:
    assert "<a " not in markdown.render("see relay/outbox.py and e.example and a@e.example")
    link = '<a href="https://e.example/x" rel="noopener nofollow">'
    assert link in markdown.render("see https://e.example/x, then")


def test_headings_never_stand_above_those_of_the_page() -> None:
    html = markdown.render("# One\n\n#### Four\n\n## Two\n\n###### Six")
    assert re.findall(r"<(h\d)>", html) == re.findall(r"</(h\d)>", html) == ["h3", "h4", "h4", "h5"]


def test_what_agents_write_is_laid_out() -> None:
    html = markdown.render(
        "1. one\n2. two\n\n```py\nx = 1 < 2\n```\n\n~~old~~\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\na\nb"
    )
    for piece in ("<ol>", "<pre", "x = 1 &lt; 2", "<s>old</s>", "<th>a</th>", "<td>2</td>", "a<br>"):
        assert piece in html, piece

"""Markdown of people and agents as a page may show it: few elements, no remote load, in bounded time.

Raw HTML is shown as text, an image is a link to it, a heading never stands
above the page's own. The work is counted while a text is parsed: one that
asks for too much is shown as it was written. ``nh3`` is the second wall: what
the parser let through by mistake has no element or address to do harm with.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import nh3
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.core.storable import storable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

MOST_CHARS: Final = 100_000
# What one text may cost: a rule's look at a character, a line or a cell is one.
MOST_WORK: Final = 18_000
WORK_OF_LINK: Final = 3
MOST_TOKENS: Final = 12_000
KEPT_TEXTS: Final = 256
KEPT_CHARS: Final = 20_000
DEEPEST_HEADING: Final = 6

_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DELIMITERS: Final = re.compile(r"[-:|][-:|\s]*")
_PAIRED: Final = frozenset("*_~[!`")  # looked at again when their partner is sought
_TAGS: Final = frozenset(
    ["p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "a"]
) | {"table", "thead", "tbody", "tr", "th", "td"}
_WITH_FOCUS: Final = {"tabindex": "0"}  # what may scroll sideways is reached by the keyboard

Work = MutableMapping[str, Any]


class TooMuch(Exception):
    """The text asks for more work than a text is given."""


def visible(text: str) -> str:
    """``text`` with the marks that turn its direction spelled out."""
    return _TURNING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def render(text: str, *, most_chars: int = MOST_CHARS) -> SafeString:
    """The HTML of ``text``. Never raises; what is cut or not laid out is said in it."""
    text = storable(text)
    shown, more = text[:most_chars], max(0, len(text) - most_chars)
    html = _kept(shown) if len(shown) <= KEPT_CHARS else _rendered(shown)
    if more:
        note = format_html('<p class="tiny sub">The rest is cut here; characters left out: {}.</p>', f"{more:,}")
        return mark_safe(html + note)
    return mark_safe(html)


def _rendered(text: str) -> str:
    try:
        html = _parser().render(text, {"left": MOST_WORK - WORK_OF_LINK * text.count("://")})
    except (TooMuch, RecursionError):
        note = "Shown as it was written: it has more marks than are laid out."
        return visible(f'<p class="pre">{escape(text)}</p><p class="tiny sub">{note}</p>')
    # Last of all: no element or attribute of ours can contain such a mark, so only text changes.
    return visible(_cleaner().clean(html))


@lru_cache(maxsize=KEPT_TEXTS)
def _kept(text: str) -> str:
    """A message never changes, and a live page shows it again and again."""
    return _rendered(text)


# The parser -------------------------------------------------------------------


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Of the processes only web lays out text.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True})
    parser.enable(["table", "strikethrough", "linkify"])
    # outbox.py is a file, not a site in Paraguay: only what says https:// is a link.
    if parser.linkify:
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    parser.block.ruler.at("table", _bounded_table, {"alt": ["paragraph", "reference"]})
    everywhere = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("table", "work", _count_block, {"alt": everywhere})
    parser.inline.ruler.before("text", "work", _count_inline)
    parser.core.ruler.push("headings", _lower_headings)
    parser.add_render_rule("image", _image_as_link)
    return parser


def _spend(work: Work, amount: int = 1) -> None:
    work["left"] -= amount
    if work["left"] < 0:
        raise TooMuch


def _count_block(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    _spend(state.env)
    if len(state.tokens) > MOST_TOKENS:
        raise TooMuch
    return False


def _count_inline(state: StateInline, silent: bool) -> bool:
    _spend(state.env, 2 if state.src[state.pos] in _PAIRED else 1)
    return False


def _bounded_table(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """A table is filled up to its first row's width: two thousand characters could ask for 65,000 cells."""
    from markdown_it.rules_block.table import table

    if not silent and line + 2 <= end:
        marks = _line(state, line + 1)
        if "|" in marks and _DELIMITERS.fullmatch(marks):
            rows = 1
            while line + rows + 1 < end and _line(state, line + rows + 1):
                rows += 1
            _spend(state.env, rows * (marks.count("|") + 1))
    return table(state, line, end, silent)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _lower_headings(state: StateCore) -> None:
    """Below the page's own, and no level left out: the outline of the page stays whole."""
    last = 2
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            if token.nesting == 1:
                last = min(int(token.tag[1]) + 2, last + 1, DEEPEST_HEADING)
            token.tag = f"h{last}"


def _image_as_link(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Nothing is loaded from elsewhere because somebody wrote its address."""
    token = tokens[index]
    words = self.renderInlineAsText(token.children, options, env) or "image"
    return f'<a href="{escape(str(token.attrs["src"]))}">{escape(words)}</a>'


# The second wall ----------------------------------------------------------------


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        set_tag_attribute_values={"pre": _WITH_FOCUS, "table": _WITH_FOCUS},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )

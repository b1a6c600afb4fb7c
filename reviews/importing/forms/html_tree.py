"""HTML as a small tree. A parser of browsers' own kind makes it well-formed; what is hidden is counted and dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from reviews.importing.model import BadInput
from reviews.importing.vocabulary import word_set

MAX_ELEMENTS: Final = 200_000
MAX_NESTED: Final = 60
MAX_OPEN: Final = 2_000
VOID: Final = frozenset({"br", "hr", "img", "input"})

_SILENT: Final = frozenset(
    {"script", "style", "noscript", "template", "iframe", "object", "svg", "math", "title", "canvas", "video", "audio"}
)
_DROPPED: Final = frozenset({"nav", "footer", "aside", "button", "select", "textarea", "dialog", "menu"})
_KEPT: Final = word_set(
    """
    a article b blockquote br caption code dd del details div dl dt em figcaption figure form h1 h2 h3 h4 h5 h6 header
    hr i img input ins kbd label li main mark ol p pre s samp section small span strike strong sub summary sup table
    tbody td tfoot th thead tr tt u ul var
    """
)
_ROLES: Final = frozenset(
    {"navigation", "search", "banner", "contentinfo", "complementary", "menu", "dialog", "tooltip"}
)
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,20})")
_CLOSE_THEMSELVES: Final = VOID | word_set("p li td th tr dt dd option meta link col source path tbody thead tfoot")
_HIDING_STYLE: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HIDING_CLASS: Final = re.compile(
    r"(?:^|\s)(?:sr-only|visually-hidden|screen-reader-text|d-none|hidden|noprint)(?:\s|$)", re.IGNORECASE
)
_SILENT_TAG: Final = re.compile(rf"<(?:{'|'.join(sorted(_SILENT - {'title'}))})[\s>/]", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Node:
    """An element; its children are elements and texts."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def elements(self, *tags: str) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node) and (not tags or child.tag in tags)]

    def find_all(self, tag: str) -> list[Node]:
        found: list[Node] = []
        waiting = [self]
        while waiting:
            one = waiting.pop()
            if one.tag == tag:
                found.append(one)
            waiting.extend(one.elements())
        return found

    def text(self) -> str:
        """The words as they stand, spaces and all."""
        return "".join(
            child if isinstance(child, str) else "\n" if child.tag == "br" else child.text() for child in self.children
        )


def read_tree(text: str) -> tuple[Node, int]:
    """(the document, how many elements were dropped with all that is in them)."""
    if text.count("<") > 2 * MAX_ELEMENTS:
        raise BadInput("too_many_parts", f"The document has more than {2 * MAX_ELEMENTS} tags.")
    _refuse_depth(text)
    import nh3

    clean = nh3.clean(
        text,
        tags=set(_KEPT | _DROPPED),
        clean_content_tags=set(_SILENT),
        attributes={
            "*": {"hidden", "aria-hidden", "style", "class", "role"},
            "a": {"href"},
            "input": {"type", "checked"},
            "img": {"alt"},
            "ol": {"start"},
        },
        link_rel=None,
        strip_comments=True,
    )
    builder = _Builder()
    builder.feed(clean)
    builder.close()
    return builder.root, builder.dropped + len(_SILENT_TAG.findall(text))


def _refuse_depth(text: str) -> None:
    """What a browser would nest without end costs quadratic time; nobody's page is so deep."""
    depth = 0
    for match in _TAG.finditer(text):
        if match[2].lower() not in _CLOSE_THEMSELVES:
            depth = depth + 1 if not match[1] else max(depth - 1, 0)
            if depth > MAX_OPEN:
                raise BadInput("too_deep", f"The document has more than {MAX_OPEN} tags open in each other.")


class _Builder(HTMLParser):
    """Well-formed HTML to nodes; deep nesting is made flat, for nobody means it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body")
        self.dropped = 0
        self._open = [self.root]
        self._flat = 0
        self._inside_dropped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._inside_dropped:
            self._inside_dropped += tag not in VOID
            return
        attributes = {name: value or "" for name, value in attrs}
        if _is_dropped(tag, attributes):
            self.dropped += 1
            self._inside_dropped = int(tag not in VOID)
            return
        node = Node(tag, attributes)
        if tag in VOID:
            self._open[-1].children.append(node)
        elif len(self._open) > MAX_NESTED:
            self._flat += 1
        else:
            self._open[-1].children.append(node)
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if self._inside_dropped:
            self._inside_dropped -= 1
        elif self._flat:
            self._flat -= 1
        elif len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside_dropped:
            self._open[-1].children.append(data)


def _is_dropped(tag: str, attributes: dict[str, str]) -> bool:
    if tag in _DROPPED or attributes.get("role", "").lower() in _ROLES:
        return True
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    if tag == "input" and attributes.get("type", "").lower() not in ("checkbox", "radio"):
        return True
    hidden = _HIDING_STYLE.search(attributes.get("style", "")) or _HIDING_CLASS.search(attributes.get("class", ""))
    return hidden is not None

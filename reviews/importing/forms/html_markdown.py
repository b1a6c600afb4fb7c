"""A tree of HTML as the markdown that says the same."""

from __future__ import annotations

import re
from typing import Final

from reviews.importing.forms.html_tree import Node
from reviews.importing.vocabulary import word_set

_BLOCKS: Final = word_set(
    """
    article blockquote body caption dd details div dl dt figcaption figure form h1 h2 h3 h4 h5 h6 header hr li main ol
    p pre section summary table tbody td tfoot th thead tr ul
    """
)
_AROUND: Final = {
    **dict.fromkeys(("b", "strong"), "**"),
    **dict.fromkeys(("em", "i"), "*"),
    **dict.fromkeys(("del", "s", "strike"), "~~"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "`"),
}
_SPACES: Final = re.compile(r"[ \t\r\n\f\u00a0]+")
# What would be a mark of markdown at the start of a line, and is only a word here.
_MARK: Final = re.compile(r"^(#{1,6}(?=\s)|[>|]|[-+](?=\s)|\d{1,9}[.)](?=\s)|```|~~~|---)")
_PERMALINKS: Final = frozenset({"", "#", "¶", "§", "🔗", "permalink"})
_LANGUAGE: Final = re.compile(r"(?:language|lang|highlight-source)-([\w+#-]{1,20})")


def to_markdown(root: Node) -> str:
    return "\n\n".join(_blocks(root)) + "\n"


def _blocks(node: Node) -> list[str]:
    """Each block under `node`, in order; words between blocks are paragraphs."""
    found: list[str] = []
    run: list[Node | str] = []
    for child in [*node.children, None]:
        if child is not None and not (isinstance(child, Node) and _has_block(child)):
            run.append(child)
            continue
        if words := _paragraph(run):
            found.append(words)
        run = []
        if child is not None:
            assert isinstance(child, Node)
            found.extend(_block(child))
    return found


def _has_block(node: Node) -> bool:
    """A block, or a span or link that a page has put around blocks."""
    if node.tag in _BLOCKS:
        return True
    return any(_has_block(child) for child in node.elements())


def _block(node: Node) -> list[str]:
    tag = node.tag
    if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        words = _inline(node.children).replace("\n", " ").strip()
        return [f"{'#' * int(tag[1])} {words}"] if words else []
    if tag == "pre":
        return _fence(node)
    if tag == "hr":
        return ["---"]
    if tag in ("ul", "ol"):
        return _list(node)
    if tag == "table":
        return _table(node)
    if tag == "blockquote":
        return ["\n".join(f"> {line}".rstrip() for line in "\n\n".join(_blocks(node)).split("\n"))]
    if tag == "dt":
        return [f"**{words}**"] if (words := _inline(node.children).replace("\n", " ").strip(" *")) else []
    return _blocks(node)


def _paragraph(run: list[Node | str]) -> str:
    lines = (line.strip() for line in _inline(run).split("\n"))
    return "\n".join(_MARK.sub(r"\\\1", line) for line in lines if line)


def _inline(children: list[Node | str]) -> str:
    return re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", "".join(_piece(child) for child in children)))


def _piece(child: Node | str) -> str:
    if isinstance(child, str):
        return _SPACES.sub(" ", child)
    if child.tag == "br":
        return "\n"
    if child.tag == "input":
        return "[x] " if "checked" in child.attributes else "[ ] "
    if child.tag == "img":
        return _SPACES.sub(" ", child.attributes.get("alt", ""))
    words = _inline(child.children)
    if child.tag == "a":
        return _link(words, child.attributes.get("href", ""))
    around = _AROUND.get(child.tag)
    if around is None or not words.strip() or around in words:
        return words
    inner = words.strip()
    before, after = words[: len(words) - len(words.lstrip())], words[len(words.rstrip()) :]
    return f"{before}{around}{inner}{around}{after}"


def _link(words: str, target: str) -> str:
    text = words.strip()
    if text.lower() in _PERMALINKS:
        return ""
    if not target or target.startswith("#") or re.search(r"[\s()<>]", target) or target == text:
        return words
    return f"[{text}]({target})"


def _fence(node: Node) -> list[str]:
    text = node.text().strip("\n")
    if not text.strip():
        return []
    inner = next(iter(node.elements("code")), node)
    language = _LANGUAGE.search(f"{inner.attributes.get('class', '')} {node.attributes.get('class', '')}")
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
    marks = "`" * (longest + 1)
    return [f"{marks}{language[1] if language else ''}\n{text}\n{marks}"]


def _list(node: Node) -> list[str]:
    start = node.attributes.get("start", "")
    number = int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1
    items: list[str] = []
    for child in node.elements():
        marker = f"{number}. " if node.tag == "ol" else "- "
        if child.tag in ("ul", "ol"):
            # A list straight in a list belongs to the item before it.
            inner = "\n".join(_list(child))
            items.append("\n".join(f"  {line}" for line in inner.split("\n")))
            continue
        blocks = _item_blocks(child)
        if not blocks:
            continue
        pad = " " * len(marker)
        lines = "\n".join(blocks).split("\n")
        items.append("\n".join([f"{marker}{lines[0]}", *(f"{pad}{line}" if line else "" for line in lines[1:])]))
        number += 1
    return ["\n".join(items)] if items else []


def _item_blocks(item: Node) -> list[str]:
    """The blocks of an item; nested lists follow at once, other blocks after a blank line."""
    found: list[str] = []
    for block in _blocks(item):
        nested = bool(re.match(r"(?:- |\d+\. )", block))
        found.extend([block] if nested or not found else ["", block])
    return found


def _table(node: Node) -> list[str]:
    # Looked at before the cells are written: tables in a table, or one column, are the page's layout and no data.
    if node.find_all("table") != [node]:
        return _blocks(node)
    rows = _rows(node)
    width = max((len(cells) for cells, _ in rows), default=0)
    if width < 2:
        return _blocks(node)
    caption = [words for one in node.elements("caption") if (words := _inline(one.children).strip())]
    header, body = (rows[0][0], rows[1:]) if rows[0][1] else ([""] * width, rows)
    lines = [_row(header, width), "|" + "---|" * width, *(_row(cells, width) for cells, _ in body)]
    return [*caption, "\n".join(lines)]


def _rows(table: Node) -> list[tuple[list[str], bool]]:
    """(cells, whether all of them are headings) of each row."""
    rows: list[tuple[list[str], bool]] = []
    for part in [table, *table.elements("thead", "tbody", "tfoot")]:
        for row in part.elements("tr"):
            cells = row.elements("td", "th")
            if cells:
                heading = part.tag == "thead" or all(cell.tag == "th" for cell in cells)
                rows.append(([_cell(cell) for cell in cells], heading))
    return rows


def _cell(cell: Node) -> str:
    return _SPACES.sub(" ", " ".join(_blocks(cell)).replace("\n", " ")).replace("|", "\\|").strip()


def _row(cells: list[str], width: int) -> str:
    return "| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |"

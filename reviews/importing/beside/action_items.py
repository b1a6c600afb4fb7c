"""What the author wants done: trackers of checkboxes, and lists under `Next steps`, `Before merge` and their like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reviews.importing.beside.checks import is_check_list
from reviews.importing.beside.parts import Page, Part
from reviews.importing.decoys import placeholder, says_nothing
from reviews.importing.document import Block, Section
from reviews.importing.model import ActionItem, FixTier
from reviews.importing.recognisers.columns import header_names
from reviews.importing.titles import EMOJI, plain, read_title
from reviews.importing.vocabulary import status_of, word_set

MAX_TEXT = 600
MAX_ROWS = 5_000

_DONE_MARK = re.compile(r"^\s*[*_~]*(?:✅|☑|✔|✓)")
_MARKS = re.compile(rf"^(?:{EMOJI}|\s)+")
_BRACKET = re.compile(r"[\[<{]")
_TO_FILL = re.compile(
    r"\[[A-Za-z][^\[\]]{0,80}\]|<[A-Za-z][^<>]{0,80}>|\{\{?[^{}]{1,80}\}\}?|\b(?:issue|item|action|task|bug|step|finding)\b",
    re.IGNORECASE,
)
_SAID = re.compile(r"[^\W\d_]{2}")
_RECOMMENDS = re.compile(r"\b(?:re[ck]om+[ea]nd|empfehl|рекоменд|recomend)", re.IGNORECASE)
_STRUCK = re.compile(r"^\s*[*_]*~~[^~]+~~")
_TEXT_HEADERS = word_set("action actions task tasks item todo to-do step what description title åtgärd aufgabe задача")
_STATUS_HEADERS = word_set("status state done done? completed complete progress статус estado")
_WHOLE_LABEL = re.compile(r"^[^:]{2,30}:\s*[^a-zA-Z]{0,3}\d[\w\s.–-]{0,20}$")


def action_items(page: Page, order: Iterable[FixTier]) -> Iterator[ActionItem]:
    """Every action item; a list that is a step of the fix order is left to the fix order."""
    tiers = {tier.line for tier in order}
    read: set[int] = set()
    for part in page.of("actions"):
        if part.line not in tiers and not _in_finding(part.line, page):
            for item in _of_part(part, page):
                if item.line not in read:
                    read.add(item.line)
                    yield item
    for section in page.document.sections():
        plan = page.outline.region(section).kind == "plan" and section.line not in tiers
        if plan and not _in_finding(section.line, page) and (tracker(section) or _RECOMMENDS.search(section.title)):
            for item in _items(section.blocks, plain(section.title).strip(" :*"), page):
                if item.line not in read:
                    read.add(item.line)
                    yield item


def tracker(section: Section) -> bool:
    """A list of nothing but checkboxes."""
    items = [block for block in section.blocks if block.kind == "item"]
    return bool(items) and all(item.checked is not None for item in items)


def _in_finding(line: int, page: Page) -> bool:
    return page.finding_at(line) is not None


def _of_part(part: Part, page: Page) -> Iterator[ActionItem]:
    if not is_check_list(part):
        yield from _items(part.blocks, part.title, page)
    for block in part.blocks:
        if block.kind == "table":
            yield from _table(block, part.title, page)


def _items(blocks: Sequence[Block], section: str, page: Page) -> Iterator[ActionItem]:
    items = [block for block in blocks if block.kind == "item"]
    if any(item.start in page.taken for item in items):
        return
    marks = [bool(_DONE_MARK.match(item.text)) for item in items]
    # A check mark before every item decorates the list; before some, it tells them from the others.
    telling = any(marked for marked in marks) and not all(marks)
    for item in items:
        for block in item.walk():
            if block is item or (block.kind == "item" and block.checked is not None):
                found = _read(block, section, telling)
                if found is not None:
                    yield found


def _read(block: Block, section: str, telling: bool) -> ActionItem | None:
    text = _MARKS.sub("", plain(block.text))
    if not re.search(r"\w{2}", text) or says_nothing(text) or _WHOLE_LABEL.match(text) or _template(text):
        return None
    return ActionItem(text[:MAX_TEXT], _done(block, telling), block.start, section)


def _template(text: str) -> bool:
    """`Issue #[N]: [Summary]`: brackets to be filled in, and nothing else."""
    if not _BRACKET.search(text):
        return False
    return placeholder(text) or not _SAID.search(_TO_FILL.sub(" ", text))


def _done(block: Block, telling: bool) -> bool | None:
    if block.checked is not None:
        return block.checked
    if _STRUCK.match(block.text) or (telling and _DONE_MARK.match(block.text)):
        return True
    status = read_title(block.text.split("\n")[0]).status
    return None if status is None else status == "fixed"


def _table(table: Block, section: str, page: Page) -> Iterator[ActionItem]:
    names = header_names(table)
    at = next((at for at, name in enumerate(names) if name in _TEXT_HEADERS), None)
    if at is None or any(row.line in page.taken for row in table.rows):
        return
    status_at = next((at for at, name in enumerate(names) if name in _STATUS_HEADERS), None)
    for row in table.rows[:MAX_ROWS]:
        text = plain(row.cells[at]) if at < len(row.cells) else ""
        if re.search(r"\w{2}", text) and not _template(text):
            said = plain(row.cells[status_at]) if status_at is not None and status_at < len(row.cells) else ""
            status = status_of(said)
            yield ActionItem(text[:MAX_TEXT], None if status is None else status == "fixed", row.line, section)

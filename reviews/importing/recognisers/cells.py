"""What the cells of a column are, whatever its header says: severities, statuses, refs, places, numbers or text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reviews.importing.document import Block
from reviews.importing.paths import paths_in
from reviews.importing.titles import plain
from reviews.importing.vocabulary import leading_severity, status_of, without_marks

MAX_LOOKED_AT = 60
MAX_CELL = 300
MOST = 0.6
SOME = 0.34
RATING_WORDS = 3
STATUS_WORDS = 5

_REF = re.compile(r"^\[?#?[A-Z][A-Za-z]{0,9}(?:[-_#]*[A-Z0-9]{1,8}){0,2}[-_# ]?\d{1,5}[a-z]?\]?$")
_COLOUR = re.compile("^[\U0001f534\U0001f7e0\U0001f7e1\U0001f7e2\U0001f535\u26aa]\ufe0f?$")
_NUMBER = re.compile(r"^[~≈<>+\-]?\s*\d[\d\s.,:/%]*\s*\w{0,3}$|^[-—–]$")
_ANSWER = re.compile(
    r"^(?:yes|no|y|n|ja|nein|oui|non|sí|si|sim|não|да|нет|так|ні|是|否|有|无|はい|いいえ|예|아니오|ok|pass|fail)\b"
)


def column(table: Block, at: int) -> list[str]:
    """The first cells of a column that say anything, without markup."""
    found = [
        plain(row.cells[at][:MAX_CELL]).strip("*`[]~ ") for row in table.rows[:MAX_LOOKED_AT] if at < len(row.cells)
    ]
    return [cell for cell in found if cell]


def share(cells: Sequence[str], test: object) -> float:
    """How many of the cells pass a test, 0 to 1."""
    assert callable(test)
    return sum(1 for cell in cells if test(cell)) / len(cells) if cells else 0.0


def is_rating(cell: str) -> bool:
    if _COLOUR.match(cell):
        return True
    found = leading_severity(cell)
    return found is not None and len(cell.split()) <= RATING_WORDS


def is_status(cell: str) -> bool:
    return len(cell.split()) <= STATUS_WORDS and status_of(cell) is not None


def is_ref(cell: str) -> bool:
    return bool(_REF.match(cell))


def is_place(cell: str) -> bool:
    return bool(paths_in(cell, labelled=False)) and len(cell.split()) <= STATUS_WORDS + 3


def is_wordless(cell: str) -> bool:
    """A number, a mark, or a bare yes or no."""
    text = without_marks(cell).strip()
    return not re.search(r"\w", text) or bool(_NUMBER.match(text)) or bool(_ANSWER.match(text.lower()))


def kind_of_cells(cells: Sequence[str]) -> str | None:
    """The meaning that most of the cells have."""
    if not cells:
        return None
    for meaning, test in (("severity", is_rating), ("status", is_status), ("ref", is_ref), ("file", is_place)):
        if share(cells, test) >= MOST and (meaning != "ref" or len(set(cells)) == len(cells)):
            return meaning
    return "count" if share(cells, is_wordless) >= MOST else None


def rates(cells: Sequence[str]) -> bool:
    return share(cells, is_rating) >= SOME


def prose_length(cells: Sequence[str]) -> float:
    return sum(len(cell) for cell in cells) / len(cells) if cells else 0.0


def is_scale(cells: Sequence[str]) -> bool:
    """Every severity once: a table that says what each of them means, or how many of each there are."""
    named = [found[0] for cell in cells if (found := leading_severity(cell))]
    return len(named) >= 2 and len(named) == len(cells) == len(set(named))

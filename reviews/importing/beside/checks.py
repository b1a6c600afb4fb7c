"""What the author says was checked: fenced commands, lists and tables with an outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reviews.importing.beside.outcomes import Said, detail_of, outcome_of, read_line
from reviews.importing.beside.parts import Page, Part, fence_lines, text_lines
from reviews.importing.decoys import placeholder
from reviews.importing.document import Block, Row
from reviews.importing.model import Check
from reviews.importing.recognisers.columns import header_names
from reviews.importing.titles import plain
from reviews.importing.vocabulary import word_set

MAX_NAME = 300
MAX_DETAIL = 600

_OUTCOME_HEADERS = word_set(
    "result results status outcome state verdict passed pass/fail pass ok ok? passed? exit resultat ergebnis статус "
    "результат resultado statut résultat estado 结果 状态"
) | {"exit code"}
_CHECK_HEADERS = word_set(
    "check checks gate gates command commands test tests suite suites verification validation kontroll prüfung проверка"
) | {"quality gate", "test suite", "verification check", "check name"}
_COMMAND = re.compile(r"^\s*\$\s+(?P<command>\S.*)$")
_ARROW = re.compile(r"\s+(?:→|->|=>|⇒|—)\s+")
_OPENS_AS_CHECK = re.compile(r"^\s*(?:`|\*\*|__)")


def checks(page: Page) -> Iterator[Check]:
    for part in page.of("checks", "plan", "actions"):
        found = tuple(of_part(part, page))
        if part.kind == "checks" or (part.kind == "plan" and _reports(part, found)):
            yield from found
        elif part.kind == "actions":
            # Boxes are things to do; a list of marks says how it went.
            yield from _marked(part, page)
    yield from _elsewhere(page)


def of_part(part: Part, page: Page) -> Iterator[Check]:
    """The checks that a part states; nothing where no line of it has an outcome."""
    said: list[Check] = []
    silent: list[Check] = []
    for block in part.blocks:
        if block.kind == "table":
            said.extend(_table(block))
        elif block.kind == "fence":
            found, mute = _fence(block, page)
            said.extend(found)
            silent.extend(mute)
        else:
            for line, text, box, read in _lines(block, part) if block.start not in page.taken else ():
                (said if read or box is not None else silent).append(_check(text, box, read, line))
    # A line without an outcome counts only beside lines with one; alone it is prose or a plan.
    if any(check.outcome != "unknown" for check in said):
        said.extend(silent)
    yield from sorted((check for check in said if check.name), key=lambda check: check.line)


def _lines(block: Block, part: Part) -> Iterator[tuple[int, str, bool | None, Said | None]]:
    """(line, text, box, what it says) of each line that may be a check."""
    if block.kind == "item":
        text = " ".join(block.text.split())
        if text and not placeholder(text):
            yield block.start, text, block.checked, read_line(plain(text))
        for child in block.children:
            if child.kind == "item" and (child.checked is not None or read_line(plain(child.text)) is not None):
                yield from _lines(child, part)
        return
    for line, text in text_lines(block) if block.kind == "paragraph" else ():
        read = read_line(plain(text))
        if read is not None and (part.label or _OPENS_AS_CHECK.match(text) or outcome_of(text) is not None):
            yield line, text, None, read


def _check(text: str, box: bool | None, read: Said | None, line: int) -> Check:
    if read is not None:
        return Check(plain(read.name)[:MAX_NAME], read.outcome, plain(read.detail)[:MAX_DETAIL], line)
    return Check(plain(text)[:MAX_NAME], "passed" if box else "unknown", "", line)


def _fence(block: Block, page: Page) -> tuple[list[Check], list[Check]]:
    said: list[Check] = []
    silent: list[Check] = []
    for line, text in fence_lines(block, page.document):
        if text.lstrip().startswith(("#", "//")):
            continue
        read = read_line(text)
        command = _COMMAND.match(text)
        if read is not None:
            said.append(_check(text, None, read, line))
        elif command is not None:
            halves = _ARROW.split(command["command"][:2_000], maxsplit=1)
            detail = halves[1].strip() if len(halves) > 1 else ""
            silent.append(Check(halves[0].strip()[:MAX_NAME], "unknown", detail[:MAX_DETAIL], line))
    return said, silent


def _table(table: Block) -> Iterator[Check]:
    names = header_names(table)
    outcome = next((at for at, name in enumerate(names) if at > 0 and name in _OUTCOME_HEADERS), None)
    if outcome is None:
        return
    # A column of numbers names nothing.
    name = 1 if names[0] in ("", "#", "no", "no.", "nr", "id", "№") and outcome != 1 else 0
    for row in table.rows:
        yield _row(row, name, outcome)


def _row(row: Row, name: int, outcome: int) -> Check:
    cells = [plain(cell) for cell in row.cells]
    said = cells[outcome] if outcome < len(cells) else ""
    rest = [cell for at, cell in enumerate(cells) if at >= name and at not in (name, outcome) and cell]
    detail = " — ".join(piece for piece in (detail_of(said), *rest) if piece)
    return Check(
        cells[name][:MAX_NAME] if name < len(cells) else "",
        outcome_of(said) or "unknown",
        detail[:MAX_DETAIL],
        row.line,
    )


def is_check_list(part: Part) -> bool:
    """A checklist of check marks and warnings says how things stand; one of boxes, what is to be done."""
    if "check" not in part.announced.lower():
        return False
    items = [block for block in part.blocks if block.kind == "item"]
    return sum(1 for item in items if _mark(item)) * 2 > len(items)


def _mark(item: Block) -> bool:
    return item.checked is None and outcome_of(item.text.split("\n")[0]) is not None


def _marked(part: Part, page: Page) -> Iterator[Check]:
    marked = [block for block in part.blocks if block.kind == "item" and _mark(block) and block.start not in page.taken]
    if is_check_list(part):
        for item in marked:
            yield _check(item.text, None, read_line(plain(item.text)), item.start)
    for table in part.blocks:
        if table.kind == "table" and not any(row.line in page.taken for row in table.rows):
            found = tuple(_table(table))
            if sum(1 for check in found if check.outcome != "unknown") * 2 > len(found):
                yield from found


def _reports(part: Part, found: tuple[Check, ...]) -> bool:
    """A part called `Testing` that says how it went, not how it is to go."""
    bare = not re.search(r"plan|strateg|steps|how to|scenario|recommend|approach|procedure", part.title, re.IGNORECASE)
    boxes = any(block.checked is not None for block in part.blocks)
    stated = sum(1 for check in found if check.outcome != "unknown")
    return bare and not boxes and stated > 0 and stated * 2 >= len(found)


def _elsewhere(page: Page) -> Iterator[Check]:
    """A table headed `Check | Result` is one wherever it stands, unless its rows are findings."""
    announced = {id(block) for part in page.of("checks", "plan", "actions") for block in part.blocks}
    for section in page.document.sections():
        for table in section.blocks:
            if table.kind != "table" or id(table) in announced or not table.header:
                continue
            if header_names(table)[0] in _CHECK_HEADERS and not any(row.line in page.taken for row in table.rows):
                found = tuple(_table(table))
                if sum(1 for check in found if check.outcome != "unknown") * 2 > len(found):
                    yield from found

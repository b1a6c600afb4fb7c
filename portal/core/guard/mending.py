"""What would mend a refused schema: commands, and for drift the statements, to be looked at before they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from portal.core.guard.compare import Change, Difference
from portal.core.guard.history import Code, Key, Recorded


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    title: str
    command: str = ""


MIGRATE: Final = Step("Bring the database to this code", "python manage.py migrate")
RIGHT_CODE: Final = Step("Run the code that this database belongs to (safe: nothing changes)")
WRITE_MANIFEST: Final = Step(
    "Write the manifest of this engine and commit it", "python manage.py schema_guard --write-manifest"
)
CHECK_DATABASE: Final = Step(
    "Start the database, or set DATABASE_URL, then look again", "python manage.py schema_guard"
)
_STATEMENTS_SHOWN: Final = 20


def go_back(ahead: Mapping[Key, Recorded], known: Code) -> Iterator[Step]:
    """For a database that is ahead: the right code, or that code's own way back. Nothing reverses by itself."""
    yield RIGHT_CODE
    for app in sorted({app for app, _ in ahead}):
        last = max((name for other, name in known.migrations if other == app), default="zero")
        yield Step(
            f"Or, with that newer code, take {app} back (schema_guard then tells)",
            f"python manage.py migrate {app} {last}",
        )


def drift(engine: str, refusals: list[Difference]) -> Iterator[Step]:
    """For a database that a hand changed: the statements where there are any, else the restore."""
    statements = [line for row in refusals if (line := statement(engine, row))]
    if statements:
        more = len(statements) - _STATEMENTS_SHOWN
        shown = [*statements[:_STATEMENTS_SHOWN], *([f"-- and {more} more"] if more > 0 else [])]
        yield Step("Look at each statement, then run it in `python manage.py dbshell`", "\n".join(shown))
    if len(statements) < len(refusals):
        rest = len(refusals) - len(statements)
        yield Step(
            f"No safe statement mends {rest} of the differences: undo the change by hand, or restore the last backup"
        )
    yield Step("Look again", "python manage.py schema_guard")


def statement(engine: str, row: Difference) -> str:
    """The one statement that undoes ``row`` without touching a row of data; empty when there is none."""
    on = f' ON "{row.table}"' if engine == "postgresql" else ""
    match row.what, row.change:
        case "Index", Change.MISSING:
            return f"{row.expects};"
        case "Index", Change.CHANGED:
            return f'DROP INDEX "{row.name}"; {row.expects};'
        case "Index", Change.EXTRA:
            return f'DROP INDEX "{row.name}";'
        case "Trigger", Change.EXTRA:
            return f'DROP TRIGGER "{row.name}"{on};'
    if engine != "postgresql" or row.what != "Constraint":
        return ""
    drop = f'DROP CONSTRAINT "{row.name}"'
    add = f'ADD CONSTRAINT "{row.name}" {row.expects}'
    actions = {Change.MISSING: add, Change.CHANGED: f"{drop}, {add}", Change.EXTRA: drop}
    return f'ALTER TABLE "{row.table}" {actions[row.change]};'

"""The guard's answer: start, start with a banner, or refuse; and apart from these, a database that is down."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.core.guard import history, manifest, mending, override, structure
from portal.core.guard.compare import Difference, Weight, differences
from portal.core.guard.history import Code, Key, Recorded
from portal.core.guard.manifest import Manifest
from portal.core.guard.mending import Step
from portal.core.guard.override import Override
from portal.core.guard.structure import Structure
from portal.core.redaction import redact


class Answer(StrEnum):
    """What a process may do, each with its exit code."""

    START = "start"
    BANNER = "start with a banner"
    REFUSE = "refuse"
    DOWN = "database down"

    @property
    def exit_code(self) -> int:
        return {Answer.START: 0, Answer.BANNER: 1, Answer.REFUSE: 3, Answer.DOWN: 4}[self]


@dataclass(frozen=True, slots=True)
class Report:
    """What the guard found.

    ``code`` is one word for machines (``ok``, ``schema_behind``, ...). ``detail`` may
    name hosts: it is for terminal and log, never for a page.
    """

    answer: Answer
    code: str
    sentence: str
    database: str
    engine: str
    detail: str = ""
    differences: tuple[Difference, ...] = ()
    ahead: dict[Key, Recorded] = field(default_factory=dict)
    pending: tuple[Key, ...] = ()
    mend: tuple[Step, ...] = ()
    fingerprint: str = ""
    expected_fingerprint: str = ""
    override: Override | None = None
    milliseconds: int = 0

    @property
    def may_start(self) -> bool:
        """Whether a process may go on: by the answer, or by an override that holds.

        Nothing overrides a database that is down.
        """
        if self.answer is Answer.REFUSE:
            return self.override is not None and self.override.holds
        return self.answer is not Answer.DOWN

    @property
    def overridden(self) -> bool:
        """Whether it runs by the override alone: every page says so."""
        return self.answer is Answer.REFUSE and self.may_start

    @property
    def refusals(self) -> list[Difference]:
        return [row for row in self.differences if row.weight is Weight.REFUSE]

    @property
    def warnings(self) -> list[Difference]:
        return [row for row in self.differences if row.weight is Weight.WARN]


def look(using: BaseDatabaseWrapper | None = None) -> Report:
    """Read the database and judge it. Raises nothing for any state of the database.

    A connection that it had to open is closed again.
    """
    database = using if using is not None else connection
    began, was_open = time.perf_counter(), database.connection is not None
    try:
        report = _looked_at(database)
    except Error as error:
        report = _down(database, error)
    finally:
        if not was_open:
            database.close()
    spent = round((time.perf_counter() - began) * 1000)
    return replace(report, milliseconds=spent, override=override.from_settings())


def _looked_at(database: BaseDatabaseWrapper) -> Report:
    vendor, name = database.vendor, _name(database)
    known = history.code()
    try:
        expected = manifest.load(vendor)
    except (OSError, ValueError) as error:
        sentence = f"The manifest of {vendor} cannot be read: {error}."
        return Report(Answer.REFUSE, "manifest_stale", sentence, name, vendor, mend=(mending.WRITE_MANIFEST,))
    # Opening SQLite makes the file: a guard that only looks must not.
    live = Structure({}) if _is_absent(database) else structure.read(database)
    return judge(vendor, name, known, expected, live, history.applied(database, live) if live.tables else {})


def judge(
    vendor: str, name: str, known: Code, expected: Manifest, live: Structure, applied: dict[Key, Recorded] | None
) -> Report:
    """The answer to what was read; a pure function.

    ``applied`` is None when the database's own record of migrations cannot be read.
    """
    has = live.only(expected.structure.tables)
    base = Report(
        Answer.START,
        "ok",
        "The database is what the code expects.",
        name,
        vendor,
        fingerprint=has.fingerprint(),
        expected_fingerprint=expected.structure.fingerprint(),
    )
    if set(known.migrations) != expected.migrations:
        return _stale(base, known, expected)
    if not has.tables:
        pending = tuple(known.pending(frozenset()))
        sentence = f"The database is empty: run migrate ({len(pending)} pending)."
        steps = (mending.MIGRATE,)
        return replace(base, answer=Answer.REFUSE, code="schema_empty", sentence=sentence, pending=pending, mend=steps)
    if applied is None:
        return _drifted(replace(base, differences=tuple(differences(expected, live))))
    ahead = {key: record for key, record in sorted(applied.items()) if key not in known.known}
    base = replace(base, ahead=ahead, pending=tuple(known.pending(frozenset(applied))))
    if base.pending:
        return _behind(base)
    return _compared(base, expected, live, known)


def _compared(base: Report, expected: Manifest, live: Structure, known: Code) -> Report:
    unsafe = [key for key, record in base.ahead.items() if record.kind != "expand"]
    explaining = frozenset(app for app, _ in base.ahead) if not unsafe else frozenset[str]()
    found = replace(base, differences=tuple(differences(expected, live, explaining)))
    if unsafe:
        sentence = f"The database is ahead by {_counted(unsafe)} that older code must not run beside."
        steps = tuple(mending.go_back(base.ahead, known))
        return replace(found, answer=Answer.REFUSE, code="schema_ahead", sentence=sentence, mend=steps)
    if found.refusals:
        return _drifted(found)
    if base.ahead:
        sentence = f"The database is ahead by {_counted(base.ahead)} recorded as expand: older code may run beside."
        return replace(found, answer=Answer.BANNER, code="schema_ahead_expand", sentence=sentence)
    return found


def _counted(migrations: Collection[Key]) -> str:
    return f"{len(migrations)} migration{'s' * (len(migrations) != 1)}"


def _behind(base: Report) -> Report:
    sentence = f"The database is behind the code: {_counted(base.pending)} pending."
    steps = [mending.MIGRATE]
    if any(record.kind != "expand" for record in base.ahead.values()):
        sentence += " It is also ahead by migrations that this code does not know."
        steps = [mending.RIGHT_CODE]
    return replace(base, answer=Answer.REFUSE, code="schema_behind", sentence=sentence, mend=tuple(steps))


def _drifted(base: Report) -> Report:
    count = len(base.refusals)
    sentence = f"The database was changed by something other than migrations: {count} difference{'s' * (count != 1)}."
    steps = tuple(mending.drift(base.engine, base.refusals))
    return replace(base, answer=Answer.REFUSE, code="schema_drift", sentence=sentence, mend=steps)


def _stale(base: Report, known: Code, expected: Manifest) -> Report:
    names = sorted(f"{app}.{name}" for app, name in set(known.migrations) ^ expected.migrations)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    sentence = f"The committed manifest is not of this code's migrations: {shown}."
    steps = (mending.WRITE_MANIFEST,)
    return replace(base, answer=Answer.REFUSE, code="manifest_stale", sentence=sentence, mend=steps)


def _down(database: BaseDatabaseWrapper, error: Error) -> Report:
    words = redact(" ".join(str(error).split()))[:300] or type(error).__name__
    return Report(
        Answer.DOWN,
        "database_down",
        "The database does not answer.",
        _name(database),
        database.vendor,
        detail=f"DATABASE_URL: {words}",
        mend=(mending.CHECK_DATABASE,),
    )


def _name(database: BaseDatabaseWrapper) -> str:
    name = str(database.settings_dict["NAME"])
    return Path(name).name if database.vendor == "sqlite" else name


def _is_absent(database: BaseDatabaseWrapper) -> bool:
    if database.vendor != "sqlite" or database.connection is not None:
        return False
    name = str(database.settings_dict["NAME"])
    return not (name == ":memory:" or name.startswith("file:") or Path(name).exists())


def as_json(report: Report) -> dict[str, Any]:
    """The report for machines, without its ``detail``: ``schema_guard --json``, ``/readyz``."""
    return {
        "answer": report.answer.value,
        "code": report.code,
        "sentence": report.sentence,
        "engine": report.engine,
        "database": report.database,
        "may_start": report.may_start,
        "override": str(report.override) if report.overridden else None,
        "pending": [f"{app}.{name}" for app, name in report.pending],
        "ahead": {f"{app}.{name}": record.kind or "unrecorded" for (app, name), record in report.ahead.items()},
        "differences": [
            {"what": row.what, "change": row.change, "place": row.place, "expects": row.expects, "has": row.has}
            | {"weight": row.weight}
            for row in report.differences
        ],
        "mend": [{"title": step.title, "command": step.command} for step in report.mend],
        "fingerprint": report.fingerprint,
        "expected_fingerprint": report.expected_fingerprint,
        "milliseconds": report.milliseconds,
    }

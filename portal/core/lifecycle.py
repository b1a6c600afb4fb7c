"""The one way in which a status changes.

Each model that has a status declares one ``Lifecycle``: a table of verbs.
The same table makes the check, the buttons, the API's errors, the CHECK
constraint and the diagram in the docs. ``move`` is one conditional UPDATE
whose row count is the verdict, with history and event in the same unit of
work; nothing else ever writes the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import models
from django.db.models import F, Q

from portal.core import access, bulk, unit
from portal.core.clock import Wall
from portal.core.unit import Pointer, unit_of_work


class Tracked(models.Model):
    """A row with a status and a version that rises with every change of the row."""

    state = models.CharField(max_length=20, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True


M = TypeVar("M", bound=Tracked)


@dataclass(frozen=True, slots=True)
class Transition:
    """A verb, the states it may start from, the state it ends in, and its button's words."""

    verb: str
    sources: frozenset[str]
    target: str
    label: str = ""


def transition(verb: str, sources: Iterable[str], target: str, label: str = "") -> Transition:
    return Transition(verb, frozenset(map(str, sources)), str(target), label)


def spoken(subject: str) -> str:
    """A subject as a sentence begins with it: "ticket:MC-294" is "Ticket MC-294"."""
    kind, _, name = subject.partition(":")
    return f"{kind.capitalize()} {name}".strip()


class Refused(Exception):
    """A change that the state, or a rule, does not allow.

    ``args[0]`` is a sentence for people: what holds it, and what would lift it.
    ``status`` is how a door over HTTP answers it.
    """

    status = 409


class NotAllowedNow(Refused):
    """The row's state does not know this verb. Carries state, verb and what is allowed."""

    def __init__(self, subject: str, verb: str, state: str, allowed: list[str]) -> None:
        self.subject, self.verb, self.state, self.allowed = subject, verb, state, allowed
        could = f" It allows: {', '.join(allowed)}." if allowed else " It has ended."
        said = f"{spoken(subject)} is {state.replace('_', ' ')}, so it cannot {verb.replace('_', ' ')}."
        super().__init__(said + could)


class Stale(Refused):
    """The row has moved on since it was read."""

    def __init__(self, subject: str, seen: int, now: int) -> None:
        self.subject, self.seen, self.now = subject, seen, now
        since = f"{spoken(subject)} has changed since you opened it (version {seen}, now {now})."
        super().__init__(f"{since} Look again, then decide.")


class Gone(Refused):
    """The row is not there any more."""


@dataclass(frozen=True, slots=True)
class Change(Generic[M]):
    """One row of a bulk change: a verb of the table, or another word where fields alone change; and those fields."""

    row: M
    verb: str
    fields: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


_declared: list[Machine] = []


def declared() -> list[Machine]:
    """Every table, by kind: for the docs and the tests."""
    return sorted(_declared, key=lambda machine: machine.kind)


class Machine:
    """A named table of transitions; the engine's own statements keep to it where no ``Lifecycle`` moves the row."""

    def __init__(self, kind: str, states: type[models.TextChoices], transitions: Iterable[Transition]) -> None:
        self.kind, self.states = kind, states
        self.transitions = {step.verb: step for step in transitions}
        _declared.append(self)

    def allowed(self, state: str) -> list[Transition]:
        """What a row in ``state`` may do, in the table's order: the buttons."""
        return [step for step in self.transitions.values() if state in step.sources]


class Lifecycle(Machine, Generic[M]):
    """The transition table of one model.

    ``subject`` names a row in history ("ticket:MC-294"); ``streams`` lists the
    streams on which its changes are announced; ``stamp`` names a field that
    takes the database's time with every move.
    """

    def __init__(
        self,
        kind: str,
        states: type[models.TextChoices],
        transitions: Iterable[Transition],
        *,
        subject: Callable[[M], str],
        streams: Callable[[M], Iterable[str]] = lambda row: (),
        stamp: str = "",
    ) -> None:
        super().__init__(kind, states, transitions)
        self.subject, self.streams, self.stamp = subject, streams, stamp

    def move(
        self,
        row: M,
        verb: str,
        *,
        reason: str = "",
        expected_version: int | None = None,
        where: Q | None = None,
        **changes: Any,
    ) -> M:
        """Take ``row`` through ``verb``, writing ``changes`` with it.

        ``where`` narrows the UPDATE further (an owner, a fence). Raises
        ``NotAllowedNow``, ``Stale`` or ``Gone``; then nothing was changed.
        On success ``row`` carries the new values of the fields written.
        """
        step = self.transitions[verb]
        stamped = changes | ({self.stamp: Wall()} if self.stamp else {})
        with unit_of_work() as work:
            before = self._update(row, step, expected_version, where, stamped)
            row.refresh_from_db(fields=["state", "version", *stamped])
            after = {"state": step.target, **{name: plain(getattr(row, name)) for name in changes}}
            work.record(f"{self.kind}.{verb}", self.subject(row), before={"state": before}, after=after, reason=reason)
            self.announce(row)
        return row

    def move_all(self, changes: Iterable[Change[M]]) -> None:
        """Make many changes, at most one a row: all of them, or none.

        Rows are locked in id order, so that two of these never wait for each
        other in a circle; each row has its history, each stream one event.
        Fields are named as columns (``ticket_id``). Raises ``NotAllowedNow``
        or ``Gone``. The rows in hand carry the new values.
        """
        wanted = sorted(changes, key=lambda change: change.row.pk)
        if not wanted:
            return
        with unit_of_work() as work:
            before = self._lock(wanted)
            for verb in sorted({change.verb for change in wanted}):
                self._write_all(verb, [change for change in wanted if change.verb == verb])
            told: dict[str, M] = {}
            for change in wanted:
                row, (state, version) = change.row, before[change.row.pk]
                was = {name: plain(getattr(row, name)) for name in change.fields}
                moved = self.transitions.get(change.verb)
                for name, value in {**change.fields, "state": moved.target if moved else state}.items():
                    setattr(row, name, value)
                row.version = version + 1
                after = {name: plain(value) for name, value in change.fields.items()}
                was, after = ({"state": state} | was, {"state": row.state} | after) if moved else (was, after)
                streams = list(self.streams(row))
                # Of many rows of a stream only the last is announced: the scope is said with each.
                said: dict[str, Any] = {"reason": change.reason, "scope": next(filter(access.is_scope, streams), "")}
                work.record(f"{self.kind}.{change.verb}", self.subject(row), before=was, after=after, **said)
                told.update(dict.fromkeys(streams, row))
            for stream, row in told.items():
                work.announce(stream, Pointer(self.kind, self.subject(row), row.version))

    def _lock(self, wanted: list[Change[M]]) -> dict[int, tuple[str, int]]:
        """State and version of each row, locked; raises where a row does not know its verb."""
        manager = type(wanted[0].row)._default_manager
        found: dict[int, tuple[str, int]] = {}
        for chunk in bulk.chunks([change.row.pk for change in wanted]):
            rows = manager.filter(pk__in=chunk).select_for_update(no_key=True).order_by("pk")
            found |= {pk: (state, version) for pk, state, version in rows.values_list("pk", "state", "version")}
        for change in wanted:
            if change.row.pk not in found:
                raise Gone(f"{spoken(self.subject(change.row))} is not there any more.")
            state, moved = found[change.row.pk][0], self.transitions.get(change.verb)
            if moved and state not in moved.sources:
                allowed = [other.verb for other in self.allowed(state)]
                raise NotAllowedNow(self.subject(change.row), change.verb, state, allowed)
        return found

    def _write_all(self, verb: str, changes: list[Change[M]]) -> None:
        """One conditional UPDATE a chunk; its row count is the verdict."""
        manager, moved = type(changes[0].row)._default_manager, self.transitions.get(verb)
        shared: dict[str, Any] = {"version": F("version") + 1}
        shared |= {"state": moved.target} if moved else {}
        shared |= {self.stamp: Wall()} if self.stamp else {}
        for chunk in bulk.chunks(changes):
            rows = manager.filter(pk__in=[change.row.pk for change in chunk])
            rows = rows.filter(state__in=moved.sources) if moved else rows
            fields = bulk.cases(manager.model, {change.row.pk: change.fields for change in chunk})
            if rows.update(**shared, **fields) != len(chunk):
                raise Refused(f"A {self.kind} changed while many were changed. Nothing was written; try again.")

    def announce(self, row: M) -> None:
        """Tell every stream of ``row`` that it is another now."""
        for stream in self.streams(row):
            unit.current().announce(stream, Pointer(self.kind, self.subject(row), row.version))

    def _update(self, row: M, step: Transition, expected: int | None, where: Q | None, changes: dict[str, Any]) -> str:
        """The conditional UPDATE; returns the state it started from."""
        manager = type(row)._default_manager
        guess = row.state
        # Two rounds: the state in hand may be old; the second uses the one just read.
        for _ in range(2):
            if guess in step.sources:
                rows = manager.filter(pk=row.pk, state=guess)
                if expected is not None:
                    rows = rows.filter(version=expected)
                if where is not None:
                    rows = rows.filter(where)
                if rows.update(state=step.target, version=F("version") + 1, **changes) == 1:
                    return guess
            found = manager.filter(pk=row.pk).values_list("state", "version").first()
            if found is None:
                raise Gone(f"{spoken(self.subject(row))} is not there any more.")
            guess = found[0]
            if expected is not None and found[1] != expected:
                raise Stale(self.subject(row), expected, found[1])
            if guess not in step.sources:
                break
        raise NotAllowedNow(self.subject(row), step.verb, guess, [other.verb for other in self.allowed(guess)])


def amend(row: M, lifecycle: Lifecycle[M], verb: str, *, expected_version: int, reason: str = "", **changes: Any) -> M:
    """Change fields of ``row`` that are not its status, under its version.

    Only fields that differ from the stored ones are written: the row in hand
    may be old. Raises ``Stale`` or ``Gone``; nothing was changed then.
    """
    manager = type(row)._default_manager
    with unit_of_work() as work:
        stored = manager.filter(pk=row.pk).first()
        if stored is None:
            raise Gone(f"{spoken(lifecycle.subject(row))} is not there any more.")
        changed = {name: value for name, value in changes.items() if getattr(stored, name) != value}
        if not changed:
            return row
        rows = manager.filter(pk=row.pk, version=expected_version)
        if stored.version != expected_version or rows.update(version=F("version") + 1, **changed) != 1:
            now = manager.filter(pk=row.pk).values_list("version", flat=True).first()
            raise Stale(lifecycle.subject(row), expected_version, now or stored.version)
        before = {name: plain(getattr(stored, name)) for name in changed}
        row.refresh_from_db(fields=["version", *changed])
        after = {name: plain(value) for name, value in changed.items()}
        work.record(f"{lifecycle.kind}.{verb}", lifecycle.subject(row), before=before, after=after, reason=reason)
        lifecycle.announce(row)
    return row


def plain(value: Any) -> Any:
    """A value as history keeps it: JSON, an object by its name, long text cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value[:50]]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in list(value.items())[:50]}
    written = str(value)
    return written if len(written) <= 500 else f"{written[:500]}… ({len(written)} characters)"

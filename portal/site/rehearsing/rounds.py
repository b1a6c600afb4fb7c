"""The rehearsal: from what the original has to this code, back to where it was, and forward again."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.exceptions import AmbiguityError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from portal.core import guard
from portal.core.guard import expansion, history, manifest
from portal.core.guard.compare import Difference, Weight, differences
from portal.core.guard.structure import Structure
from portal.site.keeping.refusals import Refused, one_line
from portal.site.rehearsing import copies, levels
from portal.site.rehearsing.levels import Loss

_APPLYING: Final = re.compile(r"Applying (\S+?)\.\.\.")
Say = Callable[[str], object]
Target = tuple[str, str | None]


@dataclass(slots=True)
class Outcome:
    """What a rehearsal found. ``pending`` says whether there was something to migrate.

    ``steps`` went back and forward again. ``changed`` is what the way to this code does to values that were there:
    a migration may, but somebody ought to know.
    """

    engine: str
    size_bytes: int
    pending: bool = False
    from_heads: dict[str, str] = field(default_factory=dict)
    to_heads: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    tables: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.faults


class Failed(Exception):
    """The rehearsal ends here; the message is its fault."""


def rehearse(say: Say, back_to: Target | None = None) -> Outcome:
    """Rehearse on a copy; the original is only read.

    ``back_to`` is how far back; else where the original is, or, where nothing is pending, the last migration of each
    app of this code. Raises ``Refused`` where it cannot be tried.
    """
    report = guard.look()
    _refuse_unless_fit(report)
    room = copies.room()
    say(str(room))
    began = time.monotonic()
    outcome = Outcome(report.engine, room.size_bytes, pending=bool(report.pending))
    with copies.made(say) as copy:
        try:
            _rounds(copy, outcome, back_to, say)
        except Failed as fault:
            outcome.faults.append(str(fault))
    outcome.seconds = round(time.monotonic() - began, 2)
    return outcome


def _refuse_unless_fit(report: guard.Report) -> None:
    if report.answer is guard.Answer.DOWN:
        raise Refused(f"{report.sentence} {report.detail}")
    if report.code == "schema_empty":
        raise Refused("The database is empty: there is nothing that a migration could lose.")
    if report.ahead or report.code not in {"ok", "schema_behind"}:
        raise Refused(f"{report.sentence} See manage.py schema_guard: a rehearsal begins from what is known.")


def _rounds(copy: BaseDatabaseWrapper, outcome: Outcome, back_to: Target | None, say: Say) -> None:
    outcome.from_heads = heads(copy)
    first = levels.read(copy)
    outcome.tables, outcome.rows = len(first.tables), first.rows
    # Before anything moves: a name that nobody knows is refused.
    target = [_known(back_to)] if back_to else None
    upper = first
    if outcome.pending:
        say("Forward.")
        _forward(copy)
        upper = levels.read(copy)
        outcome.changed = levels.changed(first, upper)
        outcome.losses += levels.lost("forward", first, upper)
        _expect(manifest.load(copy.vendor).structure, upper.structure, "forward", copy.vendor)
    outcome.to_heads = heads(copy)
    say("Back.")
    back = target or (_where_it_was(copy, outcome.from_heads) if outcome.pending else _one_each(copy))
    outcome.steps = backward(copy, back)
    lower = levels.read(copy)
    outcome.losses += levels.lost("back", upper, lower)
    if outcome.pending and not target:
        _expect(first.structure, lower.structure, "back", copy.vendor)
        outcome.faults += [f"Back where it was, {said}." for said in levels.changed(first, lower)]
    else:
        outcome.faults += [f"Back, {said}." for said in levels.changed(upper, lower)]
    say("Forward again.")
    _forward(copy)
    again = levels.read(copy)
    _expect(upper.structure, again.structure, "forward again", copy.vendor)
    outcome.faults += [f"Forward again, {said}." for said in levels.changed(upper, again, among=lower)]


def heads(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """By app, the last migration that the database has; several are joined."""
    loader = MigrationLoader(connection)
    found: dict[str, list[str]] = {}
    for key in sorted(loader.applied_migrations):
        node = loader.graph.node_map.get(key)
        if node is None:
            continue
        follows = [child.key for child in node.children if child.key[0] == key[0]]
        if not any(child in loader.applied_migrations for child in follows):
            found.setdefault(key[0], []).append(key[1])
    return {app: " ".join(names) for app, names in found.items()}


def _where_it_was(connection: BaseDatabaseWrapper, before: dict[str, str]) -> list[Target]:
    """The targets that lead back; an app that was not there goes to nothing."""
    loader = MigrationLoader(connection)
    found: list[Target] = []
    for app in sorted({app for app, _ in loader.graph.nodes}):
        names = before.get(app, "").split()
        found += [(app, name) for name in names] or [(app, None)]
    return found


def _one_each(connection: BaseDatabaseWrapper) -> list[Target]:
    """For each app of this code that has more than one migration, the one before its last."""
    graph = MigrationLoader(connection).graph
    ours = history.ours()
    found: list[Target] = []
    for key in graph.leaf_nodes():
        parents = [parent.key for parent in graph.node_map[key].parents if parent.key[0] == key[0]]
        if key[0] in ours:
            found += parents
    return found


def _known(target: Target) -> Target:
    """The target with its whole name. Raises ``Refused``."""
    app, name = target
    loader = MigrationLoader(None)
    if app not in loader.migrated_apps:
        raise Refused(f"No app {app!r} has migrations.")
    if name in {None, "zero"}:
        return app, None
    try:
        return app, loader.get_migration_by_prefix(app, str(name)).name
    except (AmbiguityError, KeyError) as problem:
        # Django's own words, which a KeyError quotes.
        raise Refused(f"{app} {name}: {problem.args[0]}.") from None


def _forward(copy: BaseDatabaseWrapper) -> None:
    """As the migrate step does it. Raises ``Failed``."""
    said = io.StringIO()
    given: dict[str, Any] = {"database": copy.alias, "interactive": False, "verbosity": 1, "alone": True}
    try:
        call_command("migrate", stdout=said, stderr=said, **given)
    except Exception as problem:
        # Whatever a migration raises is what was looked for.
        names = _APPLYING.findall(said.getvalue())
        raise Failed(_words(names[-1] if names else "migrate", "forward", problem)) from problem


def backward(
    copy: BaseDatabaseWrapper, targets: Sequence[Target], after_each: Callable[[Migration], object] | None = None
) -> list[str]:
    """Take migrations back; answers which, in that order. Raises ``Failed``, and what ``after_each`` raises."""
    gone: list[str] = []
    executor = MigrationExecutor(copy)
    plan = executor.migration_plan(list(targets))
    states = _states(executor, {migration for migration, _ in plan})
    for migration, _ in plan:
        name = f"{migration.app_label}.{migration.name}"
        try:
            # Its models at once, and not for each of its operations again.
            states[migration].apps  # noqa: B018
            executor.unapply_migration(states.pop(migration), migration)
        except Exception as problem:
            # Whatever a migration raises is what was looked for.
            raise Failed(_words(name, "back", problem)) from problem
        gone.append(name)
        if after_each is not None:
            after_each(migration)
    expansion.record(copy)
    return gone


def _states(executor: MigrationExecutor, wanted: set[Migration]) -> dict[Migration, ProjectState]:
    """What the models were before each of these migrations.

    As Django's executor does it, but for one thing: it makes all models of a state before it goes on to the next,
    and with that again for each operation, which takes most of the time.
    """
    loader = executor.loader
    applied = {loader.graph.nodes[key] for key in loader.applied_migrations if key in loader.graph.nodes}
    found: dict[Migration, ProjectState] = {}
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
        if migration in wanted:
            found[migration] = state
            state = migration.mutate_state(state, preserve=True)
        elif migration in applied:
            state = migration.mutate_state(state, preserve=False)
    return found


def _words(step: str, way: str, problem: Exception) -> str:
    return f"{step}, {way}: {type(problem).__name__}: {one_line(problem)}"


def _expect(wanted: Structure, has: Structure, way: str, vendor: str) -> None:
    """Raises ``Failed`` where the structure is another."""
    expected = manifest.Manifest(wanted, {}, frozenset())
    found = [row for row in differences(expected, has) if row.weight is Weight.REFUSE]
    extra = sorted(has.tables.keys() - wanted.tables.keys()) if way != "forward" else []
    if found or extra:
        named = [_place(row) for row in found] + [f"{name} is left over" for name in extra]
        more = f" and {len(named) - 10} more" if len(named) > 10 else ""
        raise Failed(f"After the way {way} the structure is another: {'; '.join(named[:10])}{more}.")


def _place(row: Difference) -> str:
    return f"{row.what.lower()} {row.place}: expected {row.expects}, has {row.has}"


def as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "result": "passed" if outcome.passed else "failed",
        "engine": outcome.engine,
        "pending": outcome.pending,
        "from": outcome.from_heads,
        "to": outcome.to_heads,
        "steps": outcome.steps,
        "faults": outcome.faults,
        "losses": losses(outcome),
        "changed": outcome.changed,
        "tables": outcome.tables,
        "rows": outcome.rows,
        "size_bytes": outcome.size_bytes,
        "seconds": outcome.seconds,
    }


def losses(outcome: Outcome) -> list[dict[str, Any]]:
    return [{"way": loss.way, "table": loss.table, "column": loss.column, "rows": loss.rows} for loss in outcome.losses]

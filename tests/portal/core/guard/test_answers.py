"""The three answers, and the message that is none of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.core.guard import history, manifest, structure, wording
from portal.core.guard.answer import Answer, Report, look
from portal.core.guard.writing import owners
from tests.portal.core.guard.databases import Database


def judged(database: Database) -> Report:
    with database.connected() as connection:
        return look(connection)


def ahead(database: Database, name: str, kind: str, app: str = "tickets") -> None:
    """As newer code's migrate step would have left it."""
    now = "2026-11-20 13:50:00+00:00" if database.engine == "postgresql" else "2026-11-20 13:50:00"
    database.execute(f"INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '{name}', '{now}')")
    if kind:
        database.execute(f"INSERT INTO core_appliedmigration (app, name, kind) VALUES ('{app}', '{name}', '{kind}')")


def test_a_migrated_database_starts(own: Database) -> None:
    report = judged(own)
    assert (report.answer, report.code, report.differences) == (Answer.START, "ok", ())
    assert report.fingerprint == report.expected_fingerprint


def test_the_manifest_is_what_the_migrations_make(own: Database) -> None:
    """Fails after any change of a migration until ``schema_guard --write-manifest`` ran on this engine."""
    with own.connected() as connection:
        live = structure.read(connection)
    made = manifest.Manifest(live, owners(), frozenset(history.on_disk()))
    assert made.written() == manifest.path(own.engine).read_text(encoding="utf-8")
    assert manifest.parse(made.written()) == manifest.Manifest(
        live, {name: owners().get(name, "") for name in live.tables}, made.migrations
    )


def test_an_empty_database_says_migrate(empty: Database) -> None:
    report = judged(empty)
    count = len(history.code().migrations)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_empty")
    assert report.sentence == f"The database is empty: run migrate ({count} pending)."
    assert "python manage.py migrate" in wording.text(report)


def test_looking_at_an_absent_sqlite_file_makes_none(empty: Database, engine: str) -> None:
    assert judged(empty).code == "schema_empty"
    assert not (empty.folder / "own.sqlite3").exists()


def test_behind_lists_what_is_pending(own: Database) -> None:
    own.execute("DELETE FROM django_migrations WHERE app = 'core' AND name = '0002_activity_append_only'")
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_behind")
    assert report.pending == (("core", "0002_activity_append_only"),)
    assert "core.0002_activity_append_only" in wording.text(report)
    assert report.mend[0].command == "python manage.py migrate"


def test_ahead_by_expand_starts_with_a_banner(own: Database) -> None:
    ahead(own, "0999_more", "expand")
    own.execute(
        "ALTER TABLE tickets_ticket ADD COLUMN later varchar(10) NULL",
        "ALTER TABLE tickets_ticket ADD COLUMN counted integer NOT NULL DEFAULT 0",
        "CREATE INDEX tickets_later ON tickets_ticket (later)",
        "CREATE TABLE tickets_more (id integer PRIMARY KEY)",
    )
    report = judged(own)
    assert (report.answer, report.code) == (Answer.BANNER, "schema_ahead_expand")
    assert report.may_start and not report.refusals
    assert {row.place for row in report.differences} == {
        "tickets_ticket.later",
        "tickets_ticket.counted",
        "tickets_ticket.tickets_later",
    }
    assert report.answer.exit_code == 1


def test_expand_explains_only_its_own_app(own: Database) -> None:
    ahead(own, "0999_more", "expand")
    own.execute("ALTER TABLE workers_job ADD COLUMN later varchar(10) NULL")
    report = judged(own)
    assert (report.answer, [row.place for row in report.refusals]) == (Answer.REFUSE, ["workers_job.later"])


def test_expand_does_not_explain_what_old_code_could_not_insert(own: Database) -> None:
    ahead(own, "0999_more", "expand")
    _add_required_column(own)
    report = judged(own)
    assert (report.answer, [row.place for row in report.refusals]) == (Answer.REFUSE, ["tickets_membership.required"])


def _add_required_column(own: Database) -> None:
    if own.engine == "postgresql":
        own.execute("ALTER TABLE tickets_membership ADD COLUMN required integer NOT NULL")
        return
    own.execute(
        "PRAGMA writable_schema = ON",
        """UPDATE sqlite_master SET sql = replace(sql, '("id" integer', '("required" integer NOT NULL, "id" integer')
           WHERE name = 'tickets_membership'""",
    )


@pytest.mark.parametrize("kind", ["contract", ""])
def test_ahead_by_anything_else_refuses(own: Database, kind: str) -> None:
    ahead(own, "0998_fine", "expand")
    ahead(own, "0999_attempt_fence", kind)
    report = judged(own)
    last = max(name for app, name in history.on_disk() if app == "tickets")
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_ahead")
    assert "tickets.0999_attempt_fence, applied 20 Nov 2026 13:50" in wording.text(report).replace("\n", " ").replace(
        "  ", ""
    ) or "tickets.0999_attempt_fence" in wording.text(report)
    assert f"python manage.py migrate tickets {last}" in [step.command for step in report.mend]


def test_a_faked_migration_is_found_by_what_it_did_not_do(own: Database) -> None:
    """As after ``migrate --fake``: the record says that it ran, and the structure says that it did not."""
    last = "0005_rehearsals_and_web_processes"
    own.execute("DROP TABLE core_webprocess", "DROP TABLE core_rehearsal")
    own.execute(f"DELETE FROM django_migrations WHERE app = 'core' AND name = '{last}'")
    assert judged(own).code == "schema_behind"
    now = "now()" if own.engine == "postgresql" else "datetime('now')"
    own.execute(f"INSERT INTO django_migrations (app, name, applied) VALUES ('core', '{last}', {now})")
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_drift")
    assert [row.place for row in report.refusals] == ["core_rehearsal", "core_webprocess"]


def test_a_migration_whose_file_was_deleted_is_found(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its manifest still there, the code contradicts itself; with an older one, the database is newer than it."""
    known = history.code().migrations
    gone = ("core", "0005_rehearsals_and_web_processes")
    monkeypatch.setattr(history, "code", lambda: history.Code({k: v for k, v in known.items() if k != gone}))
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "manifest_stale")
    assert f"{gone[0]}.{gone[1]}" in report.sentence
    written = manifest.load(own.engine)
    older = manifest.Manifest(
        written.structure.only(written.structure.tables.keys() - {"core_rehearsal", "core_webprocess"}),
        written.apps,
        written.migrations - {gone},
    )
    monkeypatch.setattr(manifest, "load", lambda vendor: older)
    report = judged(own)
    assert (report.answer, report.code) == (Answer.BANNER, "schema_ahead_expand")
    own.execute(f"UPDATE core_appliedmigration SET kind = 'contract' WHERE app = 'core' AND name = '{gone[1]}'")
    assert (judged(own).answer, judged(own).code) == (Answer.REFUSE, "schema_ahead")


def test_an_extra_index_only_warns_unless_it_refuses_rows(own: Database) -> None:
    own.execute("CREATE INDEX by_hand ON tickets_project (name)")
    report = judged(own)
    assert (report.answer, [row.place for row in report.warnings]) == (Answer.START, ["tickets_project.by_hand"])
    own.execute("CREATE UNIQUE INDEX by_hand_once ON tickets_project (name)")
    assert [row.place for row in judged(own).refusals] == ["tickets_project.by_hand_once"]


def test_tables_that_no_manifest_knows_are_nobodys_business(own: Database) -> None:
    own.execute("CREATE TABLE somebody_elses (id integer PRIMARY KEY, name text UNIQUE)")
    assert judged(own).answer is Answer.START


@pytest.mark.parametrize(
    ("table", "column"),
    [("core_appliedmigration", "kind"), ("django_migrations", "applied"), ("django_migrations", "app")],
)
def test_drift_of_the_records_themselves_is_a_report(own: Database, table: str, column: str) -> None:
    own.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO other")
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_drift")
    assert f"{table}.{column}" in {row.place for row in report.refusals}


def test_a_lost_record_of_migrations_is_drift_not_emptiness(own: Database) -> None:
    own.execute("DROP TABLE django_migrations")
    report = judged(own)
    assert (report.code, [row.place for row in report.refusals]) == ("schema_drift", ["django_migrations"])


def test_a_database_that_is_down_is_another_message(own: Database) -> None:
    if own.engine == "postgresql":
        down = Database(own.engine, own.url.rpartition("/")[0] + "/nowhere_at_all", own.folder)
    else:
        (own.folder / "broken.sqlite3").write_bytes(b"this is no database, and long enough to be looked at " * 20)
        down = Database(own.engine, f"sqlite:///{own.folder / 'broken.sqlite3'}", own.folder)
    report = judged(down)
    assert (report.answer, report.code, report.may_start) == (Answer.DOWN, "database_down", False)
    assert report.sentence == "The database does not answer."
    assert "DATABASE_URL" in report.detail
    assert report.answer.exit_code == 4


def test_a_stale_manifest_is_named_as_such(own: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(manifest.path(own.engine).read_text(encoding="utf-8"))
    content["migrations"]["tickets"].append("0999_unwritten")
    (tmp_path / f"{own.engine}.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    report = judged(own)
    assert (report.answer, report.code) == (Answer.REFUSE, "manifest_stale")
    assert "tickets.0999_unwritten" in report.sentence
    (tmp_path / f"{own.engine}.json").write_text("{}", encoding="utf-8")
    assert judged(own).code == "manifest_stale"


def test_an_override_lets_start_until_its_end(own: Database, settings: Any) -> None:
    own.execute("DROP TABLE tickets_membership")
    soon = timezone.now() + timedelta(hours=1)
    settings.SCHEMA_GUARD_OVERRIDE = f"restoring the memberships until {soon.isoformat()}"
    report = judged(own)
    assert report.answer is Answer.REFUSE
    assert report.may_start and report.overridden
    assert report.override is not None and report.override.reason == "restoring the memberships"
    settings.SCHEMA_GUARD_OVERRIDE = f"too late until {(soon - timedelta(hours=2)).isoformat()}"
    report = judged(own)
    assert not report.may_start and not report.overridden
    assert "Override is over: too late" in wording.text(report)


def test_nothing_overrides_a_database_that_is_down(own: Database, settings: Any) -> None:
    settings.SCHEMA_GUARD_OVERRIDE = f"anyway until {(timezone.now() + timedelta(hours=1)).isoformat()}"
    own.execute("SELECT 1")
    gone = Database(own.engine, own.url.rpartition("/")[0] + "/nowhere/at_all", own.folder)
    if own.engine == "sqlite":
        gone = Database(own.engine, f"sqlite:///{own.folder}", own.folder)
    assert not judged(gone).may_start

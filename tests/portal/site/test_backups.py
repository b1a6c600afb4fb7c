"""Backups: whole or not there, consistent beside whoever writes, and known to be good."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings

from portal.core.models import Activity, User
from portal.site.keeping import backups, engines, jobs, manifest, restoring
from portal.site.keeping.refusals import Refused
from portal.site.launching.lock import Lock
from tests.engines import children
from tests.portal.site import keeping_place
from tests.portal.site.keeping_place import Places
from tests.tickets import build
from tickets import attachments
from tickets.models import Attachment
from workers import claims, schedules
from workers.failures import JobFailed
from workers.models import Job, Pool, Schedule

ROOT = Path(__file__).resolve().parents[3]


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        act()
    said = str(refused.value)
    assert "\n" not in said
    return said


def modes(folder: Path) -> set[str]:
    return {oct(stat.S_IMODE(path.lstat().st_mode)) for path in [folder, *folder.rglob("*")]}


def test_a_backup_holds_every_row_and_file_and_can_be_checked_without_us(places: Places) -> None:
    with places.filled() as data:
        ticket = keeping_place.ticket()
        kept = [keeping_place.attach(ticket, content) for content in (b"one", b"two")]
        (data / "spools" / "7" / "agent").mkdir(parents=True)
        (data / "spools" / "7" / "agent" / "stdout.spool").write_bytes(b"said")
        (data / "attachments" / "arriving" / "half").write_bytes(b"ha")
        (data / "keys").mkdir()
        (data / "keys" / "secrets_key").write_text("k" * 64)
        made = backups.make()
        told = made.manifest
        assert told is not None
        assert told.tables == engines.of_installation().live_counts()
        assert (told.tables["tickets_attachment"], told.engine, told.lacking) == (2, settings.ENGINE, 0)
        assert made.path.parent == data / "backups"
        assert modes(made.path) == {"0o700", "0o600"}
        names = set(keeping_place.files(made.path))
        stored = {f"attachments/{row.stored_as[:2]}/{row.stored_as}" for row in kept}
        assert names == {*stored, "spools/7/agent/stdout.spool", told.database, "manifest.json", "SHA256SUMS"}
        done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=made.path)
        assert done.returncode == 0
        assert [one.name for one in backups.listed()[0]] == [made.name]


@contextmanager
def writing(ticket: Any, data: Path) -> Iterator[Callable[[int], list[tuple[int, str]]]]:
    """A process that attaches files; the answer waits for so many, and names all that are acknowledged."""
    name, url = connection.settings_dict["NAME"], os.environ["DATABASE_URL"]
    url = f"sqlite:///{name}" if url.startswith("sqlite") else f"{url.rpartition('/')[0]}/{name}"
    environment = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(data), "TICKET_FILES": "10000"}
    argv = [sys.executable, "-m", "tests.portal.site.busy_writer", str(ticket.pk)]
    log = data.parent / "written.log"
    process = children.start(argv, log=log, env=environment, cwd=ROOT)

    def acknowledged(wanted: int) -> list[tuple[int, str]]:
        children.wait_for("the writer", lambda: log.read_text().count("\n") >= wanted, process=process)
        # The last line may be half written.
        lines = [line.split() for line in log.read_text().rpartition("\n")[0].splitlines()]
        return [(int(pk), digest) for pk, digest in lines]

    try:
        yield acknowledged
    finally:
        children.end(process)


def test_beside_a_writer_it_holds_what_was_acknowledged_before_and_is_whole(places: Places) -> None:
    with places.filled() as data:
        ticket = keeping_place.ticket()
        with writing(ticket, data) as acknowledged:
            before = acknowledged(10)
            made = backups.make()
            after = acknowledged(len(before) + 10)
        assert made.manifest is not None and made.manifest.lacking == 0
        assert len(after) > len(before) >= 10
    with places.empty() as data:
        restoring.restore(made.path)
        rows = {row.pk: row for row in Attachment.objects.all()}
        assert {(pk, rows[pk].digest) for pk, _ in before} == set(before)
        for row in rows.values():
            with attachments.open_file(row) as file:
                assert hashlib.sha256(file.read()).hexdigest() == row.digest
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                assert cursor.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_file_that_comes_or_goes_while_it_is_made_is_in_it_and_a_lost_one_is_named(places: Places) -> None:
    with places.filled() as data:
        ticket = keeping_place.ticket()
        gone, lost = (keeping_place.attach(ticket, content) for content in (b"gone", b"lost"))
        (data / "attachments" / lost.stored_as[:2] / lost.stored_as).unlink()
        (data / "spools" / "7").mkdir(parents=True)
        (data / "spools" / "7" / "stdout.spool").write_bytes(b"said")
        looks, came = iter(range(100_000)), []

        def meanwhile() -> None:
            match next(looks):
                case 2:  # at the spool: the attachments were looked through
                    came.append(keeping_place.attach(ticket, b"came"))
                case 4:  # the snapshot stands
                    attachments.remove(gone, reason="now")

        made = backups.make(look=meanwhile)
        assert made.manifest is not None
        assert made.manifest.missing == (lost.stored_as,)
        files = keeping_place.files(made.path)
        for row, content in ((gone, b"gone"), (came[0], b"came")):
            assert files[f"attachments/{row.stored_as[:2]}/{row.stored_as}"] == content
        assert made.manifest.tables["tickets_attachment"] == 3


def test_one_that_is_ended_in_the_middle_leaves_nothing_that_looks_whole(places: Places) -> None:
    class Ended(Exception):
        pass

    with places.filled() as data:
        keeping_place.attach(keeping_place.ticket(), b"x")
        for at in (0, 3, 9):
            looks = iter(range(at))
            with pytest.raises(Ended):
                backups.make(look=lambda looks=looks: ended_with(looks, Ended))
            assert backups.listed() == ([], 0)
            assert [path.name for path in (data / "backups").iterdir()] == [".lock"]
        # What a killed process leaves has another name, and the next one takes it away.
        half = data / "backups" / ".half-shiproom-20260101T000000Z"
        half.mkdir()
        seen: list[Any] = []
        made = backups.make(look=lambda: seen.append(backups.listed()))
        assert seen and all(found == ([], 0) for found in seen)
        assert sorted(path.name for path in (data / "backups").iterdir()) == [".lock", made.name]


def ended_with(looks: Iterator[int], problem: type[Exception]) -> None:
    if next(looks, None) is None:
        raise problem


@pytest.mark.once
def test_the_oldest_go_beyond_the_limit_and_nothing_else_does(places: Places, settings: Any) -> None:
    with places.filled() as data:
        settings.LIMITS = {**settings.LIMITS, "BACKUPS_KEPT": 2}
        to = data / "elsewhere"
        to.mkdir()
        (to / "holiday.jpg").write_bytes(b"x")
        (to / "shiproom-notes").mkdir()
        made = [backups.make(to).name for _ in range(3)]
        assert len(set(made)) == 3
        assert [one.name for one in backups.listed(to)[0]] == sorted(made[1:], reverse=True)
        assert (to / "holiday.jpg").exists() and (to / "shiproom-notes").exists()
        assert backups.listed(to, most=1)[1] == 1


@pytest.mark.once
def test_two_at_once_are_one(places: Places) -> None:
    with places.filled() as data:
        (data / "backups").mkdir()
        lock = Lock(data / "backups" / ".lock")
        lock.take()
        assert f"Process {os.getpid()} is making a backup" in refusal(backups.make)
        lock.release()


@pytest.mark.once
def test_a_place_that_takes_nothing_is_said_in_one_line(places: Places) -> None:
    with places.filled() as data:
        (data / "taken").write_text("a file")
        with pytest.raises(CommandError) as refused:
            call_command("backup", to=data / "taken")
        assert refused.value.returncode == 2
        assert str(refused.value) == f"{data / 'taken'} cannot be written or read (File exists)."


@pytest.mark.once
def test_keys_are_in_it_only_where_they_are_asked_for(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    with places.filled() as data:
        (data / "keys").mkdir()
        (data / "keys" / "secrets_key").write_text("k" * 64)
        call_command("backup", with_keys=True)
        call_command("backup")
        without, having = (one.path for one in backups.listed()[0])
        assert (having / "keys" / "secrets_key").read_text() == "k" * 64
        assert "Without DATA_DIR/keys" in capsys.readouterr().out
        assert not (without / "keys").exists()


def test_a_changed_byte_is_found_wherever_it_is(places: Places, tmp_path: Path) -> None:
    with places.filled():
        keeping_place.attach(keeping_place.ticket(), b"not to be changed")
        made = backups.make()
    files = sorted(keeping_place.files(made.path))
    assert len(files) == 4, "the attachment, the database, the manifest, the sums"
    with places.empty() as data:
        for name in files:
            copy = shutil.copytree(made.path, tmp_path / name.replace("/", "-"))
            content = bytearray((copy / name).read_bytes())
            place = len(content) // 2
            content[place] = ord("0") if content[place] != ord("0") else ord("1")
            (copy / name).write_bytes(content)
            assert "is damaged" in refusal(lambda copy=copy: restoring.restore(copy))
        assert keeping_place.files(data) == {}
        assert connection.introspection.table_names() == []


@pytest.mark.postgresql
def test_without_the_right_pg_dump_it_says_which_one_it_needs(places: Places, tmp_path: Path) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    with places.filled() as data, override_settings(PG_BIN_DIR=str(tmp_path)):
        major = connection.pg_version // 10_000
        said = refusal(backups.make)
        assert said == (
            f"pg_dump of PostgreSQL {major}, the server's version, is not on this machine; there is that of 9."
            f" Install postgresql-client-{major}, or name its folder in PG_BIN_DIR."
        )
        assert backups.listed() == ([], 0)
        assert keeping_place.files(data) == {"backups/.lock": b""}


def test_a_job_makes_one_and_history_says_so(places: Places) -> None:
    with places.filled():
        first, second = jobs.ask(), jobs.ask()
        assert first.pk == second.pk, "one that waits is enough"
        live = jobs.live()
        assert live is not None and live.pk == first.pk
        [claim] = claims.claim(Pool.TURNS, [jobs.KIND], worker="w", most=1)
        name = jobs.run(claim)
        [made], more = backups.listed()
        assert (made.name, more) == (name, 0)
        assert Activity.objects.filter(verb="backup.made", subject=f"backup:{name}").exists()


@pytest.mark.once
def test_a_job_that_cannot_make_one_fails_with_the_reason(places: Places) -> None:
    with places.filled() as data:
        (data / "backups").write_text("in the way")
        jobs.ask()
        [claim] = claims.claim(Pool.TURNS, [jobs.KIND], worker="w", most=1)
        with pytest.raises(JobFailed, match="cannot be written or read"):
            jobs.run(claim)


@pytest.mark.once
def test_every_installation_has_the_schedule(places: Places) -> None:
    with places.filled():
        schedules.make_standing()
        assert Schedule.objects.get(name="back-up").kind == jobs.KIND


@pytest.mark.once
def test_the_page_shows_what_is_there_and_its_button_asks_for_one(
    places: Places, sign_in: Callable[[Any], Client]
) -> None:
    with places.filled() as data:
        ticket = keeping_place.ticket()
        lost = keeping_place.attach(ticket, b"lost")
        (data / "attachments" / lost.stored_as[:2] / lost.stored_as).unlink()
        client = sign_in(User.objects.get(email="admin@example.org"))
        assert "No backup yet" in client.get("/backups/").content.decode()
        made = backups.make()
        page = client.get("/backups/").content.decode()
        assert made.name in page and "Lacks files" in page and lost.stored_as in page
        (made.path / manifest.NAME).write_text(json.dumps({"form": 99}))
        assert "Damaged" in client.get("/backups/fragment/").content.decode()
        assert client.post("/backups/now/").status_code == 302
        assert "A backup waits for a worker of turns" in client.get("/backups/").content.decode()
        Job.objects.update(state="dead", finished_at=build.now(), error="Trace\nThe disk is full.")
        assert "The last try failed: The disk is full." in client.get("/backups/").content.decode()


@pytest.mark.once
def test_branches_of_tickets_are_kept_and_come_back(places: Places) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]

    def run(*arguments: str, at: Path) -> str:
        return subprocess.run([*git, *arguments], cwd=at, check=True, capture_output=True, text=True).stdout.strip()

    with places.filled() as data:
        keeping_place.ticket()
        clone = data / "clones" / "MC.git"
        clone.mkdir(parents=True)
        (data / "clones" / "ZZ.git").mkdir()
        run("init", "--quiet", "--bare", at=clone)
        tree = run("hash-object", "-t", "tree", "-w", "/dev/null", at=clone)
        commit = run("commit-tree", tree, "-m", "work", at=clone)
        run("update-ref", "refs/heads/shiproom/mc-1", commit, at=clone)
        made = backups.make()
    told = made.manifest
    assert told is not None and told.branches == ("MC",)
    assert [name.partition(":")[0] for name in told.missing] == ["branches of ZZ"], "one damaged keeps no other from it"
    with places.empty() as data:
        restoring.restore(made.path)
        assert run("rev-parse", "refs/heads/shiproom/mc-1", at=data / "clones" / "MC.git") == commit

"""A restore: into an empty place only, after all was verified; what must not go on does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from portal.core import guard, notifications, secrets, tokens
from portal.core.models import ApiToken, User
from portal.core.unit import Pointer, unit_of_work
from portal.live.models import Stream
from portal.site.keeping import backups, engines, manifest, restoring
from portal.site.launching.lock import Lock
from tests.portal.site import keeping_place
from tests.portal.site.keeping_place import Places
from workers import claims, sweeping
from workers.agents import trials
from workers.models import Agent, AgentVersion, Attempt, Job, JobState, Outcome, Worker


def busy() -> Job:
    """An installation at work: somebody signed in, a token, a secret, events, a job that a worker holds."""
    ticket = keeping_place.ticket()
    keeping_place.attach(ticket, b"kept")
    owner = User.objects.get(email="owner@example.org")
    tokens.issue(owner, name="laptop", days=1, may_write=False)
    secrets.store("deploy-key", "canary")
    Session.objects.create(session_key="s" * 32, session_data="x", expire_date="2099-01-01T00:00:00Z")
    with unit_of_work() as work:
        work.announce(ticket.subject, Pointer("ticket", ticket.subject, 1))
    with unit_of_work():
        notifications.notify([owner.pk], verb="x", subject=ticket.subject, scope="", title="x", url="/")
    Worker.objects.create(name="turns@gone:1:1", pool="turns", host="gone", pid=1)
    agent = Agent.objects.create(name="dev")
    AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", trusted=True, command=["true"], wall_seconds=60, silence_seconds=60
    )
    trials.ask(agent)
    [claim] = claims.claim("turns", [trials.KIND], worker="turns@gone:1:1", most=1)
    return Job.objects.get(pk=claim.job_id)


@dataclass(frozen=True)
class Before:
    """A backup of an installation at work, and what its rows were."""

    path: Path
    told: manifest.Manifest
    job: Job
    epochs: dict[str, str]
    heads: dict[str, int]


@dataclass(frozen=True)
class After:
    """What was found in its restored copy."""

    said: str
    answer: guard.Answer
    counts: dict[str, int]
    files: set[str]
    job: Job
    swept: Job
    outcome: str
    alive: int
    epochs: dict[str, str]
    heads: dict[str, int]
    secret: str
    revoked: Any


@pytest.fixture(scope="module")
def places_of_module(
    tmp_path_factory: pytest.TempPathFactory, migrated: Any, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Places]:
    with django_db_blocker.unblock():
        yield Places(tmp_path_factory.mktemp("kept"), migrated)


@pytest.fixture(scope="module")
def kept(places_of_module: Places) -> Before:
    with places_of_module.filled():
        job = busy()
        made = backups.make(places_of_module.folder / "to")
        assert made.manifest is not None
        return Before(made.path, made.manifest, job, epochs(), heads())


@pytest.fixture(scope="module")
def restored(places_of_module: Places, kept: Before) -> After:
    said = StringIO()
    with places_of_module.empty() as data:
        call_command("restore", str(kept.path), stdout=said)
        answer, counts = guard.look().answer, engines.of_installation().live_counts()
        job, alive = Job.objects.get(), Worker.objects.filter(state=Worker.State.ALIVE).count()
        secret, revoked = secrets.reveal("deploy-key"), ApiToken.objects.get().revoked_at
        found = epochs(), heads()
        assert sweeping.sweep() == 1
        return After(
            said=said.getvalue(),
            answer=answer,
            counts=counts,
            files=set(keeping_place.files(data)),
            job=job,
            swept=Job.objects.get(),
            outcome=Attempt.objects.get().outcome,
            alive=alive,
            epochs=found[0],
            heads=found[1],
            secret=secret,
            revoked=revoked,
        )


def epochs() -> dict[str, str]:
    return dict(Stream.objects.values_list("name", "epoch"))


def heads() -> dict[str, int]:
    return dict(Stream.objects.values_list("name", "head"))


def refusal(folder: Path) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("restore", str(folder))
    assert refused.value.returncode == 2
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_what_comes_back_is_what_was_kept(kept: Before, restored: After) -> None:
    tables = kept.told.tables
    assert restored.answer is guard.Answer.START
    assert "The database is what the code expects." in restored.said
    assert restored.counts == {**tables, "django_session": 0, "core_activity": tables["core_activity"] + 1}
    assert tables["django_session"] == 1 and tables["core_notification"] > 0, "or nothing is shown by it"
    stored = {name for name in keeping_place.files(kept.path) if name.startswith(("attachments/", "spools/"))}
    assert stored and stored <= restored.files


def test_nobody_is_told_nothing_is_sent_and_tokens_hold(restored: After) -> None:
    assert mail.outbox == []
    assert restored.revoked is None
    assert restored.secret == "canary"


def test_claims_of_before_are_over_and_the_first_look_queues_their_jobs(kept: Before, restored: After) -> None:
    assert (restored.job.state, restored.job.fence) == (JobState.RUNNING, kept.job.fence)
    assert restored.job.lease_until is not None and kept.job.lease_until is not None
    assert restored.job.lease_until < kept.job.lease_until
    assert restored.alive == 0
    assert restored.swept.state == JobState.QUEUED
    assert restored.outcome in (Outcome.LOST, Outcome.UNSEEN)


def test_every_stream_has_another_epoch_and_its_old_numbers(kept: Before, restored: After) -> None:
    assert restored.epochs.keys() == kept.epochs.keys() and kept.epochs
    assert all(epoch != kept.epochs[name] for name, epoch in restored.epochs.items())
    assert restored.heads == kept.heads


@pytest.mark.once
def test_secrets_that_the_key_does_not_open_are_named(
    places: Places, kept: Before, capsys: pytest.CaptureFixture[str]
) -> None:
    with places.empty(), override_settings(SECRETS_KEY="another key, " * 5):
        call_command("restore", str(kept.path))
        assert "this SECRETS_KEY does not open: deploy-key" in capsys.readouterr().err


@pytest.mark.once
def test_keys_of_the_backup_take_the_place_of_those_that_a_start_made(places: Places) -> None:
    with places.filled() as data:
        (data / "keys").mkdir()
        (data / "keys" / "secrets_key").write_text("old" * 20)
        made = backups.make(with_keys=True)
    with places.empty() as data:
        (data / "keys").mkdir()
        (data / "keys" / "secrets_key").write_text("new" * 20)
        assert restoring.restore(made.path).keys == ["secrets_key"]
        assert (data / "keys" / "secrets_key").read_text() == "old" * 20
        assert (data / "keys" / "secrets_key.before-restore").read_text() == "new" * 20


def test_an_older_schema_comes_back_as_it_was_and_is_to_be_migrated(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    with places.filled():
        keeping_place.ticket()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'live'")
        made = backups.make()
    with places.empty():
        call_command("restore", str(made.path))
        said = capsys.readouterr().out
        assert "The database is behind the code" in said and "python manage.py migrate" in said
        assert guard.look().code == "schema_behind"


def test_a_database_that_is_not_empty_is_left_alone(places: Places, kept: Before) -> None:
    with places.filled() as data:
        keeping_place.ticket()
        before = engines.of_installation().live_counts()
        assert "is not empty: it has" in refusal(kept.path)
        assert engines.of_installation().live_counts() == before
        assert set(keeping_place.files(data)) <= {"run/up.lock"}


@pytest.mark.once
def test_a_data_folder_that_is_not_empty_is_left_alone(places: Places, kept: Before) -> None:
    with places.empty() as data:
        for name in ("attachments/ab/abc", "spools/1/agent/stdout.spool", "clones/MC.git/HEAD"):
            path = data / name
            path.parent.mkdir(parents=True)
            path.write_bytes(b"somebody's")
            said = refusal(kept.path)
            assert said == f"DATA_DIR is not empty: there is {path}. Move it away, or name another folder in DATA_DIR."
            assert path.read_bytes() == b"somebody's"
            path.unlink()
        assert connection.introspection.table_names() == []


@pytest.mark.once
def test_one_that_is_served_is_left_alone(places: Places, kept: Before) -> None:
    with places.empty() as data:
        (data / "run").mkdir()
        lock = Lock(data / "run" / "up.lock")
        lock.take()
        assert "is served by process" in refusal(kept.path)
        lock.release()


def changed(path: Path, to: Path, **told: Any) -> Path:
    """The backup with another word in its manifest, sealed anew."""
    shutil.copytree(path, to)
    content = json.loads((to / manifest.NAME).read_text()) | told
    (to / manifest.NAME).write_text(json.dumps(content))
    sums = manifest.read_sums(to) | {manifest.NAME: manifest.digest_of(to / manifest.NAME, lambda: None)}
    (to / manifest.SUMS).write_bytes(manifest.sums_text(sums))
    return to


def test_what_is_no_backup_of_this_engine_is_refused(places: Places, kept: Before, tmp_path: Path) -> None:
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[settings.ENGINE]
    words = engines.WORDS
    with places.empty():
        assert refusal(tmp_path / "nowhere").endswith("is no folder: name that of a backup.")
        assert refusal(tmp_path).endswith("is no backup: it has no manifest.json.")
        wrong = changed(kept.path, tmp_path / "engine", engine=other)
        assert refusal(wrong) == f"The backup is of {words[other]}; DATABASE_URL names {words[settings.ENGINE]}."
        assert "this code reads form 1" in refusal(changed(kept.path, tmp_path / "form", form=2))
        assert "cannot be read" in refusal(changed(kept.path, tmp_path / "tables", tables=7))


@pytest.mark.once
def test_a_backup_that_lost_or_gained_a_file_is_refused(places: Places, kept: Before, tmp_path: Path) -> None:
    shutil.copytree(kept.path, tmp_path / "gained")
    (tmp_path / "gained" / "more").write_text("x")
    shutil.copytree(kept.path, tmp_path / "lost")
    next((tmp_path / "lost").glob("attachments/*/*")).unlink()
    shutil.copytree(kept.path, tmp_path / "half")
    (tmp_path / "half" / manifest.SUMS).unlink()
    with places.empty() as data:
        assert refusal(tmp_path / "gained").endswith("a file that the backup did not write: more.")
        assert refusal(tmp_path / "lost").endswith("is missing.")
        assert "no whole backup" in refusal(tmp_path / "half")
        assert set(keeping_place.files(data)) <= {"run/up.lock"}


def test_a_restore_that_fails_in_the_middle_leaves_an_empty_place(places: Places, kept: Before, tmp_path: Path) -> None:
    wrong = changed(kept.path, tmp_path / "counts", tables=manifest.read(kept.path).tables | {"core_user": 99})
    with places.empty() as data:
        assert refusal(wrong) == "core_user has 7 rows; the backup has 99."
        assert set(keeping_place.files(data)) <= {"run/up.lock"}
        assert connection.introspection.table_names() == []
        restoring.restore(kept.path)

"""What done tickets left on a machine goes after its time, and never under a ticket that is at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from portal.core import clock
from portal.core.unit import unit_of_work
from tests.factories import World
from tests.tickets import build
from tests.tickets.repositories import commit, person, repository
from tests.workers.racing import race
from tickets import clearing, clones, work, workspaces
from tickets.models import Project, Ticket, Workspace
from workers import claims, kinds, queue

pytestmark = pytest.mark.django_db(transaction=True)
Clear = Callable[[], int]


@pytest.fixture
def mc(world: World, tmp_path: Path, settings: Any) -> Project:
    settings.DATA_DIR = tmp_path / "data"
    return build.repository(world.mc, str(repository(tmp_path / "mc")))


@pytest.fixture
def claimed() -> Iterator[Callable[[], claims.Claim]]:
    kinds.register(kinds.Kind("test.clear", "Clear", "short", lambda claim: None))

    def claimed() -> claims.Claim:
        queue.enqueue("test.clear")
        (claim,) = claims.claim("short", ["test.clear"], worker="worker@test", most=1)
        return claim

    yield claimed
    kinds._kinds.pop("test.clear")


@pytest.fixture
def clear(claimed: Callable[[], claims.Claim]) -> Clear:
    return lambda: clearing.clear_workspaces(claimed())


def done(of: Project, *, ago: float = 14.1, state: str = "done") -> Ticket:
    """A ticket that nobody has touched for so many days, with a folder of its own."""
    made = build.ticket(of, state=state)
    Ticket.objects.filter(pk=made.pk).update(updated_at=clock.now() - timedelta(days=ago))
    folder = workspaces.path_of(made)
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("work\n")
    return made


def left(settings: Any, kind: str = "workspaces") -> set[str]:
    folder = settings.DATA_DIR / kind
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_its_time_is_counted_from_what_last_happened_to_it(mc: Project, clear: Clear, settings: Any) -> None:
    done(mc)
    young = done(mc, ago=13.9)
    assert clear() == 1
    assert left(settings) == {young.key}
    assert clear() == 0


@pytest.mark.parametrize("state", ["open", "queued", "running", "needs_person", "in_review", "failed", "merging"])
def test_a_ticket_that_is_not_done_keeps_all(mc: Project, clear: Clear, settings: Any, state: str) -> None:
    kept = done(mc, ago=5000, state=state)
    assert clear() == 0 and left(settings) == {kept.key}


def test_one_with_a_job_on_its_way_keeps_all(mc: Project, clear: Clear, settings: Any, claimed: Any) -> None:
    kept = done(mc)
    queue.enqueue("test.clear", subject=kept.subject, delay_seconds=3600)
    assert clear() == 0 and left(settings) == {kept.key}


def test_what_was_set_aside_and_the_agents_homes_go_with_it(mc: Project, clear: Clear, settings: Any) -> None:
    gone, kept = done(mc), done(mc, ago=1)
    for name in (f"{gone.key}.set-aside-00ff00ff", f"{kept.key}.set-aside-00ff00ff"):
        (settings.DATA_DIR / "workspaces" / name).mkdir()
    for name in (gone.key, kept.key, "checks-MC"):
        (settings.DATA_DIR / "homes" / name / "dev").mkdir(parents=True)
    assert clear() == 1
    assert left(settings) == {kept.key, f"{kept.key}.set-aside-00ff00ff"}
    assert left(settings, "homes") == {kept.key, "checks-MC"}


def test_a_link_in_its_place_is_removed_and_not_followed(mc: Project, clear: Clear, settings: Any) -> None:
    ticket = done(mc)
    folder = workspaces.path_of(ticket)
    (folder / "a.txt").unlink()
    folder.rmdir()
    elsewhere = settings.DATA_DIR / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("kept")
    folder.symlink_to(elsewhere)
    assert clear() == 1
    assert (elsewhere / "precious").exists() and left(settings) == set()


def test_what_a_killed_run_left_goes_with_the_next(mc: Project, clear: Clear, settings: Any) -> None:
    half = settings.DATA_DIR / "workspaces" / ".gone-0011"
    half.mkdir(parents=True)
    (half / "a.txt").write_text("x")
    assert clear() == 0 and left(settings) == set()


def test_folders_that_belong_to_no_ticket_are_nobodys_to_clear(mc: Project, clear: Clear, settings: Any) -> None:
    (settings.DATA_DIR / "workspaces" / "notes").mkdir(parents=True)
    assert clear() == 0 and left(settings) == {"notes"}


def test_a_ticket_that_is_reopened_goes_on_with_its_branch(
    mc: Project, clear: Clear, claimed: Callable[[], claims.Claim]
) -> None:
    ticket = build.ticket(mc, state="done")
    ticket = Ticket.objects.select_related("project").get(pk=ticket.pk)
    first = workspaces.prepare(claimed(), ticket)
    own = commit(Path(first.path), "Own", **{"b.txt": "own\n"})
    Ticket.objects.filter(pk=ticket.pk).update(updated_at=clock.now() - timedelta(days=15))
    assert clear() == 1
    assert not Path(first.path).exists() and Workspace.objects.get().host == first.host
    assert len(person(clones.path_of(mc), "worktree", "list").splitlines()) == 1
    again = workspaces.prepare(claimed(), ticket)
    assert person(Path(again.path), "rev-parse", "HEAD") == own and (Path(again.path) / "b.txt").exists()


@pytest.mark.postgresql
def test_a_ticket_that_is_reopened_while_it_is_cleared_keeps_its_worktree(
    mc: Project, claimed: Callable[[], claims.Claim], settings: Any
) -> None:
    """It was done when it was looked for; the run waits for the reopening to commit, and looks again."""
    ticket = done(mc)
    claim = claimed()
    connection.close()
    assert race(_reopen_and_clear, [("reopen", ticket.pk, claim), ("clear", ticket.pk, claim)]) == [True, 0]
    assert left(settings) == {ticket.key}
    assert Ticket.objects.get(pk=ticket.pk).state == "open"


def _reopen_and_clear(who: str, ticket: int, claim: claims.Claim) -> bool | int:
    if who == "clear":
        _until(lambda: bool(_count("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7107")))
        return clearing.clear_workspaces(claim)
    with unit_of_work():
        work.reopen(Ticket.objects.get(pk=ticket), reason="It is not done after all.")
        _count("SELECT count(pg_advisory_xact_lock(7107))")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        _until(lambda: bool(_count(waiting)))
    return True


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.01)
    raise TimeoutError


def _count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])

"""A ticket's worktree: made once, new at each turn, never at the cost of what lies in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories import World
from tests.tickets import build
from tests.tickets.repositories import booby_trap, commit, lines, person, repository
from tests.workers.racing import race
from tickets import clones, git, workspaces
from tickets.models import Project, Ticket, Workspace
from workers import claims, kinds, presence, queue
from workers.failures import BadInput, JobFailed

Prepare = Callable[..., Workspace]


@pytest.fixture
def mc(world: World, tmp_path: Path, settings: Any) -> Project:
    settings.DATA_DIR = tmp_path / "data"
    return build.repository(world.mc, str(repository(tmp_path / "mc")))


@pytest.fixture
def ticket(mc: Project) -> Ticket:
    return build.ticket(mc)


@pytest.fixture
def prepare(transactional_db: None) -> Iterator[Prepare]:
    """``prepare(ticket)``, as a turn's worker does it: a claim of its own each time."""
    kinds.register(kinds.Kind("test.prepare", "Prepare", "short", lambda claim: None))

    def prepare(ticket: Ticket) -> Workspace:
        queue.enqueue("test.prepare", subject=ticket.subject, payload={})
        (claim,) = claims.claim("short", ["test.prepare"], worker="worker@test", most=1)
        return workspaces.prepare(claim, Ticket.objects.select_related("project").get(pk=ticket.pk))

    yield prepare
    kinds._kinds.pop("test.prepare")


def source(ticket: Ticket) -> Path:
    return Path(ticket.project.repository)


def test_it_is_a_worktree_of_the_clone_on_the_tickets_branch_at_the_target(
    ticket: Ticket, prepare: Prepare, settings: Any
) -> None:
    target = person(source(ticket), "rev-parse", "HEAD")
    made = prepare(ticket)
    folder = Path(made.path)
    assert folder == settings.DATA_DIR / "workspaces" / ticket.key and made.host == presence.host()
    assert (made.branch, made.base_commit) == (f"shiproom/{ticket.key.lower()}", target)
    assert (folder / "a.txt").read_text() == lines() and person(folder, "status", "--porcelain") == ""
    assert person(folder, "symbolic-ref", "HEAD") == f"refs/heads/{made.branch}"
    common = person(folder, "rev-parse", "--path-format=absolute", "--git-common-dir")
    assert Path(common) == clones.path_of(ticket.project)
    # The project's own repository knows nothing of it.
    assert person(source(ticket), "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert len(person(source(ticket), "worktree", "list").splitlines()) == 1


def test_the_next_turn_finds_it_as_it_was_left_beside_a_target_that_is_new(ticket: Ticket, prepare: Prepare) -> None:
    first = prepare(ticket)
    folder = Path(first.path)
    own = commit(folder, "Own", **{"b.txt": "own\n"})
    (folder / "a.txt").write_text("edited\n")
    (folder / "new.txt").write_text("new\n")
    theirs = commit(source(ticket), "Theirs", **{"c.txt": "theirs\n"})
    second = prepare(ticket)
    assert (second.pk, second.base_commit, second.path) == (first.pk, first.base_commit, first.path)
    assert (git.head(folder), git.git(folder, "rev-parse", "origin/main")) == (own, theirs)
    assert (folder / "a.txt").read_text() == "edited\n" and (folder / "new.txt").read_text() == "new\n"


def test_one_that_was_deleted_by_hand_is_made_again_with_its_commits(ticket: Ticket, prepare: Prepare) -> None:
    first = prepare(ticket)
    own = commit(Path(first.path), "Own", **{"b.txt": "own\n"})
    shutil.rmtree(first.path)
    commit(source(ticket), "Theirs", **{"c.txt": "theirs\n"})
    again = prepare(ticket)
    assert git.head(Path(again.path)) == own and (Path(again.path) / "b.txt").read_text() == "own\n"
    assert again.base_commit == first.base_commit


def test_one_without_commits_that_was_deleted_begins_at_the_target_as_it_is(ticket: Ticket, prepare: Prepare) -> None:
    shutil.rmtree(prepare(ticket).path)
    theirs = commit(source(ticket), "Theirs", **{"c.txt": "theirs\n"})
    again = prepare(ticket)
    assert git.head(Path(again.path)) == again.base_commit == theirs


def _only_a_folder(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "half").write_text("half")


def _a_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


def _a_cut_link(path: Path) -> None:
    path.mkdir(parents=True)
    (path / ".git").write_text("gitdir: /nonexistent\n")


@pytest.mark.parametrize("left", [_only_a_folder, _a_file, _a_cut_link])
def test_half_of_one_that_a_killed_worker_left_is_made_anew(
    ticket: Ticket, prepare: Prepare, left: Callable[[Path], None]
) -> None:
    left(workspaces.path_of(ticket))
    folder = Path(prepare(ticket).path)
    assert sorted(path.name for path in folder.iterdir()) == [".git", "a.txt"]
    assert [path.name for path in folder.parent.iterdir()] == [ticket.key]


def test_one_that_a_killed_worker_left_before_it_was_known_is_taken_over(ticket: Ticket, prepare: Prepare) -> None:
    found = clones.fetched(ticket.project)
    branch = f"shiproom/{ticket.key.lower()}"
    path = workspaces.path_of(ticket)
    git.git(found.path, "worktree", "add", "--quiet", "--no-checkout", "-b", branch, str(path), found.commit)
    commit(source(ticket), "Theirs", **{"c.txt": "theirs\n"})
    made = prepare(ticket)
    assert made.base_commit == found.commit == git.head(path)
    assert (path / "a.txt").read_text() == lines() and person(path, "status", "--porcelain") == ""


def _another_repository(folder: Path) -> None:
    (folder / ".git").unlink()
    person(folder, "init", "--quiet")


def _no_repository(folder: Path) -> None:
    (folder / ".git").unlink()


def _no_branch(folder: Path) -> None:
    person(folder, "checkout", "--quiet", "--orphan", "nowhere")


@pytest.mark.parametrize("spoil", [_another_repository, _no_repository, _no_branch])
def test_one_that_its_agent_spoilt_is_set_aside_with_all_that_is_in_it(
    ticket: Ticket, prepare: Prepare, spoil: Callable[[Path], None]
) -> None:
    folder = Path(prepare(ticket).path)
    own = commit(folder, "Own", **{"b.txt": "own\n"})
    (folder / "new.txt").write_text("new\n")
    spoil(folder)
    assert git.head(Path(prepare(ticket).path)) == own
    (aside,) = folder.parent.glob(f"{ticket.key}.set-aside-*")
    assert (aside / "new.txt").read_text() == "new\n" and not (folder / "new.txt").exists()


def _merge(folder: Path) -> None:
    person(folder, "merge", "origin/main", fails=True)


def _rebase(folder: Path) -> None:
    person(folder, "rebase", "origin/main", fails=True)


def _old_rebase(folder: Path) -> None:
    person(folder, "rebase", "--apply", "origin/main", fails=True)


def _pick(folder: Path) -> None:
    person(folder, "cherry-pick", "origin/main", fails=True)


def _revert(folder: Path) -> None:
    person(folder, "revert", "--no-edit", "HEAD~1", fails=True)


def _mail(folder: Path) -> None:
    patch = folder.with_suffix(".patch")
    patch.write_text(person(folder, "format-patch", "--stdout", "-1", "origin/main") + "\n")
    person(folder, "am", str(patch), fails=True)


@pytest.mark.parametrize("begin", [_merge, _rebase, _old_rebase, _pick, _revert, _mail])
def test_what_a_killed_agent_left_unfinished_is_ended_and_untracked_files_stay(
    ticket: Ticket, prepare: Prepare, begin: Callable[[Path], None]
) -> None:
    folder = Path(prepare(ticket).path)
    commit(folder, "One", **{"a.txt": lines(line3="one")})
    own = commit(folder, "Two", **{"a.txt": lines(line3="two")})
    commit(source(ticket), "Theirs", **{"a.txt": lines(line3="theirs")})
    prepare(ticket)
    (folder / "new.txt").write_text("new\n")
    begin(folder)
    prepare(ticket)
    assert git.head(folder) == own
    assert person(folder, "symbolic-ref", "--short", "HEAD") == f"shiproom/{ticket.key.lower()}"
    assert person(folder, "status", "--porcelain") == "?? new.txt"
    commit(folder, "The next turn can commit", **{"c.txt": "c\n"})


def test_edits_that_ending_a_merge_would_overwrite_stay_in_their_files(ticket: Ticket, prepare: Prepare) -> None:
    folder = Path(prepare(ticket).path)
    own = commit(folder, "Own", **{"a.txt": lines(line3="own")})
    commit(source(ticket), "Theirs", **{"a.txt": lines(line3="theirs"), "d.txt": "theirs\n"})
    prepare(ticket)
    _merge(folder)
    (folder / "d.txt").write_text("edited since\n")
    prepare(ticket)
    assert git.head(folder) == own and (folder / "d.txt").read_text() == "edited since\n"
    person(folder, "add", "--all")
    commit(folder, "The next turn can commit")


def test_locks_of_a_killed_git_are_taken_away(ticket: Ticket, prepare: Prepare) -> None:
    made = prepare(ticket)
    folder = Path(made.path)
    own = Path(person(folder, "rev-parse", "--path-format=absolute", "--git-dir"))
    clone = clones.path_of(ticket.project)
    for lock in (own / "index.lock", own / "HEAD.lock", clone / "refs" / "heads" / f"{made.branch}.lock"):
        lock.write_text("")
    prepare(ticket)
    commit(folder, "Own", **{"b.txt": "own\n"})


def test_no_program_of_another_tickets_agent_runs(
    mc: Project, ticket: Ticket, prepare: Prepare, tmp_path: Path
) -> None:
    commit(source(ticket), "Attributes", **{".gitattributes": "*.txt filter=evil diff=evil merge=evil\n"})
    booby_trap(Path(prepare(ticket).path), tmp_path / "marks")
    other = Path(prepare(build.ticket(mc)).path)
    assert (other / "a.txt").read_text() == lines()
    commit(source(ticket), "Theirs", **{"c.txt": "theirs\n"})
    prepare(ticket)
    assert list((tmp_path / "marks").iterdir()) == []


def test_a_workspace_on_another_machine_is_left_there(ticket: Ticket, prepare: Prepare, settings: Any) -> None:
    prepare(ticket)
    here, settings.WORKER_HOST = settings.WORKER_HOST, "elsewhere"
    with pytest.raises(JobFailed, match=f"The workspace of {ticket.key} is on {here}; this worker is on elsewhere."):
        prepare(ticket)


def test_a_project_whose_repository_is_gone_is_bad_input(ticket: Ticket, prepare: Prepare) -> None:
    prepare(ticket)
    source(ticket).rename(source(ticket).with_name("moved"))
    with pytest.raises(BadInput, match="is not there on this worker's machine"):
        prepare(ticket)


def test_many_tickets_of_one_project_are_prepared_at_once(mc: Project, prepare: Prepare, settings: Any) -> None:
    tickets = [build.ticket(mc) for _ in range(8)]
    made = race(_prepared, [(prepare, ticket, settings.DATA_DIR) for ticket in tickets])
    assert made == [lines()] * 8
    assert Workspace.objects.count() == 8
    assert len(person(clones.path_of(mc), "worktree", "list").splitlines()) == 9


def _prepared(prepare: Prepare, ticket: Ticket, data: Path) -> str:
    from django.conf import settings

    settings.DATA_DIR = data
    return (Path(prepare(ticket).path) / "a.txt").read_text()

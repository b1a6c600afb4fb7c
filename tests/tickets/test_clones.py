"""The portal's own clone: made once however many ask, and as new as the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.tickets.repositories import commit, person, project, repository
from tests.workers.racing import race
from tickets import clones, git
from tickets.models import Project
from workers.failures import BadInput, JobFailed

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "mc")


def test_the_clone_has_all_branches_and_tags_as_they_are_now(source: Path, data: Path) -> None:
    first = commit(source, "Second")
    person(source, "branch", "old")
    person(source, "tag", "v1")
    found = clones.fetched(project(source))
    assert (found.path, found.branch, found.commit) == (data / "clones" / "MC.git", "main", first)
    person(source, "branch", "-D", "old")
    person(source, "tag", "-d", "v1")
    person(source, "branch", "old/er")
    second = commit(source, "Third")
    assert clones.fetched(project(source)).commit == second
    names = git.git(found.path, "for-each-ref", "--format=%(refname)").split()
    assert names == ["refs/remotes/origin/main", "refs/remotes/origin/old/er"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_bare_repository_is_fetched_by_path_and_by_address(tmp_path: Path, form: str) -> None:
    bare = repository(tmp_path / "mc one.git", bare=True, branch="trunk")
    assert clones.fetched(project(form.format(bare))).branch == "trunk"


def test_a_repository_with_longer_names_is_cloned_with_them(tmp_path: Path) -> None:
    (tmp_path / "mc").mkdir()
    person(tmp_path / "mc", "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    made = commit(tmp_path / "mc", "Begin")
    assert len(made) == 64
    assert clones.fetched(project(tmp_path / "mc")).commit == made
    assert clones.fetched(project(tmp_path / "mc")).commit == made


def test_the_target_is_the_branch_that_the_project_names_or_the_one_checked_out(source: Path) -> None:
    main = person(source, "rev-parse", "HEAD")
    person(source, "checkout", "--quiet", "-b", "next")
    made = commit(source, "Next")
    assert (clones.fetched(project(source)).branch, clones.fetched(project(source)).commit) == ("next", made)
    named = clones.fetched(project(source, target_branch="main"))
    assert (named.branch, named.commit) == ("main", main)


def test_the_address_follows_a_repository_that_was_moved(source: Path, tmp_path: Path) -> None:
    path = clones.fetched(project(source)).path
    source.rename(tmp_path / "moved")
    made = commit(tmp_path / "moved", "Second")
    assert clones.fetched(project(tmp_path / "moved")).commit == made
    assert git.git(path, "config", "remote.origin.url") == str(tmp_path / "moved")


def test_a_repository_of_another_user_is_fetched(source: Path) -> None:
    if os.getuid() == 0:
        for path in (source, source / ".git"):
            os.chown(path, 12345, 12345)
    assert clones.fetched(project(source)).branch == "main"


def test_an_agents_push_goes_nowhere(source: Path) -> None:
    path = clones.fetched(project(source)).path
    person(path, "push", "origin", "refs/remotes/origin/main:refs/heads/mine", fails=True)
    assert person(source, "branch", "--list", "mine") == ""


def _empty(folder: Path) -> str:
    (folder / "mc").mkdir()
    person(folder / "mc", "init", "--quiet")
    return str(folder / "mc")


def _folder(folder: Path) -> str:
    (folder / "plain").mkdir()
    return str(folder / "plain")


def _inside(folder: Path) -> str:
    (repository(folder / "mc") / "src").mkdir()
    return str(folder / "mc" / "src")


def _detached(folder: Path) -> str:
    person(repository(folder / "mc"), "checkout", "--quiet", "--detach")
    return str(folder / "mc")


def _shallow(folder: Path) -> str:
    commit(repository(folder / "mc"), "Second")
    person(folder, "clone", "--quiet", "--depth=1", f"file://{folder / 'mc'}", "shallow")
    return str(folder / "shallow")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: "", "The project MC names no repository."),
        (lambda folder: str(folder / "gone"), "The repository {}/gone of project MC is not there on this worker's"),
        (lambda folder: f"file://{folder}/gone", "The repository {}/gone of project MC is not there on this worker's"),
        (lambda folder: "x" * 5000, "is neither an absolute path nor an address"),
        (lambda folder: "/" + "x" * 400, "is not there on this worker's machine."),
        (lambda folder: "ext::sh -c 'touch marked'", "is neither an absolute path nor an address"),
        (lambda folder: "--upload-pack=touch marked", "is neither an absolute path nor an address"),
        (lambda folder: "-oProxyCommand=touch:x", "is neither an absolute path nor an address"),
        (lambda folder: "ftp://host/mc", "is neither an absolute path nor an address"),
        (_folder, "{}/plain, the repository of project MC, is no git repository."),
        (_inside, "{}/mc/src, the repository of project MC, is no git repository."),
        (_empty, "The repository {}/mc of project MC has no commit yet."),
        (_detached, "The repository {}/mc of project MC has no branch checked out; an owner can name"),
        (_shallow, "is a shallow clone: its history is cut."),
    ],
)
def test_a_repository_that_cannot_work_is_refused_in_a_sentence(tmp_path: Path, make: Any, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        clones.fetched(project(make(tmp_path)))
    assert sentence.format(tmp_path) in str(refused.value)


@pytest.mark.parametrize("branch", ["gone", "main~0", "--help", "refs/heads/main", "ma\x1bin"])
def test_a_branch_that_is_not_there_is_named(source: Path, branch: str) -> None:
    with pytest.raises(BadInput, match="has no branch ") as refused:
        clones.fetched(project(source, target_branch=branch))
    assert git.printable(branch) in str(refused.value)


def test_a_repository_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(git.GitFailed, match="of project MC cannot be read now: ") as failed:
        clones.fetched(project("http://127.0.0.1:9/mc.git"))
    assert not isinstance(failed.value, BadInput)
    assert list(clones.folder().iterdir()) == [clones.folder() / "MC.lock"]


def _fetch(project: Project, data: Path) -> str:
    from django.conf import settings

    settings.DATA_DIR = data
    return clones.fetched(project).commit


def test_many_workers_make_one_clone_at_once(source: Path, data: Path) -> None:
    newest = commit(source, "Second")
    assert race(_fetch, [(project(source), data)] * 8) == [newest] * 8
    assert sorted(path.name for path in (data / "clones").iterdir()) == ["MC.git", "MC.lock"]
    newest = commit(source, "Third")
    assert race(_fetch, [(project(source), data)] * 8) == [newest] * 8
    assert person(data / "clones" / "MC.git", "fsck", "--no-dangling") == ""


def test_what_a_killed_worker_left_is_not_believed(source: Path, data: Path) -> None:
    half = data / "clones" / ".MC-0123456789abcdef"
    (half / "objects").mkdir(parents=True)
    path = clones.fetched(project(source)).path
    assert not half.exists()
    (path / "refs" / "remotes" / "origin" / "main.lock").write_text("")
    newest = commit(source, "Second")
    assert clones.fetched(project(source)).commit == newest


def test_a_lock_that_somebody_holds_is_waited_for_and_not_for_ever(source: Path, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"CLONE_SECONDS": 1}
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with clones.locked(project(source)):
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    with pytest.raises(JobFailed, match="The clone of MC was in use for longer than 1 s"):
        clones.fetched(project(source))
    done.set()
    holder.join()
    with clones.locked(project(source)), clones.locked(project(source)):
        clones.fetched(project(source))


def test_a_git_that_its_killed_worker_left_behind_keeps_the_lock(source: Path, data: Path, settings: Any) -> None:
    """Else the next worker would take away what that git still writes."""
    settings.LIMITS = settings.LIMITS | {"CLONE_SECONDS": 1}
    script = (
        "import os, sys, django; django.setup()\n"
        "from pathlib import Path\nfrom tickets import clones, git\nfrom tickets.models import Project\n"
        "with clones.locked(Project(key='MC')):\n"
        "    with git.piping(Path(sys.argv[1]), 'slow'):\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    person(source, "config", "alias.slow", "!sleep 3 >/dev/null")
    environment = {**os.environ, "DATA_DIR": str(data)}
    done = subprocess.run([sys.executable, "-c", script, str(source)], env=environment, check=False)
    assert done.returncode == -9
    with pytest.raises(JobFailed, match="was in use for longer"):
        clones.fetched(project(source))
    settings.LIMITS = settings.LIMITS | {"CLONE_SECONDS": 30}
    assert clones.fetched(project(source)).branch == "main"

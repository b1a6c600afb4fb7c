"""Accepted work goes into the target branch once: merged, rebased, or recognised where it is already."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.tickets.landing_place import MESSAGE, Place, never, nothing
from tests.tickets.repositories import booby_trap, commit, lines, person, project
from tests.workers.racing import race
from tickets import clones, git, landing
from tickets.landing import Conflicts, Landed, Moved, PushRefused
from tickets.models import Project
from workers.failures import BadInput

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path, settings: Any) -> Place:
    settings.DATA_DIR = tmp_path / "data"
    return Place(tmp_path)


def test_a_merge_keeps_the_commit_and_names_the_merge_that_holds_it(place: Place) -> None:
    made = commit(place.work, "Own", **{"a.txt": lines(line3="three")})
    theirs = place.pushed("Theirs", **{"b.txt": "theirs\n"})
    seen: list[str] = []

    def check(worktree: Path, result: str) -> None:
        assert (worktree / "b.txt").read_text() == "theirs\n" and "three" in (worktree / "a.txt").read_text()
        assert git.head(worktree) == result and git.git(worktree, "status", "--porcelain") == ""
        assert place.main == theirs
        seen.append(result)

    found = place.land(made, check=check)
    assert found == Landed(merged_commit=place.main, target_commit=theirs, recognised=False)
    assert seen == [place.main]
    assert person(place.source, "log", "-1", "--format=%P%n%an <%ae>%n%B", "main").splitlines()[:3] == [
        f"{theirs} {made}",
        "Shiproom <shiproom@localhost>",
        "MC-1: Drain sends first",
    ]
    assert clones.fetched(place.project).commit == place.main == git.git(place.clone, "rev-parse", "origin/main")


def test_a_merge_makes_a_commit_of_its_own_also_where_the_target_did_not_move(place: Place) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    found = place.land(made)
    assert found.merged_commit not in (made, found.target_commit) and place.file("b.txt") == "own"


def test_a_rebase_keeps_authors_and_has_no_merge(place: Place) -> None:
    person(place.work, "config", "user.name", "Agent")
    commit(place.work, "One", **{"a.txt": lines(line3="three")})
    made = commit(place.work, "Two", **{"b.txt": "own\n"})
    theirs = place.pushed("Theirs", **{"c.txt": "theirs\n"})
    found = place.land(made, strategy="rebase")
    assert found == Landed(merged_commit=place.main, target_commit=theirs, recognised=False)
    log = person(place.source, "log", "-3", "--format=%s|%an|%cn|%P", "main").splitlines()
    assert [line.split("|")[:3] for line in log[:2]] == [["Two", "Ada", "Shiproom"], ["One", "Ada", "Shiproom"]]
    assert log[1].endswith(theirs) and "Theirs" in log[2]


def test_a_rebase_of_a_branch_that_resolved_conflicts_in_a_merge_holds_what_it_resolved(place: Place) -> None:
    commit(place.work, "Own", **{"a.txt": lines(line3="own")})
    theirs = place.pushed("Theirs", **{"a.txt": lines(line3="theirs")})
    clones.fetched(place.project)
    person(place.work, "merge", "origin/main", fails=True)
    made = commit(place.work, "Resolved", **{"a.txt": lines(line3="both")})
    found = place.land(made, strategy="rebase")
    assert place.file("a.txt") == lines(line3="both").strip()
    assert person(place.source, "log", "-1", "--format=%P|%an|%cn|%s", "main") == (
        f"{theirs}|Ada|Shiproom|MC-1: Drain sends first"
    )
    assert not found.recognised


# Not landed -------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
def test_conflicts_come_back_as_names_and_leave_nothing(place: Place, strategy: str) -> None:
    hostile = "-x\nb\x1b.txt"
    made = commit(place.work, "Own", **{"a.txt": lines(line3="own"), hostile: "own\n", "c.txt": "own\n"})
    theirs = place.pushed("Theirs", **{"a.txt": lines(line3="theirs"), hostile: "theirs\n"})
    with pytest.raises(Conflicts) as conflict:
        place.land(made, strategy=strategy, check=never)
    assert (conflict.value.paths, conflict.value.target) == ([r"-x\nb\x1b.txt", "a.txt"], theirs)
    place.nothing_left()
    assert place.main == theirs


def test_conflicts_are_bounded(place: Place) -> None:
    made = commit(place.work, "Own", **{f"{n:03}.txt": "own\n" for n in range(landing.CONFLICTS + 1)})
    place.pushed("Theirs", **{f"{n:03}.txt": "theirs\n" for n in range(landing.CONFLICTS + 1)})
    with pytest.raises(Conflicts) as conflict:
        place.land(made)
    assert len(conflict.value.paths) == landing.CONFLICTS


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
def test_a_check_that_fails_ends_it_and_nothing_is_pushed(place: Place, strategy: str) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    before = place.main

    def check(worktree: Path, result: str) -> None:
        (worktree / "sealed").mkdir()
        (worktree / "sealed" / "left.txt").write_text("x")
        (worktree / "sealed").chmod(0o500)
        raise RuntimeError("3 failed")

    with pytest.raises(RuntimeError, match="3 failed"):
        place.land(made, strategy=strategy, check=check)
    place.nothing_left()
    assert place.main == before


def test_a_target_that_moves_while_the_work_is_checked_is_never_overwritten(place: Place) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})

    def check(worktree: Path, result: str) -> None:
        place.pushed("Meanwhile", **{"c.txt": "theirs\n"})

    with pytest.raises(Moved, match="The branch main of MC moved while the work was checked"):
        place.land(made, check=check)
    place.nothing_left()
    assert place.main == person(place.checkout, "rev-parse", "HEAD")
    assert not place.land(made).recognised
    assert (place.file("b.txt"), place.file("c.txt")) == ("own", "theirs")


@pytest.mark.parametrize("change", ["taken back", "deleted"])
def test_a_target_that_is_taken_back_while_the_work_is_checked_does_not_come_back_with_it(
    place: Place, change: str
) -> None:
    place.pushed("Bad", **{"bad.txt": "bad\n"})
    clones.fetched(place.project)
    made = commit(place.work, "Own", **{"b.txt": "own\n"})

    def check(worktree: Path, result: str) -> None:
        if change == "deleted":
            person(place.source, "update-ref", "-d", "refs/heads/main")
        else:
            person(place.source, "update-ref", "refs/heads/main", "main~1")

    with pytest.raises(Moved):
        place.land(made, check=check)
    if change == "deleted":
        assert person(place.source, "branch", "--list", "main") == ""
    else:
        assert person(place.source, "log", "--format=%s", "main") == "Begin"


def test_a_clean_checkout_of_the_target_follows_and_one_with_edits_refuses(tmp_path: Path, place: Place) -> None:
    person(place.checkout, "remote", "remove", "origin")
    local = project(place.checkout)
    made = commit(place.work, "Own", **{"a.txt": lines(line3="own")})
    (place.checkout / "a.txt").write_text(lines(line9="edited"))
    before = person(place.checkout, "rev-parse", "HEAD")
    with pytest.raises(PushRefused, match=r"The repository of MC refused the push: .*unstaged changes"):
        landing.land(local, commit=made, strategy="merge", message=MESSAGE, check=nothing)
    assert person(place.checkout, "rev-parse", "HEAD") == before
    assert (place.checkout / "a.txt").read_text() == lines(line9="edited")
    person(place.checkout, "checkout", "--quiet", "a.txt")
    found = landing.land(local, commit=made, strategy="merge", message=MESSAGE, check=nothing)
    assert person(place.checkout, "rev-parse", "HEAD") == found.merged_commit
    assert (place.checkout / "a.txt").read_text() == lines(line3="own")
    assert person(place.checkout, "status", "--porcelain") == ""
    place.nothing_left()


def test_a_repository_of_another_user_takes_the_work(place: Place) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    if os.getuid() == 0:
        os.chown(place.source, 12345, 12345)
    assert not place.land(made).recognised
    os.chown(place.source, os.getuid(), os.getgid())
    assert place.file("b.txt") == "own"


def test_a_rule_of_the_repository_is_told_in_its_own_words(place: Place) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    hook = place.source / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'No push on \033[31mFridays.' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match=r"pre-receive hook declined.*No push on .*Fridays\.") as refused:
        place.land(made)
    assert "\x1b" not in str(refused.value)
    place.nothing_left()


def test_what_cannot_land_is_refused_in_a_sentence(place: Place) -> None:
    with pytest.raises(BadInput, match="The commit 000000000000 is not in the clone of MC"):
        place.land("0" * 40)
    person(place.work, "checkout", "--quiet", "--orphan", "other")
    made = commit(place.work, "Alone", **{"b.txt": "x\n"})
    with pytest.raises(BadInput, match="has no history in common with the branch main"):
        place.land(made)


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
def test_nothing_that_an_agent_configured_runs_or_counts(place: Place, tmp_path: Path, strategy: str) -> None:
    commit(place.work, "Attributes", **{".gitattributes": "*.txt diff=evil filter=evil merge=evil\n"})
    made = commit(place.work, "Own", **{"a.txt": lines(line3="own"), "b.txt": "own\n"})
    place.pushed("Theirs", **{"a.txt": lines(line8="theirs")})
    booby_trap(place.work, tmp_path / "marks")
    person(place.work, "config", f"url.{tmp_path}/elsewhere.insteadOf", str(place.source))

    def check(worktree: Path, result: str) -> None:
        # What is checked may be hostile, too.
        person(worktree, "config", f"url.{tmp_path}/elsewhere.insteadOf", str(place.source))
        (worktree / ".git" / "hooks").mkdir()
        (worktree / ".git" / "hooks" / "pre-push").write_text(f"#!/bin/sh\ntouch {tmp_path}/marks/pushed\n")
        (worktree / ".git" / "hooks" / "pre-push").chmod(0o755)

    person(place.work, "config", "--remove-section", f"url.{tmp_path}/elsewhere")
    place.land(made, strategy=strategy, check=check)
    assert list((tmp_path / "marks").iterdir()) == []
    assert place.file("a.txt") == lines(line3="own", line8="theirs").strip()


def test_checks_see_the_tags(place: Place) -> None:
    person(place.source, "tag", "v1.2", "main")
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    seen: list[str] = []
    place.land(made, check=lambda worktree, _: seen.append(person(worktree, "describe", "--tags", "HEAD^1")))
    assert seen == ["v1.2"]


# Killed -----------------------------------------------------------------------


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(of: Project, made: str, when: str, strategy: str) -> int:
    """The code of a worker that is killed at that moment of landing."""
    pid = os.fork()
    if pid == 0:
        run = git.run

        def dying(folder: Path, *arguments: str, **options: Any) -> git.Output:
            if when == f"before {arguments[0]}":
                _die()
            output = run(folder, *arguments, **options)
            if when == f"after {arguments[0]}":
                _die()
            return output

        git.run = dying
        try:
            check = _die if when == "check" else nothing
            landing.land(of, commit=made, strategy=strategy, message=MESSAGE, check=check)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
@pytest.mark.parametrize(
    "when", ["after fetch", "before STRATEGY", "after STRATEGY", "check", "before push", "after push"]
)
def test_killed_at_any_point_and_run_again_it_lands_once(place: Place, when: str, strategy: str) -> None:
    commit(place.work, "One", **{"a.txt": lines(line3="own")})
    made = commit(place.work, "Two", **{"b.txt": "own\n"})
    theirs = place.pushed("Theirs", **{"c.txt": "theirs\n"})
    when = when.replace("STRATEGY", strategy)
    assert _killed(place.project, made, when, strategy) == -signal.SIGKILL
    found = place.land(made, strategy=strategy)
    assert found.recognised == (when == "after push")
    assert found.merged_commit == place.main
    subjects = person(place.source, "log", "--format=%s", f"{theirs}..main").splitlines()
    assert subjects == ([] if strategy == "rebase" else [subjects[0]]) + ["Two", "One"]
    again = place.land(made, strategy=strategy, check=never)
    assert again == Landed(found.merged_commit, place.main, True)


def _land(of: Project, data: Path, made: str) -> str:
    from django.conf import settings

    settings.DATA_DIR = data
    for _ in range(20):
        try:
            return landing.land(of, commit=made, strategy="merge", message="MC", check=nothing).merged_commit
        except Moved:
            continue
    raise AssertionError("it never landed")


def test_many_land_at_once_each_on_top_of_the_other(place: Place, settings: Any) -> None:
    made = []
    for n in range(4):
        person(place.work, "checkout", "--quiet", "-B", f"work{n}", "origin/main")
        made.append(commit(place.work, f"Own {n}", **{f"own{n}.txt": "x\n"}))
    landed = race(_land, [(place.project, settings.DATA_DIR, one) for one in made])
    line = person(place.source, "rev-list", "--first-parent", "main").split()
    assert sorted(line[:4]) == sorted(landed) and len(line) == 5
    place.nothing_left()

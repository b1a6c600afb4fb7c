"""Work that is in the target already is recognised, by itself or by its patch, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tickets.landing_place import Place, never
from tests.tickets.repositories import commit, lines, person
from tickets.landing import Conflicts, Landed

pytestmark = pytest.mark.once


@pytest.fixture
def place(tmp_path: Path, settings: Any) -> Place:
    settings.DATA_DIR = tmp_path / "data"
    return Place(tmp_path)


def _two_commits(place: Place) -> str:
    commit(place.work, "One", **{"a.txt": lines(line3="three")})
    made = commit(place.work, "Two", **{"b.txt": "own\n", "c.bin": b"\0\1\2"})
    place.pushed("Before", **{"d.txt": "before\n"})
    person(place.checkout, "fetch", "--quiet", str(place.clone), "work:work")
    return made


def _by_merge(place: Place) -> str:
    person(place.checkout, "merge", "--quiet", "--no-ff", "--no-edit", "work")
    return person(place.checkout, "rev-parse", "HEAD")


def _by_squash(place: Place) -> str:
    person(place.checkout, "merge", "--quiet", "--squash", "work")
    return commit(place.checkout, "Both in one")


def _by_rebase(place: Place) -> str:
    person(place.checkout, "rebase", "--quiet", "HEAD", "work")
    person(place.checkout, "checkout", "--quiet", "-B", "main")
    return person(place.checkout, "rev-parse", "HEAD")


def _by_picking(place: Place) -> str:
    person(place.checkout, "cherry-pick", "work~1", "work")
    return person(place.checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
@pytest.mark.parametrize("way", [_by_merge, _by_squash, _by_rebase, _by_picking])
def test_work_that_is_in_the_target_already_is_recognised(
    place: Place, way: Callable[[Place], str], strategy: str
) -> None:
    made = _two_commits(place)
    holds = way(place)
    place.push()
    newest = place.pushed("After", **{"e.txt": "after\n"})
    found = place.land(made, strategy=strategy, check=never)
    assert found == Landed(merged_commit=holds, target_commit=newest, recognised=True)
    assert place.main == newest


def test_one_commit_in_the_middle_of_a_merged_branch_is_held_by_the_merge(place: Place) -> None:
    _two_commits(place)
    first = person(place.work, "rev-parse", "HEAD~1")
    holds = _by_merge(place)
    place.push()
    assert place.land(first, check=never).merged_commit == holds


def test_a_commit_on_the_targets_own_line_holds_itself(place: Place) -> None:
    made = commit(place.work, "Own", **{"b.txt": "own\n"})
    person(place.work, "push", "--quiet", str(place.source), "HEAD:main")
    assert place.land(made, check=never) == Landed(made, made, True)
    person(place.checkout, "pull", "--quiet", "origin", "main")
    newest = place.pushed("After", **{"c.txt": "after\n"})
    assert place.land(made, check=never) == Landed(made, newest, True)


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
def test_nothing_to_merge_is_held_by_the_target(place: Place, strategy: str) -> None:
    commit(place.work, "There", **{"b.txt": "own\n"})
    person(place.work, "rm", "--quiet", "b.txt")
    person(place.work, "commit", "--quiet", "-m", "And back")
    newest = place.pushed("After", **{"c.txt": "after\n"})
    made = person(place.work, "rev-parse", "HEAD")
    assert place.land(made, strategy=strategy, check=never) == Landed(newest, newest, True)


@pytest.mark.parametrize("strategy", ["merge", "rebase"])
def test_the_same_lines_within_a_larger_commit_leave_nothing_to_merge(place: Place, strategy: str) -> None:
    made = commit(place.work, "Own", **{"a.txt": lines(line3="three")})
    newest = place.pushed("More", **{"a.txt": lines(line3="three"), "b.txt": "more\n"})
    assert place.land(made, strategy=strategy, check=never) == Landed(newest, newest, True)


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        ({"b.py": "if x:\n    y\n"}, {"b.py": "if x:\n\ty\n"}),
        ({"b.bin": b"\0\1\2"}, {"b.bin": b"\0\1\3"}),
        ({"b.txt": "one\n"}, {"c.txt": "one\n"}),
        ({"b.txt": "one\n"}, {"b.txt": "one"}),
    ],
    ids=["white space", "binary", "another name", "no line end"],
)
def test_what_only_looks_the_same_is_not_recognised(place: Place, own: Any, theirs: Any) -> None:
    made = commit(place.work, "Own", **own)
    place.pushed("Theirs", **theirs)
    try:
        assert not place.land(made).recognised
    except Conflicts as conflict:
        assert conflict.paths == list(own)


def test_a_rebase_leaves_out_nothing_because_it_differs_in_white_space_alone(place: Place) -> None:
    made = commit(place.work, "Own", **{"a.txt": lines(line3="line  3")})
    place.pushed("Theirs", **{"a.txt": lines(line3="line   3")})
    with pytest.raises(Conflicts):
        place.land(made, strategy="rebase")


def test_work_that_was_taken_back_in_the_target_is_still_held_by_the_merge_that_brought_it(place: Place) -> None:
    made = _two_commits(place)
    holds = _by_merge(place)
    person(place.checkout, "revert", "--no-edit", "-m", "1", holds)
    place.push()
    assert place.land(made, check=never).merged_commit == holds


def test_a_part_of_the_work_is_not_the_work(place: Place) -> None:
    made = _two_commits(place)
    person(place.checkout, "cherry-pick", "work~1")
    place.push()
    found = place.land(made)
    assert not found.recognised and place.file("b.txt") == "own"

"""Code that findings name: read out of the portal's own clone, told by what its lines say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reviews import regions
from reviews.regions import Counted, Region
from tests.tickets.repositories import commit, person, project, repository
from tickets import clones
from tickets.models import Project

pytestmark = pytest.mark.once

CODE = """\
def drain(outbox):
    rows = outbox.claim(100)

    for row in rows:
        outbox.send(row)
    outbox.delete(rows)
}
"""


@pytest.fixture
def source(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return repository(tmp_path / "mc")


def cloned(source: Path, **files: str | bytes) -> tuple[Project, str]:
    head = commit(source, "Code", **files)
    of = project(source)
    clones.fetched(of)
    return of, head


@pytest.mark.parametrize(
    ("written", "path", "lines"),
    [
        ("a/b.py:12-20", "a/b.py", ((12, 20),)),
        ("./a/b.py:12", "a/b.py", ((12, 12),)),
        ("b.py (lines 3-9)", "b.py", ((3, 9),)),
        ("b.py lines 3 to 9", "b.py", ((3, 9),)),
        ("b.py (at line ~3)", "b.py", ((3, 3),)),
        ("b.py (12–20)", "b.py", ((12, 20),)),
        ("b.py#L3-L9", "b.py", ((3, 9),)),
        ("b.py#3", "b.py", ((3, 3),)),
        ("b.py:3, 7-9", "b.py", ((3, 3), (7, 9))),
        ("b.py:3:17", "b.py", ((3, 3),)),
        ("b.py:3:17-5:2", "b.py", ((3, 5),)),
        ("a\\b.py:3", "a/b.py", ((3, 3),)),
        ("b.py::Outbox.drain2", "b.py", ()),
        ("b.py", "b.py", ()),
        ("b.py:0", "b.py", ()),
        ("b.py:9-3", "b.py", ()),
        ("", "", ()),
    ],
)
def test_a_place_is_read_as_people_and_tools_write_it(
    written: str, path: str, lines: tuple[tuple[int, int], ...]
) -> None:
    assert regions.place_of(written) == (path, lines)


def test_the_regions_of_each_place_are_read_by_the_place_as_written(source: Path) -> None:
    of, head = cloned(source, **{"app/outbox.py": CODE})
    found = regions.read(of, head, ["app/outbox.py:4-5", "outbox.py (lines 1-2)", "app/outbox.py", "app/outbox.py:99"])
    assert list(found) == ["app/outbox.py:4-5", "outbox.py (lines 1-2)"]
    [region] = found["app/outbox.py:4-5"]
    assert region == Region("app/outbox.py", 4, 5, regions.digest_of(["for row in rows:", "outbox.send(row)"]), head)
    assert found["outbox.py (lines 1-2)"][0].path == "app/outbox.py"


def test_space_around_lines_and_blank_lines_make_no_other_region(source: Path) -> None:
    of, head = cloned(source, **{"one.py": CODE, "two.py": CODE.replace("\n\n", "\n").replace("    ", "\t") + "\r\n"})
    found = regions.read(of, head, ["one.py:1-6", "two.py:1-5"])
    assert found["one.py:1-6"][0].digest == found["two.py:1-5"][0].digest


@pytest.mark.parametrize("place", ["one.py:7", "one.py:3", "one.py:99-120", "long.py:1-500", "image.png:1-2"])
def test_what_says_too_little_or_is_no_text_has_no_region(source: Path, place: str) -> None:
    long = "".join(f"statement number {n}\n" for n in range(500))
    of, head = cloned(source, **{"one.py": CODE, "long.py": long, "image.png": b"some bytes here\nand\0more bytes\n"})
    assert regions.read(of, head, [place]) == {}


def test_a_path_that_could_be_several_files_is_none(source: Path) -> None:
    of, head = cloned(source, **{"a/outbox.py": CODE, "b/outbox.py": CODE})
    assert regions.read(of, head, ["outbox.py:1-6", "box.py:1-6", "../a/outbox.py:1-6"]) == {}
    assert regions.read(of, head, ["a/outbox.py:1-6"])


def test_links_are_not_followed(source: Path) -> None:
    (source / "link.py").symlink_to("/etc/passwd")
    person(source, "add", "link.py")
    of, head = cloned(source, **{"one.py": CODE})
    assert regions.read(of, head, ["link.py:1-6"]) == {}


def test_the_commit_is_the_named_one_or_the_head_of_the_target(source: Path) -> None:
    first = person(source, "rev-parse", "HEAD")
    of, head = cloned(source, **{"one.py": CODE})
    assert regions.commit_at(of, first[:8]) == first
    assert regions.commit_at(of, first.upper()) == first
    for unknown in ("", "0" * 40, "main", "--help", first[:5]):
        assert regions.commit_at(of, unknown) == head
    assert regions.commit_at(project(source, target_branch="gone")) == ""


@pytest.mark.django_db
def test_of_many_branches_the_usual_one_is_the_target_where_none_is_named(source: Path) -> None:
    person(source, "branch", "zeta")
    of, head = cloned(source, **{"one.py": CODE})
    assert regions.commit_at(of) == head
    person(source, "branch", "-m", "main", "trunk")
    clones.fetched(of)
    assert regions.commit_at(of) == ""


def test_without_a_clone_nothing_is_known(source: Path) -> None:
    of = project(source)
    assert regions.commit_at(of, "a" * 40) == ""
    assert regions.read(of, "a" * 40, ["one.py:1-6"]) == {}
    assert regions.counted(of, "a" * 40, ["one.py"]) is None


def test_a_clone_that_cannot_be_read_says_nothing(source: Path) -> None:
    of, head = cloned(source, **{"one.py": CODE})
    assert regions.counted(of, "0" * 40, ["one.py"]) is None
    (clones.path_of(of) / "HEAD").unlink()
    assert regions.commit_at(of) == ""
    assert regions.read(of, head, ["one.py:1-6"]) == {}


def test_limits_bound_what_is_read(source: Path, settings: Any) -> None:
    of, head = cloned(source, **{"one.py": CODE, "two.py": CODE})
    settings.LIMITS = {**settings.LIMITS, "REGION_READ_MAX_BYTES": len(CODE) + 10}
    assert list(regions.read(of, head, ["one.py:1-6", "two.py:1-6"])) == ["one.py:1-6"]
    settings.LIMITS = {**settings.LIMITS, "REGION_FILE_MAX_BYTES": len(CODE) - 1}
    assert regions.read(of, head, ["one.py:1-6"]) == {}
    settings.LIMITS = {**settings.LIMITS, "REGION_FILE_MAX_BYTES": 1000, "REGION_PLACES_ROWS": 1}
    assert list(regions.read(of, head, ["two.py:1-6", "one.py:1-6"])) == ["two.py:1-6"]


def test_lines_are_found_where_they_went() -> None:
    there = Counted(["import os", "def drain(outbox):", "rows = outbox.claim(100)", "return rows"], [1, 3, 4, 9])
    digest = regions.digest_of(there.texts[1:3])
    assert regions.moved(there, digest, 2) == (3, 4)
    assert regions.moved(there, digest, 3) is None
    assert regions.moved(Counted([], []), digest, 2) is None
    assert regions.moved(there, digest, 0) is None

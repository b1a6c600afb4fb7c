"""Git as the portal starts it: nothing of an agent runs, nothing is without a bound."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from portal.core import redaction
from tests.engines import children
from tests.tickets.repositories import booby_trap, commit, lines, person, repository
from tickets import git
from tickets.git import GitFailed

pytestmark = pytest.mark.once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "mc")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--porcelain"),
        ("diff",),
        ("diff", "HEAD~1", "HEAD"),
        ("log", "-p"),
        ("log", "--show-signature"),
        ("show", "HEAD"),
        ("add", "--all"),
        ("stash",),
        ("commit", "-a", "-m", "x"),
        ("checkout", "--force", "HEAD~1"),
        ("reset", "--hard", "HEAD~1"),
        ("worktree", "add", "--detach", "../other", "HEAD~1"),
        ("merge", "--no-edit", "other"),
        ("rebase", "other"),
        ("fetch", "--upload-pack=git-upload-pack", "--", "../mc", "+refs/heads/*:refs/remotes/origin/*"),
    ],
    ids=" ".join,
)
def test_no_program_that_the_repository_names_is_started(folder: Path, tmp_path: Path, arguments: tuple[str]) -> None:
    commit(folder, "Two", **{"a.txt": lines(line2="two"), "b.dat": "b\n"})
    person(folder, "checkout", "--quiet", "-b", "other", "HEAD~1")
    commit(folder, "Other", **{"a.txt": lines(line9="nine"), "c.dat": "c\n"})
    person(folder, "checkout", "--quiet", "main")
    booby_trap(folder, tmp_path / "marks")
    if arguments[0] not in ("merge", "rebase", "checkout"):
        (folder / "a.txt").write_text(lines(line5="edited"))
        (folder / "b.dat").write_text("edited\n")
    output = git.run(folder, *arguments)
    assert list((tmp_path / "marks").iterdir()) == []
    # A merge with a driver that may not run is a conflict; all else goes its way.
    assert output.code == (1 if arguments[0] in ("merge", "rebase") else 0), output.err


def test_the_traps_of_these_tests_do_go_off_for_anybody_else(folder: Path, tmp_path: Path) -> None:
    booby_trap(folder, tmp_path / "marks")
    (folder / "a.txt").write_text(lines(line5="edited"))
    person(folder, "diff")
    person(folder, "add", "a.txt")
    person(folder, "worktree", "add", "--detach", "../other", "HEAD")
    went_off = {mark.name for mark in (tmp_path / "marks").iterdir()}
    assert {"core.fsmonitor", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge"} <= went_off
    assert "hook-post-checkout" in went_off


def test_no_configuration_of_a_person_is_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Person\n[shiproom]\n\tseen = yes\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Person")
    assert git.run(folder, "config", "shiproom.seen").code == 1
    git.git(folder, "commit", "--allow-empty", "-m", "By the portal")
    named = git.git(folder, "log", "-1", "--format=%an <%ae> %cn <%ce>")
    assert named == "Shiproom <shiproom@localhost> Shiproom <shiproom@localhost>"


def test_a_repository_of_another_user_is_read(folder: Path) -> None:
    if os.getuid() == 0:
        for path in (folder, folder / ".git"):
            os.chown(path, 12345, 12345)
    assert git.head(folder) == git.git(folder, "rev-parse", "main")


def test_a_folder_that_is_no_repository_is_not_taken_for_a_part_of_one_above(folder: Path) -> None:
    (folder / "inside").mkdir()
    with pytest.raises(GitFailed, match="not a git repository"):
        git.head(folder / "inside")


def test_a_call_that_takes_too_long_is_ended_with_all_its_children(folder: Path) -> None:
    began = time.monotonic()
    person(folder, "config", "alias.hang", "!sleep 98.76; true")
    with pytest.raises(GitFailed, match=r"git hang took longer than 0\.5 s\."):
        git.git(folder, "hang", seconds=0.5)
    assert time.monotonic() - began < 5
    children.wait_for("the end of its child", lambda: not _runs(b"98.76"), seconds=5)


def _runs(word: bytes) -> bool:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if word in Path("/proc", pid, "cmdline").read_bytes():
                return True
    return False


def test_not_more_is_kept_of_an_output_than_asked_and_the_rest_is_counted_in_characters(folder: Path) -> None:
    blob = git.git(folder, "hash-object", "-w", "--stdin", stdin="é".encode() * 150_000)
    output = git.run(folder, "cat-file", "blob", blob, keep=100_000)
    assert (output.code, len(output.out), output.cut) == (0, 100_000, 100_000)


def test_more_than_anybody_can_keep_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = git.git(folder, "hash-object", "-w", "--stdin", stdin=b"x" * (git.KEEP_BYTES + 1))
    with pytest.raises(GitFailed, match="wrote more than 64 MiB"):
        git.git(folder, "cat-file", "blob", blob)


def test_bytes_that_are_no_text_are_replaced(folder: Path) -> None:
    blob = git.git(folder, "hash-object", "-w", "--stdin", stdin=b"a\xff\xfeb")
    assert git.git(folder, "cat-file", "blob", blob) == "a\ufffd\ufffdb"


def test_a_failure_says_gits_own_reason_in_one_line_without_secrets(folder: Path) -> None:
    redaction.learn(["hunter2-hunter2"])
    with pytest.raises(GitFailed) as refused:
        git.git(folder, "rev-parse", "--verify", "hunter2-hunter2\x1b[31m")
    assert "hunter2" not in str(refused.value) and "\x1b" not in str(refused.value)
    assert str(refused.value) == "git rev-parse failed: fatal: Needed a single revision"
    with pytest.raises(GitFailed, match="does not exist"):
        git.git(folder, "show", "HEAD:nothing")


def test_an_argument_that_no_program_can_have_is_a_failure(folder: Path) -> None:
    with pytest.raises(GitFailed, match="could not be started"):
        git.git(folder, "rev-parse", "a\0b")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"src/a b.py", "src/a b.py"),
        ("grün.txt".encode(), "grün.txt"),
        (b"a\nb\x1b[2J", r"a\nb\x1b[2J"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("a\u202egnp.exe".encode(), r"a\u202egnp.exe"),
    ],
)
def test_a_name_is_shown_without_anything_that_is_not_seen(name: bytes, shown: str) -> None:
    assert git.printable(name) == shown

"""Which commit runs, and where nobody knows, why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from portal.core.revision import Revision, found_in

pytestmark = pytest.mark.once
COMMIT = "a" * 40


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    argv = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("one\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "One")
    return tmp_path


def test_a_checkout_is_its_commit_whatever_else_lies_there(checkout: Path) -> None:
    (checkout / "data").mkdir()
    (checkout / "COMMIT").write_text(COMMIT)
    assert found_in(checkout) == Revision(git(checkout, "rev-parse", "HEAD"))


def test_a_checkout_with_changed_files_is_no_commit(checkout: Path) -> None:
    (checkout / "code.py").write_text("two\n")
    found = found_in(checkout)
    assert found.commit == ""
    assert found.words == f"unknown: files were changed since {git(checkout, 'rev-parse', 'HEAD')[:12]}"


def test_a_repository_without_a_commit_is_unknown(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert found_in(tmp_path).words == "unknown: git does not say"


def test_files_that_were_laid_out_are_what_COMMIT_says(tmp_path: Path) -> None:
    assert "no checkout of git" in found_in(tmp_path).why
    (tmp_path / "COMMIT").write_text(f"{COMMIT}\n")
    assert found_in(tmp_path) == Revision(COMMIT)
    (tmp_path / "COMMIT").write_text("main\n")
    assert found_in(tmp_path) == Revision("", "the file COMMIT names none")

"""Commits as the repository has them, while others work in it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from deployments import commits
from tests.tickets import repositories
from tests.tickets.repositories import person


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return repositories.repository(tmp_path / "repository")


def test_a_branch_that_moves_while_it_is_looked_up_is_found(
    repository: Path, tmp_path: Path, settings: object, db: None
) -> None:
    """It is fetched, and then asked for: what was pushed in between is not in what was fetched."""
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]
    (tmp_path / "data").mkdir()
    project = repositories.project(repository)
    project.pk = 7
    tree = person(repository, "rev-parse", "HEAD^{tree}")
    made, over = [person(repository, "rev-parse", "HEAD")], threading.Event()

    def push() -> None:
        while not over.is_set():
            made.append(person(repository, "commit-tree", "-p", made[-1], "-m", f"Number {len(made)}", tree))
            person(repository, "update-ref", "refs/heads/main", made[-1])
            time.sleep(0.01)

    pusher = threading.Thread(target=push)
    pusher.start()
    try:
        found = [commits.resolve(project, "main").name for _ in range(5)]
    finally:
        over.set()
        pusher.join()
    assert set(found) <= set(made)
    assert len(set(found)) > 1

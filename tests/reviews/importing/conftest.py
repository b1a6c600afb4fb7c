"""Where the real documents stand: beside the project, never in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real documents: $SHIPROOM_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("SHIPROOM_SHARED") or REPOSITORY.parent / "shared")
    if not folder.is_dir():
        pytest.skip("the real documents are not on this machine: set SHIPROOM_SHARED to their folder")
    return folder

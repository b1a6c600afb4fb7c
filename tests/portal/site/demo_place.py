"""A data folder and ports of its own for a test that loads the demo."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from portal.core.models import User
from portal.site.demo import folders
from tests import factories
from tests.engines import postgresql


@pytest.fixture
def place(short_folder: Path) -> Iterator[Path]:
    """DATA_DIR, and two ports that nobody has."""
    (short_folder / "run").mkdir()
    ports = {"DEMO_STAGING_PORT": postgresql.free_port(), "DEMO_PRODUCTION_PORT": postgresql.free_port()}
    with override_settings(DATA_DIR=short_folder, **ports):
        yield short_folder


def admin() -> User:
    return User.objects.create_superuser("admin@example.org", factories.PASSWORD)


def git(*arguments: str, at: Path | None = None) -> str:
    """Git in the demo's repository, or in another one."""
    argv = ["git", "-C", str(at or folders.repository()), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def files(folder: Path) -> list[str]:
    """Every file below it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

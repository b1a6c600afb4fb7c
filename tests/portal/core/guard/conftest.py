"""Databases that a guard's test may break."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.engines.template import Template
from tests.portal.core.guard.databases import Database, Ground


@pytest.fixture(scope="session")
def ground(engine: str, database_url: str, migrated: Template) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="sr-g-", dir="/tmp"))
    made = Ground(engine, database_url, folder, migrated)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test uses databases of its own, not the suite's."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def own(ground: Ground, unblocked: None) -> Database:
    """A migrated database of this test alone."""
    return ground.migrated()


@pytest.fixture
def empty(ground: Ground, unblocked: None) -> Database:
    """A database without a table."""
    return ground.empty()

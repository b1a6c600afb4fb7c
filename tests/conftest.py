"""The ground of the suite: one engine for a run, chosen before Django reads its settings.

``pytest tests/x`` works bare: SQLite and a Valkey of its own, in a temporary
folder. ``--engine postgresql`` takes TEST_DATABASE_URL, or starts a server.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import postgresql, valkey

# Marks that a part is without. What a page shows is asked in detail on PostgreSQL; that every page opens, for everybody
# who may, is walked on SQLite, where a browser looks at each of them too. Real agents are part of ``make cli-test``.
LEFT_OUT = {"all": {"cli"}, "engine": {"cli", "once"}, "embedded": {"cli", "pages"}, "clis": set[str]()}

_ground: list[valkey.Valkey | postgresql.PostgreSQL] = []
_folder = pytest.StashKey[Path]()

pytest_plugins = ["tests.engines.fixtures", "tests.sharing"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("sqlite", "postgresql"),
        default=os.environ.get("TEST_ENGINE", "sqlite"),
        help="the database of this run",
    )
    parser.addoption(
        "--part",
        choices=tuple(LEFT_OUT),
        default="all",
        help="engine: without the tests that need no engine of their own; embedded: without those of pages; clis: with"
        " those of real agents",
    )


def pytest_configure(config: pytest.Config) -> None:
    if "portal.settings" in sys.modules:
        raise pytest.UsageError("The settings were read before the engine was chosen: unset DJANGO_SETTINGS_MODULE.")
    # Short, and not under TMPDIR: a socket's path has room for 103 bytes.
    folder = config.stash[_folder] = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    environment = _environment(config, folder)
    # An installation has collected its files before it serves; whitenoise warns of a missing folder.
    (folder / "data" / "static").mkdir(mode=0o700, parents=True)
    for name in [name for name in os.environ if name.startswith(("DJANGO_", "CELERY_"))]:
        del os.environ[name]
    os.environ.update(environment)

    from django.conf import settings

    database = settings.DATABASES["default"]
    named = f"test_{database['NAME']}_{os.getpid()}"
    # Into the dictionary, not over it: its other keys may have been filled in already.
    test = database.setdefault("TEST", {})
    test["NAME"] = str(folder / "test.sqlite3") if settings.ENGINE == "sqlite" else named
    # The strong hash is tested where it matters; here it would cost every sign-in 50 ms.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"


def _environment(config: pytest.Config, folder: Path) -> dict[str, str]:
    redis_url = os.environ.get("TEST_REDIS_URL")
    if not redis_url:
        store = valkey.start()
        _ground.append(store)
        redis_url = store.url
    database_url = f"sqlite:///{folder / 'main.sqlite3'}"
    if config.getoption("engine") == "postgresql":
        database_url = os.environ.get("TEST_DATABASE_URL", "")
        if not database_url:
            server = postgresql.start()
            _ground.append(server)
            database_url = server.url
    return {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder / "data"),
        "BASE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "EMAIL_URL": "memorymail://",
        # Whoever drains in a test would wait for more; what lingers is tested where it does.
        "DRAIN_LINGER_SECONDS": "0",
        "DEBUG": "0",
        "LOG_PLAIN": "1",
        "PYTHONHASHSEED": "0",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    while _ground:
        _ground.pop().stop()
    shutil.rmtree(config.stash.get(_folder, Path("/nonexistent")), ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What belongs to another run is left out, not skipped: every skip is a test that should have run."""
    elsewhere = {"postgresql"} if config.getoption("engine") != "postgresql" else set()
    part = config.getoption("part")

    def belongs(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        return not (elsewhere | LEFT_OUT[part]) & marks

    left_out = [item for item in items if not belongs(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> str:
    """``sqlite`` or ``postgresql``."""
    return str(pytestconfig.getoption("engine"))


@pytest.fixture(scope="session")
def database_url() -> str:
    """The server that this run has; tests make databases of their own on it."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def valkey_url() -> str:
    return os.environ["REDIS_URL"]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path is short enough for sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)

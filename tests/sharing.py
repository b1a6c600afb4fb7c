"""Several runs of pytest share one list of tests: each takes the next module that none has taken.

All of them collect the same list. A module is taken whole, so that what it sets
up for its tests is set up once. With ``--taken FOLDER`` that folder has a file
for each module that was taken; without it a run has the list for itself.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

# What takes long, or was given more time, is taken first, so that the runs end together.
_LONG = {"slow", "processes", "browser", "timeout"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--taken", metavar="FOLDER", help="where runs that share one list of tests say what they take")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before pytest-django, which puts the tests that roll back first and those without its database last."""
    if config.getoption("taken") is not None:
        long = {_module(item) for item in items if _LONG & set(item.keywords)}
        items.sort(key=lambda item: _module(item) not in long)


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    folder: str | None = session.config.getoption("taken")
    if folder is None or session.testsfailed or session.config.option.collectonly:
        return None
    for tests in taken(session.items, Path(folder)):
        _run(session, tests)
    return True


def taken(items: list[pytest.Item], folder: Path) -> Iterator[list[pytest.Item]]:
    """The tests of one module after the other, as long as there are modules that no run has taken."""
    for _, tests in itertools.groupby(items, key=_module):
        module = list(tests)
        if _is_first(folder, module[0]):
            yield module


def _is_first(folder: Path, item: pytest.Item) -> bool:
    """Whether this run is the first that asks."""
    try:
        (folder / hashlib.sha256(item.nodeid.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _run(session: pytest.Session, tests: list[pytest.Item]) -> None:
    """As pytest's own loop does; what is next is not known yet, so only what is the session's is kept for it."""
    for item, following in itertools.zip_longest(tests, tests[1:], fillvalue=session):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

"""The demo's git repository: the service in some commits of some people, and a branch that was made in a hurry.

Always the same commits, with the same names: authors and days are part of them.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from portal.site.demo.agents.mending_agent import MARK, MENDS
from tickets import git

SOURCE: Final = Path(__file__).with_name("repository")
BRANCH: Final = "main"
HURRIED: Final = "hurried"
_TIMEOUT: Final = "    # Seconds without a byte: a silent client does not keep its thread.\n    timeout = 10\n\n"
_REPORTED: Final = 'COMMIT.read_text(encoding="ascii").strip() if COMMIT.exists() else "unknown"'
_TIDES: Final = "CREATE TABLE tides (at TEXT PRIMARY KEY, centimetres INTEGER NOT NULL);\n"


def _before_the_look(text: str) -> str:
    """A file of tests without what the review found: that stands at its end."""
    return text.partition(f"\n{MARK}")[0]


def _before_the_timeout(text: str) -> str:
    return text.replace(_TIMEOUT, "")


@dataclass(frozen=True)
class Commit:
    """Files as they are in ``SOURCE``; ``earlier`` makes of a file what it was then."""

    subject: str
    author: str
    day: str
    files: tuple[str, ...]
    earlier: Mapping[str, Callable[[str], str]] = field(default_factory=dict)


_LAMPS, _RANGES, _BOARD = (f"harbour/tests/test_{name}.py" for name in ("lamps", "ranges", "board"))
_MAREN, _TOMAS = "Maren Holt <maren@harbour.invalid>", "Tomas Brink <tomas@harbour.invalid>"
HISTORY: Final = (
    Commit(
        "Keep the lights of the harbour in one list",
        _MAREN,
        "2026-01-12",
        (".gitignore", "harbour/__init__.py", "harbour/lights.py", "harbour/tests/__init__.py", _LAMPS),
        {_LAMPS: _before_the_look},
    ),
    Commit(
        "Show the board as a page",
        _MAREN,
        "2026-01-14",
        ("harbour/ranges.py", "harbour/board.py", _RANGES, _BOARD),
        {_RANGES: _before_the_look, _BOARD: _before_the_look},
    ),
    Commit(
        "Show notices to mariners, from a database",
        _TOMAS,
        "2026-01-19",
        ("harbour/notices.py", "migrations/001_notices.sql", "migrations/001_notices.undo.sql"),
    ),
    Commit(
        "Serve the board, and say which commit runs",
        _TOMAS,
        "2026-01-21",
        ("README.md", "harbour/__main__.py", "harbour/health.py", "harbour/tests/test_health.py"),
        {"harbour/__main__.py": _before_the_timeout},
    ),
    Commit(
        "Build, migrate and restart by script",
        _TOMAS,
        "2026-01-26",
        ("deploy/build.py", "deploy/migrate.py", "deploy/restart.py"),
    ),
    Commit("Write down as tests what the first look found", _MAREN, "2026-02-03", (_LAMPS, _RANGES, _BOARD)),
    Commit("Let a silent client go after ten seconds", _TOMAS, "2026-02-09", ("harbour/__main__.py",)),
)


def make(folder: Path) -> None:
    """Make the repository, checked out at its main branch. Raises ``GitFailed``."""
    # Under another name until it is whole: a load that was killed is begun anew.
    half = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    half.mkdir(mode=0o700, parents=True)
    try:
        git.git(half, "init", "--quiet", "--template=", f"--initial-branch={BRANCH}")
        for commit in HISTORY:
            for name in commit.files:
                text = (SOURCE / name).read_text(encoding="utf-8")
                _write(half, name, commit.earlier.get(name, str)(text))
            _commit(half, commit.subject, commit.author, commit.day)
        _hurry(half)
        git.git(half, "checkout", "--quiet", BRANCH)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _hurry(folder: Path) -> None:
    """The branch that mends the worst, and whose service names another commit than the one that runs."""
    stale = git.head(folder)
    git.git(folder, "checkout", "--quiet", "-b", HURRIED)
    mend = MENDS["failed lamp"]
    _replace(folder, mend.file, mend.old, mend.new)
    _replace(folder, mend.test, MARK, "")
    _commit(folder, mend.said, _TOMAS, "2026-02-18")
    _replace(folder, "harbour/health.py", _REPORTED, f'"{stale}"')
    _write(folder, "migrations/002_tides.sql", _TIDES)
    _write(folder, "migrations/002_tides.undo.sql", "DROP TABLE tides;\n")
    _commit(folder, "Prepare the tides, name the release by hand", _TOMAS, "2026-02-18")


def _replace(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"{name} of the demo has no {old!r}")
    _write(folder, name, text.replace(old, new, 1))


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _commit(folder: Path, subject: str, author: str, day: str) -> None:
    name, _, email = author.rstrip(">").partition(" <")
    when = f"{day}T09:00:00+00:00"
    people = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", name), ("EMAIL", email), ("DATE", when))
    }
    git.git(folder, "add", "--all")
    done = git.run(folder, "commit", "--quiet", f"--message={subject}", environment=people)
    git.checked("commit", done)

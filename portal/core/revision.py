"""The commit that this process runs: found once, when it starts, since the files may be others later."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent.parent
_SECONDS: Final = 10
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Revision:
    """``commit`` is empty where nobody knows; ``why`` then says why."""

    commit: str
    why: str = ""

    @property
    def words(self) -> str:
        return self.commit[:12] if self.commit else f"unknown: {self.why}"


@functools.cache
def running() -> Revision:
    """Of the code that this process has read. Ask at its start: the answer is kept."""
    return found_in(FOLDER)


def found_in(folder: Path) -> Revision:
    """What git says of a checkout, or the file COMMIT that whoever laid the files out has left.

    A checkout with changed files is no commit at all.
    """
    if (folder / ".git").exists():
        return _of_git(folder)
    try:
        text = (folder / "COMMIT").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return Revision("", "the files are no checkout of git, and no file COMMIT lies among them")
    return Revision(text) if _COMMIT.fullmatch(text) else Revision("", "the file COMMIT names none")


def _of_git(folder: Path) -> Revision:
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return Revision("", "git does not say")
    if changed:
        return Revision("", f"files were changed since {commit[:12]}")
    return Revision(commit)


def _git(folder: Path, *arguments: str) -> str:
    # --no-optional-locks: a look at it writes nothing there.
    argv = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
    return done.stdout

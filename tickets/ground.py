"""A place to merge in: a repository of its own that borrows the objects of a clone.

Nothing that an agent set in the clone counts here, and nobody waits for it:
no lock of the clone is held. It goes with the block; what a killed worker
left is taken away by ``clear``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from tickets import git
from tickets.pristine import lay_out

# A lock without a place is one that its owner is about to use, unless it is old.
_SOON_SECONDS: Final = 3600


@contextmanager
def ground(clone: Path) -> Iterator[Path]:
    """An empty worktree whose repository sees all commits and tags of ``clone``; removed however the block ends."""
    place = _folder() / secrets.token_hex(8)
    path = _lock_of(place)
    # Held as long as its owner lives, whatever its process is called and in whichever container.
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _prepare(place, clone)
            yield place
        finally:
            _remove(place)
            path.unlink(missing_ok=True)


def clear() -> None:
    """Take away each place whose owner is dead."""
    for path in _folder().glob("*.lock"):
        with suppress(FileNotFoundError), path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            place = path.with_suffix("")
            if place.exists() or time.time() - path.stat().st_mtime > _SOON_SECONDS:
                _remove(place)
                path.unlink()


def _folder() -> Path:
    found: Path = settings.DATA_DIR / "landing"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def _lock_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.lock")


def _prepare(place: Path, clone: Path) -> None:
    place.mkdir(mode=0o700)
    own = place / ".git"
    own.mkdir()
    lay_out(own, git.git(clone, "rev-parse", "--show-object-format"), bare=False)
    (own / "objects" / "info").mkdir()
    (own / "objects" / "info" / "alternates").write_text(f"{clone / 'objects'}\n", encoding="utf-8")
    # Checks may ask for the version by its tags; their objects are here already.
    tags = git.git(clone, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
    (own / "packed-refs").write_text(f"{tags}\n" if tags else "", encoding="utf-8")


def _remove(place: Path) -> None:
    if place.exists():
        shutil.rmtree(place, onerror=_try_again)


def _try_again(function: Callable[..., Any], path: str, _: Any) -> None:
    """A check may leave folders that nobody may change. What is another user's stays, for a person to see."""
    with suppress(OSError):
        for folder in (os.path.dirname(path), path):
            if os.path.isdir(folder) and not os.path.islink(folder):
                os.chmod(folder, stat.S_IRWXU)
        if function in (os.open, os.scandir, os.lstat):
            shutil.rmtree(path)
        else:
            function(path)

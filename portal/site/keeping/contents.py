"""The files of DATA_DIR that are nowhere else.

Kept are attachments, spools (what children of running attempts wrote and no
row has yet) and, where asked for, keys. The rest is made anew from these or
from elsewhere: clones, worktrees and checkouts from the repositories and the
kept branches, static files from the code, the store of hints from nothing;
homes of agents are theirs, and an agent whose session is gone begins another.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.site.keeping.manifest import CHUNK, Look
from portal.site.keeping.refusals import Refused

ATTACHMENTS: Final = "attachments"
SPOOLS: Final = "spools"
KEYS: Final = "keys"
# What is still arriving is named by no row, and its request sends it again.
_ARRIVING: Final = "arriving"
# Beside these a folder counts as empty: they are made by every start, or are the backups themselves.
_NO_CONTENT: Final = frozenset({"backups", "keys", "run", "static", "valkey"})


# By the path in the backup.
Digests = dict[str, str]


def copy_new(name: str, into: Path, look: Look) -> Digests:
    """Copy the files of one folder that the copy has not: for files that are written once, under a new name."""
    return _copy(_data(), into, name, look, again=False)


def copy_grown(name: str, into: Path, look: Look) -> Digests:
    """Copy the files of one folder, over what an earlier look has of them: for files that only grow."""
    return _copy(_data(), into, name, look, again=True)


def put_back(folder: Path, look: Look) -> list[Path]:
    """Copy what a backup has to where it belongs; answers which folders were made."""
    made = []
    for name in (ATTACHMENTS, SPOOLS):
        if (folder / name).is_dir():
            made.append(_data() / name)
            _copy(folder, _data(), name, look, again=True)
    return made


def copy_keys(into: Path) -> Digests:
    return _copy(_data(), into, KEYS, lambda: None, again=True)


def put_keys_back(folder: Path) -> list[str]:
    """The keys of a backup; those that lie there are put aside. Answers their names."""
    target = _data() / KEYS
    target.mkdir(mode=0o700, exist_ok=True)
    names = sorted(path.name for path in (folder / KEYS).glob("*"))
    for name in names:
        own = target / name
        if own.exists() and own.read_bytes() != (folder / KEYS / name).read_bytes():
            own.rename(own.with_name(f"{name}.before-restore"))
        _copy_file(folder / KEYS / name, own, lambda: None)
    return names


def first_in_the_way() -> str:
    """What DATA_DIR has besides what every start makes: the first path, or nothing. The database is looked at apart."""
    for path in sorted(_data().iterdir()):
        if path.name not in _NO_CONTENT and path.is_dir() and (found := next(_files(path), None)):
            return str(found)
    return ""


def _data() -> Path:
    found: Path = settings.DATA_DIR
    return found


def _copy(source: Path, target: Path, name: str, look: Look, *, again: bool) -> Digests:
    found: Digests = {}
    for path in _files(source / name):
        look()
        relative = path.relative_to(source)
        if relative.parts[1] == _ARRIVING:
            continue
        goal = target / relative
        if again or not goal.exists():
            _make_folder(goal.parent, target)
            # Whoever removes a file meanwhile is not waited for: the manifest says which named file is missing.
            with suppress(FileNotFoundError):
                found[str(relative)] = _copy_file(path, goal, look)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Plain files below a folder that may change meanwhile; links and sockets are none of ours."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            with suppress(FileNotFoundError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


def _make_folder(folder: Path, above: Path) -> None:
    if folder != above and not folder.is_dir():
        _make_folder(folder.parent, above)
        folder.mkdir(mode=0o700)


def _copy_file(source: Path, target: Path, look: Look) -> str:
    """Answers the SHA-256 of what was read."""
    found = hashlib.sha256()
    with open(source, "rb", opener=_no_link) as given, open(target, "wb", opener=_private) as file:
        while chunk := given.read(CHUNK):
            found.update(chunk)
            file.write(chunk)
            look()
    return found.hexdigest()


def _no_link(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def write(path: Path, content: bytes) -> None:
    with open(path, "xb", opener=_private) as file:
        file.write(content)


def sync(top: Path, names: Iterable[str]) -> None:
    """Bring files, and the folders that name them, onto the disk."""
    for name in names:
        sync_one(top / name)
    for where, _, _ in os.walk(top):
        sync_one(Path(where))


def sync_one(path: Path) -> None:
    """One folder, or one file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        if path.is_file():
            # So that who reads it back reads the disk and not the memory.
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """A folder of a backup, whole or half."""
    shutil.rmtree(folder, ignore_errors=True)


def words_of(error: OSError, what: Path) -> Refused:
    """What a full or a read-only disk says, in one line."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused(f"The disk of {what} is full: nothing was kept.")
    return Refused(f"{error.filename or what} cannot be written or read ({error.strerror}).")

"""Work that is committed and not yet merged: the branches of tickets in the portal's own clones.

What people push is in their repositories; a ticket's branch is in the clone
of this machine and nowhere else until it is accepted. Git bundles it, which
is consistent beside whoever commits. What is not committed is not kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from django.conf import settings

from portal.core import limits
from portal.site.keeping.manifest import Look
from portal.site.keeping.refusals import Refused
from tickets import git
from tickets.pristine import lay_out

FOLDER: Final = "branches"
_ENDING: Final = ".bundle"
_SHA256: Final = b"@object-format=sha256"
_FETCH: Final = ("--quiet", "--no-tags", "--no-write-fetch-head")


class Kept(NamedTuple):
    """Projects whose branches are in the backup, and those whose clone cannot be read, with git's reason."""

    projects: tuple[str, ...]
    lost: tuple[str, ...]


def keep(into: Path, look: Look) -> Kept:
    """A bundle for each clone that has branches of its own. One that is damaged keeps no other from it."""
    kept, lost = [], []
    for clone in _clones():
        look()
        try:
            if _bundle(clone, into / FOLDER / f"{clone.stem}{_ENDING}"):
                kept.append(clone.stem)
        except git.GitFailed as problem:
            lost.append(f"branches of {clone.stem}: {problem}"[:300])
    return Kept(tuple(kept), tuple(lost))


def _bundle(clone: Path, bundle: Path) -> bool:
    if not git.git(clone, "for-each-ref", "--count=1", "refs/heads"):
        return False
    bundle.parent.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(bundle, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        git.git(clone, "bundle", "create", "--quiet", str(bundle), "--branches", seconds=_seconds())
        git.git(clone, "bundle", "verify", "--quiet", str(bundle), seconds=_seconds())
    except git.GitFailed:
        bundle.unlink(missing_ok=True)
        raise
    bundle.chmod(0o600)
    return True


def put_back(folder: Path, look: Look) -> list[Path]:
    """A clone with the branches of each bundle; its next fetch brings the rest. Answers what was made."""
    made = []
    for bundle in sorted((folder / FOLDER).glob(f"*{_ENDING}")):
        look()
        clone = _folder() / f"{bundle.stem}.git"
        _folder().mkdir(mode=0o700, exist_ok=True)
        clone.mkdir(mode=0o700)
        made.append(clone)
        lay_out(clone, _form(bundle))
        try:
            git.git(clone, "fetch", *_FETCH, str(bundle), "+refs/heads/*:refs/heads/*", seconds=_seconds())
        except git.GitFailed as problem:
            raise Refused(f"The branches of {clone.stem} cannot be put back: {problem}") from None
    return made


def _form(bundle: Path) -> str:
    with bundle.open("rb") as file:
        return "sha256" if file.read(200).split(b"\n")[1:2] == [_SHA256] else "sha1"


def _seconds() -> int:
    return limits.value("CLONE_SECONDS")


def _clones() -> Iterator[Path]:
    """Whole ones: a half has another name."""
    yield from sorted(path for path in _folder().glob("[!.]*.git") if path.is_dir())


def _folder() -> Path:
    found: Path = settings.DATA_DIR / "clones"
    return found

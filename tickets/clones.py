"""The portal's own bare clone of a project's repository, on this machine.

Worktrees of tickets hang on it, and nothing that people work in. Many workers
ask for it at once: whoever changes it holds its lock, a file beside it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.core import limits
from tickets import git, remotes
from tickets.models import Project
from tickets.pristine import lay_out
from workers.failures import BadInput, JobFailed

# Branches under names of their own; tags as they are.
_REFSPECS: Final = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
# Agents fetch by this clone and never push: accepted work is pushed by the portal.
_NO_PUSH: Final = "/nonexistent/accepted-work-is-pushed-by-the-portal"
# Settings of a repository that count for a fetch by address; an agent in plain mode can write them.
_LEADING: Final = r"^(url|http|credential|include|includeif)\.|^extensions\.worktreeconfig$"
_LOOK_SECONDS: Final = 0.05
_LOCKS: Final = ("config.lock", "packed-refs.lock", "shallow.lock")

_held: ContextVar[frozenset[str]] = ContextVar("shiproom_clones_held", default=frozenset())


@dataclass(frozen=True, slots=True)
class Fetched:
    """The clone, and where the target branch of the repository stood when it was asked."""

    path: Path
    branch: str
    commit: str


def folder() -> Path:
    found: Path = settings.DATA_DIR / "clones"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def path_of(project: Project) -> Path:
    return folder() / f"{project.key}.git"


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Nobody else on this machine changes the clone in the block. Raises ``JobFailed`` after a bounded wait.

    The same caller may take it again inside. A git that a killed worker left
    behind keeps it until it ends.
    """
    if project.key in _held.get():
        yield
        return
    with (folder() / f"{project.key}.lock").open("ab") as handle:
        _wait(handle.fileno(), project)
        token = _held.set(_held.get() | {project.key})
        try:
            with git.passing(handle.fileno()):
                yield
        finally:
            _held.reset(token)


def fetched(project: Project) -> Fetched:
    """The clone with all branches of the repository as they are now, made where there is none.

    Raises ``BadInput`` where the repository, or the branch in it, is not
    there; ``GitFailed`` where it cannot be reached now.
    """
    found = remotes.source(project)
    path = path_of(project)
    with locked(project):
        _clear(project, path)
        if path.is_dir():
            _point(path, found)
            _fetch(project, path, found)
        else:
            _make(project, path, found)
        branch = project.target_branch or _default_branch(project, found)
        return Fetched(path, branch, _target(project, path, branch))


def named(project: Project, name: str) -> str:
    """The commit of a branch or a tag, as the repository itself says now; empty where it has none of that name.

    Names in the clone can be moved by an agent; what is asked for there is not looked up here. Raises
    ``BadInput`` or ``GitFailed``.
    """
    found = remotes.source(project)
    wanted = (f"refs/heads/{name}", f"refs/tags/{name}^{{}}", f"refs/tags/{name}")
    said = remotes.asked(project, folder(), found, "ls-remote", *found.upload, "--", found.url, *wanted)
    there = {ref: commit for commit, _, ref in (line.partition("\t") for line in said.splitlines())}
    return next((there[ref] for ref in wanted if ref in there), "")


def _wait(descriptor: int, project: Project) -> None:
    seconds = limits.value("CLONE_SECONDS")
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise JobFailed(f"The clone of {project.key} was in use for longer than {seconds} s.") from None
        time.sleep(_LOOK_SECONDS)


def _clear(project: Project, path: Path) -> None:
    """Take away what a killed worker left: half a clone, and the locks of a fetch that nobody runs any more."""
    for half in folder().glob(f".{project.key}-*"):
        shutil.rmtree(half, ignore_errors=True)
    # Only the holder of our own lock fetches; an agent's own fetch holds these for an instant.
    for lock in (path / "refs" / "remotes").rglob("*.lock"):
        lock.unlink(missing_ok=True)
    for name in _LOCKS:
        _clear_old(path / name)


def _clear_old(lock: Path) -> None:
    """An agent in another worktree may hold this one, but never for long."""
    try:
        if time.time() - lock.stat().st_mtime > git.SECONDS:
            lock.unlink()
    except FileNotFoundError:
        pass


def _make(project: Project, path: Path, found: remotes.Source) -> None:
    """Under another name until it is whole: what has the name of the clone can be believed."""
    half = folder() / f".{project.key}-{secrets.token_hex(8)}"
    half.mkdir(mode=0o700)
    try:
        lay_out(half, _object_format(project, half, found))
        _point(half, found)
        _fetch(project, half, found)
        half.rename(path)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _object_format(project: Project, half: Path, found: remotes.Source) -> str:
    """As the length of its names tells, before there is a repository to hold them."""
    first = remotes.asked(project, half, found, "ls-remote", *found.upload, "--", found.url).partition("\t")[0]
    return "sha256" if len(first) == 64 else "sha1"


def _point(path: Path, found: remotes.Source) -> None:
    """The name that agents have for the repository leads where the project says now.

    What would lead our own fetch elsewhere, or tell somebody of how it signs in, is taken out of the settings.
    """
    own = ("config", "--file", str(path / "config"))
    for name in set(git.names(git.run(path, *own, "-z", "--name-only", "--get-regexp", _LEADING).out)):
        git.git(path, *own, "--unset-all", os.fsdecode(name))
    if _setting(path, "remote.origin.url") == found.url:
        return
    git.git(path, "config", "--replace-all", "remote.origin.url", found.url)
    git.git(path, "config", "--replace-all", "remote.origin.pushurl", _NO_PUSH)
    git.git(path, "config", "--replace-all", "remote.origin.fetch", _REFSPECS[0])


def _setting(path: Path, name: str) -> str:
    return git.run(path, "config", "--get", name).text.strip()


def _fetch(project: Project, path: Path, found: remotes.Source) -> None:
    options = ("--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    # By address and not by name: what an agent set for the remote does not count.
    upload = found.upload or ("--upload-pack=git-upload-pack",)
    remotes.asked(project, path, found, "fetch", *options, *upload, "--", found.url, *_REFSPECS)


def _default_branch(project: Project, found: remotes.Source) -> str:
    """The branch that the repository's HEAD points at. Empty where it has no commit, or HEAD is none of a branch."""
    said = remotes.asked(project, folder(), found, "ls-remote", *found.upload, "--symref", "--", found.url, "HEAD")
    pointed = re.match(r"ref: refs/heads/(\S+)\tHEAD", said)
    return pointed[1] if pointed else ""


def _target(project: Project, path: Path, branch: str) -> str:
    """The commit of the branch. Raises ``BadInput`` that says which of them is missing."""
    if branch:
        output = git.run(path, "show-ref", "--verify", "--hash", "--", f"refs/remotes/origin/{branch}")
        if output.code == 0:
            return output.text.strip()
    where = f"The repository {remotes.shown(project.repository)} of project {project.key}"
    if not git.git(path, "for-each-ref", "--count=1", "refs/remotes/origin"):
        raise BadInput(f"{where} has no commit yet.")
    if not branch:
        raise BadInput(f"{where} has no branch checked out; an owner can name the target branch of the project.")
    raise BadInput(f"{where} has no branch {remotes.shown(branch)}, into which accepted work would go.")

"""A project's repository as git is given it: where it is, and the commands that talk to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from portal.core import limits
from portal.core.redaction import redact
from tickets import git, host_keys
from tickets.addresses import SCHEMES, Address, address_of, place_problem
from tickets.git import Access
from tickets.models import Project
from tickets.signing_in import signed_in
from workers.failures import BadInput

_HOST_UNKNOWN: Final = ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED")
_REDIRECTED: Final = re.compile(r"redirect|returned error: 30[1278]")


@dataclass(frozen=True, slots=True)
class Source:
    """What git fetches from and pushes to. A local one may belong to another user of this machine."""

    url: str
    address: Address

    @property
    def local(self) -> bool:
        return self.address.local

    @property
    def upload(self) -> tuple[str, ...]:
        return ("--upload-pack=git -c 'safe.directory=*' upload-pack",) if self.local else ()

    @property
    def receive(self) -> tuple[str, ...]:
        """A clean checkout of the branch follows a push; one with edits refuses it."""
        if not self.local:
            return ()
        return ("--receive-pack=git -c 'safe.directory=*' -c receive.denyCurrentBranch=updateInstead receive-pack",)


def source(project: Project) -> Source:
    """Where the project's repository is. Raises ``BadInput`` where no git repository can be, or none may be."""
    named = project.repository
    if not named:
        raise BadInput(f"The project {project.key} names no repository.")
    address = address_of(named)
    if address is None or (not address.local and git.printable(named) != named):
        raise BadInput(
            f"The repository {shown(named)} of project {project.key} is neither an absolute path nor an address that"
            f" begins with one of: {', '.join(f'{known}://' for known in SCHEMES)}."
        )
    if problem := place_problem(named):
        raise BadInput(f"The repository {shown(named)} of project {project.key} is not used. {problem}")
    if address.local:
        _must_be_whole(project, named if named.startswith("/") else unquote(named.partition("://")[2]))
    return Source(named, address)


def talking(project: Project, found: Source, run: Callable[[Access], git.Output]) -> git.Output:
    """What one command said that talks to the repository; ``run`` starts it, signed in.

    Raises ``BadInput`` where nobody can sign in so, or the host is not the one that was confirmed.
    """
    with signed_in(project, found.address) as access:
        output = run(access)
    if output.code != 0 and any(sign in output.err for sign in _HOST_UNKNOWN):
        if project.host_keys:
            raise BadInput(
                f"The host {found.address.place} shows another key than the host keys of {project.key}. Either it has"
                " a new one, which an admin can confirm, or it is another host: nothing was sent."
            )
        raise BadInput(host_keys.unconfirmed(found.address))
    return output


def asked(project: Project, where: Path, found: Source, *arguments: str) -> str:
    """What a command that reads the repository printed. Raises ``BadInput`` or ``GitFailed``."""
    seconds = limits.value("CLONE_SECONDS")
    output = talking(project, found, lambda access: git.run(where, *arguments, seconds=seconds, access=access))
    if output.code == 0:
        return output.text.strip()
    if found.local and "does not appear to be a git repository" in output.err:
        raise BadInput(f"{shown(found.url)}, the repository of project {project.key}, is no git repository.")
    said = git.reason(output.err)
    if not found.local and _REDIRECTED.search(said):
        said = f"it is at another address now, and no redirect is followed ({said})"
    raise git.GitFailed(f"The repository {shown(found.url)} of project {project.key} cannot be read now: {said}")


def shown(name: str) -> str:
    """A name or an address for people, without secrets."""
    return git.printable(redact(name))[:300]


def _must_be_whole(project: Project, path: str) -> None:
    # Unlike Path.is_dir, which raises where a folder above may not be entered.
    if not os.path.isdir(path):
        raise BadInput(f"The repository {shown(path)} of project {project.key} is not there on this worker's machine.")
    if any(os.path.exists(os.path.join(path, name)) for name in ("shallow", ".git/shallow")):
        raise BadInput(
            f"The repository {shown(path)} of project {project.key} is a shallow clone: its history is cut."
            " Run git fetch --unshallow in it."
        )

"""Where accepted work lands: a repository, a person's checkout of it, and an agent's worktree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.tickets.repositories import commit, person, project, repository
from tickets import clones, landing
from tickets.landing import Landed

MESSAGE = "MC-1: Drain sends first\n\nAccepted by Ada."


def nothing(worktree: Path, result: str) -> None:
    """A check that passes."""


def never(worktree: Path, result: str) -> None:
    """A check that must not be asked."""
    raise AssertionError("it was not recognised")


class Place:
    """A bare repository with ``main``, a person's checkout of it, and an agent's worktree of the portal's clone."""

    def __init__(self, folder: Path) -> None:
        self.source, self.checkout = repository(folder / "mc", bare=True), folder / "mc-checkout"
        person(self.checkout, "remote", "add", "origin", str(self.source))
        self.project = project(self.source)
        self.work = folder / "work"
        self.clone = clones.fetched(self.project).path
        person(self.clone, "worktree", "add", "--quiet", "-b", "work", str(self.work), "origin/main")

    def pushed(self, subject: str, **files: str | bytes) -> str:
        """A commit of a person in the repository's main."""
        made = commit(self.checkout, subject, **files)
        self.push()
        return made

    def push(self) -> None:
        person(self.checkout, "push", "--quiet", "origin", "HEAD:main")

    @property
    def main(self) -> str:
        return person(self.source, "rev-parse", "main")

    def file(self, name: str) -> str:
        return person(self.source, "show", f"main:{name}")

    def land(self, made: str, *, strategy: str = "merge", check: Callable[[Path, str], object] = nothing) -> Landed:
        found = landing.land(self.project, commit=made, strategy=strategy, message=MESSAGE, check=check)
        self.nothing_left()
        return found

    def nothing_left(self) -> None:
        assert list((self.clone.parent.parent / "landing").glob("*")) == []
        assert len(person(self.clone, "worktree", "list").splitlines()) == 2

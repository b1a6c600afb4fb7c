"""The objects of a repository, and nothing else of it.

Commits, trees and files are named by their content; all the rest of a
repository that an agent had (settings, attributes, hooks, grafts, replaced
objects, an index with marks in it) says what the agent wants it to say. Here
git reads the objects under a private folder that is made for the purpose.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tickets import git


@dataclass(frozen=True, slots=True)
class Pristine:
    """Git over those objects; it is asked by commit, for it has no name of one."""

    own: Path
    objects: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        *arguments: str,
        seconds: float = git.SECONDS,
        stdin: bytes | IO[bytes] | None = None,
        keep: int = git.KEEP_BYTES,
        access: git.Access | None = None,
    ) -> git.Output:
        """As ``git.run``."""
        there = self._where()
        return git.run(self.own, *arguments, seconds=seconds, stdin=stdin, keep=keep, environment=there, access=access)

    def git(self, *arguments: str, seconds: float = git.SECONDS, stdin: bytes | IO[bytes] | None = None) -> str:
        """As ``git.git``."""
        return git.checked(arguments[0], self.run(*arguments, seconds=seconds, stdin=stdin)).text.strip()

    def listed(self, *arguments: str) -> list[bytes]:
        """The names that git lists, each ending with NUL. Raises ``GitFailed``."""
        return git.names(git.checked(arguments[0], self.run(*arguments)).out)

    @contextmanager
    def piping(self, *arguments: str) -> Iterator[IO[bytes]]:
        with git.piping(self.own, *arguments, environment=self._where()) as output:
            yield output

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` holds ``older``, or is it."""
        output = self.run("merge-base", "--is-ancestor", older, newer)
        if output.code not in (0, 1):
            git.checked("merge-base", output)
        return output.code == 0

    def fork(self, one: str, other: str) -> str:
        """Where the two left each other; empty where they have nothing in common."""
        output = self.run("merge-base", one, other)
        if output.code == 1 and not output.err:
            return ""
        return git.checked("merge-base", output).text.strip()

    def at(self, commit: str, worktree: Path) -> Pristine:
        """The same with ``worktree`` beside ``commit``: what is on the disk, compared with that."""
        (self.own / "HEAD").write_text(f"{commit}\n", encoding="ascii")
        found = Pristine(self.own, self.objects, {"GIT_WORK_TREE": str(worktree)})
        found.git("read-tree", commit)
        return found

    def _where(self) -> dict[str, str]:
        return {"GIT_DIR": str(self.own), "GIT_OBJECT_DIRECTORY": str(self.objects), **self.environment}


@contextmanager
def pristine(folder: Path) -> Iterator[Pristine]:
    """The objects of the repository to which ``folder`` belongs. Raises ``GitFailed`` where it belongs to none."""
    said = git.git(folder, "rev-parse", "--show-object-format", "--path-format=absolute", "--git-common-dir")
    form, _, common = said.partition("\n")
    with tempfile.TemporaryDirectory(prefix="shiproom-git-") as own:
        lay_out(Path(own), form)
        yield Pristine(Path(own), Path(common) / "objects")


def lay_out(folder: Path, form: str, *, bare: bool = True) -> None:
    """Make ``folder`` a git directory without anything in it, for objects of ``form`` (sha1, sha256)."""
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
    settings = f"[core]\n\trepositoryformatversion = 1\n\tbare = {str(bare).lower()}\n"
    if form != "sha1":
        settings += f"[extensions]\n\tobjectFormat = {form}\n"
    (folder / "config").write_text(settings, encoding="ascii")

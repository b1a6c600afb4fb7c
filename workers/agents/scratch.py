"""A git repository that lives for one trial."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.failures import JobFailed

GIT_SECONDS: Final = 20
_IDENTITY: Final = ("-c", "user.name=Shiproom", "-c", "user.email=trial@shiproom.invalid", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Scratch:
    """A folder with an empty repository and a home beside it."""

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def make(self) -> str:
        """Make it anew and return its first commit. Raises ``JobFailed``."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self.repository.mkdir()
        self._git("init", "--quiet")
        self._git(*_IDENTITY, "commit", "--quiet", "--allow-empty", "--message=Begin")
        return self.head()

    def head(self) -> str:
        return self._git("rev-parse", "--verify", "HEAD")

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _git(self, *arguments: str) -> str:
        argv = ["git", "-C", str(self.repository), "-c", "core.hooksPath=/dev/null", *arguments]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent"}
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, errors="replace", timeout=GIT_SECONDS, env=environment, check=True
            )
        except subprocess.TimeoutExpired:
            raise JobFailed(f"Git took longer than {GIT_SECONDS} s in the trial's repository.") from None
        except subprocess.CalledProcessError as failed:
            said = (failed.stderr.strip().splitlines() or ["no message"])[-1]
            raise JobFailed(f"Git failed in the trial's repository: {said[:200]}") from None
        except OSError as problem:
            raise JobFailed(f"Git could not be started ({problem.strerror}).") from problem
        return done.stdout.strip()

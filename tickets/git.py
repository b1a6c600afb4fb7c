"""Git as the portal uses it: argument lists, time limits, no hooks, no prompts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from workers.failures import JobFailed

SECONDS: Final = 60


class GitFailed(JobFailed):
    """Git refused; the message carries its last line."""


def git(folder: Path, *arguments: str, seconds: int = SECONDS) -> str:
    """Run git in ``folder`` and return its output. Raises ``GitFailed``."""
    argv = ["git", "-C", str(folder), "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", *arguments]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
    }
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise GitFailed(f"git {arguments[0]} took longer than {seconds} s.") from None
    except OSError as problem:
        raise GitFailed(f"git could not be started ({problem.strerror}).") from problem
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise GitFailed(f"git {arguments[0]} failed: {said[:300]}")
    return done.stdout.strip()


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD")


def is_clean(folder: Path) -> bool:
    return not git(folder, "status", "--porcelain")


def diffstat(folder: Path, base: str, head: str) -> str:
    """One line, such as "2 files changed, 5 insertions(+)"; empty where nothing changed."""
    return git(folder, "diff", "--shortstat", base, head)

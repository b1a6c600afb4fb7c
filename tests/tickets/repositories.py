"""Real git repositories, as a person makes them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tickets.models import Project

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_EDITOR": "true",
}


def person(folder: Path, *arguments: str | bytes, fails: bool = False) -> str:
    """Git as a person or an agent calls it."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=_ENVIRONMENT, capture_output=True)
    said = done.stdout.decode(errors="replace")
    assert (done.returncode != 0) == fails, f"git {arguments!r}: {said}{done.stderr.decode(errors='replace')}"
    return said.strip()


def repository(folder: Path, *, bare: bool = False, branch: str = "main") -> Path:
    """One with ``a.txt`` of ten lines in one commit; a bare one gets it from a checkout beside it."""
    source = folder.with_name(f"{folder.name}-checkout") if bare else folder
    source.mkdir(parents=True)
    person(source, "init", "--quiet", f"--initial-branch={branch}")
    commit(source, "Begin", **{"a.txt": lines()})
    if bare:
        person(source, "clone", "--quiet", "--bare", str(source), str(folder))
    return folder


def lines(**changed: str) -> str:
    """Ten lines; ``line3="x"`` is another third one."""
    return "".join(f"{changed.get(f'line{n}', f'line {n}')}\n" for n in range(1, 11))


def commit(folder: Path, subject: str, **files: str | bytes) -> str:
    """A commit of these files, by name; its hash."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        person(folder, "add", "--", name)
    person(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
    return person(folder, "rev-parse", "HEAD")


def project(repository: Path | str, **fields: str) -> Project:
    """One that is in no database."""
    return Project(key="MC", name="Mission control", repository=str(repository), **fields)


# What a hostile agent sets, each with a program that leaves a mark: (setting, what stands for its value).
_PROGRAMS = (
    ("core.fsmonitor", "{}"),
    ("core.sshCommand", "{}"),
    ("core.pager", "{}"),
    ("core.editor", "{}"),
    ("core.alternateRefsCommand", "{}"),
    ("diff.external", "{}"),
    ("diff.evil.command", "{}"),
    ("diff.evil.textconv", "{}"),
    ("filter.evil.clean", "{}; cat"),
    ("filter.evil.smudge", "{}; cat"),
    ("filter.e=v.process", "{}"),
    ("merge.evil.driver", "{}"),
    ("remote.origin.uploadpack", "{}; git-upload-pack"),
    ("credential.helper", "!{}"),
    ("gpg.program", "{}"),
    ("alias.status", "!{}"),
)


def booby_trap(worktree: Path, marks: Path) -> None:
    """Settings, hooks and attributes of the worktree's repository, each of which would start a program of the agent."""
    marks.mkdir()
    for setting, form in _PROGRAMS:
        person(worktree, "config", setting, form.format(f"touch {marks}/{setting.replace('=', '-')}"))
    person(worktree, "config", "commit.gpgSign", "true")
    person(worktree, "config", "filter.evil.required", "true")
    hooks = marks.with_name(f"{marks.name}-hooks")
    hooks.mkdir()
    for name in ("post-checkout", "pre-commit", "post-merge", "pre-rebase", "post-index-change", "pre-push"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {marks}/hook-{name}\n")
        hook.chmod(0o755)
    own = Path(person(worktree, "rev-parse", "--path-format=absolute", "--git-common-dir")) / "hooks"
    own.mkdir(exist_ok=True)
    for hook in hooks.iterdir():
        (own / hook.name).write_bytes(hook.read_bytes())
        (own / hook.name).chmod(0o755)
    person(worktree, "config", "core.hooksPath", str(hooks))
    attributes = "*.txt diff=evil filter=evil merge=evil\n*.dat filter=e=v\n*.bin diff=evil -text\n"
    (worktree / ".gitattributes").write_text(attributes)

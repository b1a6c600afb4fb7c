"""What a commit is, and what it holds: asked of git by a worker, outside any transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import QuerySet

from deployments.models import Release
from portal.core.storable import storable
from tickets import clones, equal, git
from tickets.models import Merge, MergeState, Project
from tickets.pristine import Pristine, pristine
from workers.failures import BadInput

HEX: Final = re.compile(r"[0-9a-f]{7,64}")
# Of merges that are no ancestors: the newest of them are looked for as an equal patch.
SEARCHED_BY_PATCH: Final = 50
COMMITS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as the repository has it; without a repository, what was asked for, as it was written."""

    name: str
    title: str = ""
    # accepted merges of the project that it holds
    merges: frozenset[int] = frozenset()
    # since the commit before: how many, and the newest of them
    since: int = 0
    newest: list[dict[str, str]] = field(default_factory=list)


def resolve(project: Project, asked: str, *, before: str = "") -> Commit:
    """The commit that ``asked`` names now, with what it holds. ``before`` is the commit that stands there.

    ``asked`` is a branch, a tag, or a commit; empty: the target branch. Raises
    ``BadInput`` where there is none of that name, ``GitFailed`` where the
    repository cannot be read now.
    """
    if not project.repository:
        if asked and not HEX.fullmatch(asked):
            raise BadInput(f"{project.key} names no repository in which {asked} could be looked up; name a commit.")
        return Commit(asked)
    fetched = clones.fetched(project)
    with pristine(fetched.path) as objects:
        name = _name(project, objects, asked) if asked else fetched.commit
        since, newest = _between(objects, before, name)
        title = storable(objects.git("log", "-1", "--format=%s", name))[:200]
        return Commit(name, title, _held(objects, name, _merges(project)), since, newest)


def merges_in(project: Project, commit: str) -> frozenset[int]:
    """The accepted merges that ``commit`` holds, as ancestors or as equal patches. Raises as ``resolve``."""
    if not project.repository or not commit:
        return frozenset()
    fetched = clones.fetched(project)
    with pristine(fetched.path) as objects:
        return _held(objects, commit, _merges(project))


def _name(project: Project, objects: Pristine, asked: str) -> str:
    found = clones.named(project, asked)
    if not found and HEX.fullmatch(asked):
        output = objects.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{asked}^{{commit}}")
        found = output.text.strip() if output.code == 0 else ""
    if found and not _has(objects, found):
        # Somebody pushed between the fetch and the question: what the branch is now comes with another fetch.
        clones.fetched(project)
    if not found or not _has(objects, found):
        raise BadInput(f"The repository of {project.key} has no branch, tag or commit {asked}.")
    return found


def _has(objects: Pristine, commit: str) -> bool:
    return objects.run("cat-file", "-e", f"{commit}^{{commit}}").code == 0


def _between(objects: Pristine, before: str, name: str) -> tuple[int, list[dict[str, str]]]:
    """The commits that ``name`` has and ``before`` has not; where that is not known any more, none are named."""
    if not before or not _has(objects, before):
        return 0, []
    count = int(objects.git("rev-list", "--count", name, f"^{before}"))
    log = objects.git("log", f"--max-count={COMMITS_SHOWN}", "--format=%H%x1f%an%x1f%s", name, f"^{before}")
    parts = (storable(line).split("\x1f") for line in log.splitlines())
    return count, [{"commit": commit, "author": author[:100], "title": title[:200]} for commit, author, title in parts]


def _merges(project: Project) -> QuerySet[Merge]:
    return Merge.objects.filter(ticket__project=project, state=MergeState.MERGED).order_by("-pk")


def _held(objects: Pristine, commit: str, merges: Iterable[Merge]) -> frozenset[int]:
    wanted: dict[str, list[int]] = {}
    for merge in merges:
        wanted.setdefault(merge.merged_commit, []).append(merge.pk)
    missing, held = dict(wanted), set[int]()
    if missing:
        # One walk for all of them; it stops where nothing is missing any more.
        with objects.piping("rev-list", commit) as lines:
            for line in lines:
                held.update(missing.pop(line.decode("ascii").strip(), ()))
                if not missing:
                    break
    for name, numbers in list(missing.items())[:SEARCHED_BY_PATCH]:
        if _has_equal(objects, name, commit):
            held.update(numbers)
    return frozenset(held)


def _has_equal(objects: Pristine, merged: str, commit: str) -> bool:
    """Whether ``commit`` holds the change of ``merged`` as another commit with the same patch."""
    parent = objects.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{merged}^1")
    if parent.code != 0 or not objects.fork(merged, commit):
        return False
    try:
        return bool(equal.found(objects, commit=merged, target=commit, fork=parent.text.strip()))
    except git.GitFailed:
        return False


def changed(commit: Commit, previous: Release | None) -> dict[str, Any]:
    """What a deployment brings, as its page says it: commits, and tickets that the release before did not hold."""
    new = commit.merges - set(previous.merges if previous else ())
    keys = Merge.objects.filter(pk__in=new).order_by("-pk").values_list("ticket__key", flat=True)[:COMMITS_SHOWN]
    return {"commits": commit.since, "newest": commit.newest, "tickets": list(dict.fromkeys(keys))}

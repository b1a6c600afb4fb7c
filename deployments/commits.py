"""What a commit is, and what it holds: asked of git by a worker, outside any transaction."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import QuerySet

from deployments import authorship
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
# commits of other environments that a new one is compared with
COMPARED: Final = 12


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
    # the commit before that was counted over; empty where the repository has none of that name any more
    over: str = ""
    # that the commit before has and this one has not
    gone: int = 0
    gone_newest: list[dict[str, str]] = field(default_factory=list)
    # by the commits that stand elsewhere: how many this one has that they have not, and the other way round
    beside: dict[str, list[int]] = field(default_factory=dict)
    # the addresses of those who wrote the commits since the one before
    authors: frozenset[str] = frozenset()


def resolve(project: Project, asked: str, *, before: str = "", elsewhere: Collection[str] = ()) -> Commit:
    """The commit that ``asked`` names now, with what it holds.

    ``before`` is the commit that stands there, ``elsewhere`` are those that stand in other environments.

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
        title = storable(objects.git("log", "-1", "--format=%s", name))[:200]
        over = before if before and _has(objects, before) else ""
        since, newest = _between(objects, over, name)
        gone, gone_newest = _between(objects, name, over)
        held, beside = _held(objects, name, _merges(project)), _beside(objects, name, elsewhere)
        authors = _authors(objects, over, name)
        return Commit(name, title, held, since, newest, over, gone, gone_newest, beside, authors)


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
    """The commits that ``name`` has and ``before`` has not."""
    if not before or not name:
        return 0, []
    count = int(objects.git("rev-list", "--count", name, f"^{before}"))
    log = objects.git("log", f"--max-count={COMMITS_SHOWN}", "--format=%H%x1f%an%x1f%s", name, f"^{before}")
    parts = (storable(line).split("\x1f") for line in log.splitlines())
    return count, [{"commit": commit, "author": author[:100], "title": title[:200]} for commit, author, title in parts]


def _authors(objects: Pristine, before: str, name: str) -> frozenset[str]:
    if not before:
        return frozenset()
    log = objects.git("log", f"--max-count={authorship.COMMITS_READ}", "--format=%ae", name, f"^{before}")
    return frozenset(storable(line).strip() for line in log.splitlines())


def _beside(objects: Pristine, name: str, others: Collection[str]) -> dict[str, list[int]]:
    """By each of the other commits that the repository has still: commits that this one is ahead, and behind."""
    found: dict[str, list[int]] = {}
    for other in sorted(set(others) - {""})[:COMPARED]:
        if _has(objects, other):
            counts = objects.git("rev-list", "--left-right", "--count", f"{name}...{other}").split()
            found[other] = [int(count) for count in counts]
    return found


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
    """What git says of a deployment's commit, and the tickets that the release before did not hold.

    ``over`` is the commit that was counted over: what stands there may be another when it starts.
    """
    new = commit.merges - set(previous.merges if previous else ())
    keys = Merge.objects.filter(pk__in=new).order_by("-pk").values_list("ticket__key", flat=True)[:COMMITS_SHOWN]
    return {
        "over": commit.over,
        "commits": commit.since,
        "newest": commit.newest,
        "gone": commit.gone,
        "gone_newest": commit.gone_newest,
        "beside": commit.beside,
        "tickets": list(dict.fromkeys(keys)),
        **authorship.known(commit.authors),
    }

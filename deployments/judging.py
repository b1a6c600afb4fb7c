"""A verdict on any commit of a project, for whoever merges it: asked for here, judged by a worker, kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.urls import reverse

from deployments import commits, verdicts
from deployments.commits import Commit
from deployments.models import Verdict
from portal.core.unit import Pointer, unit_of_work
from tickets.followers import Followers
from tickets.models import Project
from workers import queue
from workers.claims import Claim
from workers.kinds import Ending
from workers.models import Job

JUDGE_KIND: Final = "verdict.judge"
SHOWN: Final = 50
STATUS_CHARS: Final = 140
# A verdict on a commit was given, in the unit of work that keeps it.
given: Followers[Verdict] = Followers()
# How the command ends, and what a status of GitHub and of GitLab says.
EXIT_CODES: Final = {Verdict.Answer.SHIP: 0, Verdict.Answer.SHIP_AFTER: 3, Verdict.Answer.DO_NOT_SHIP: 4}


@dataclass(frozen=True, slots=True)
class Judged:
    """A commit with the accepted merges that it holds."""

    commit: str
    merges: frozenset[int]


def ask(project: Project, asked: str) -> Job:
    """Have a commit, branch or tag judged, empty: the target branch. The same asked again meanwhile is the same job."""
    return queue.enqueue(
        JUDGE_KIND,
        subject=project.scope,
        payload={"project": project.pk, "asked": asked},
        unique_key=f"{project.pk}/{asked}",
        audience=project.scope,
    )


def run(claim: Claim) -> Commit | None:
    """The handler of kind "verdict.judge": it looks the commit up, and writes nothing."""
    project = Project.objects.filter(pk=claim.payload["project"]).first()
    return commits.resolve(project, claim.payload["asked"]) if project else None


def settle(ending: Ending) -> None:
    project = Project.objects.filter(pk=ending.payload["project"]).first()
    if project is not None and isinstance(ending.result, Commit):
        keep(project, ending.result)


def now(project: Project, asked: str) -> Verdict:
    """Judge in this process. Raises ``BadInput`` where there is no such commit, ``GitFailed`` where git cannot tell."""
    return keep(project, commits.resolve(project, asked))


def keep(project: Project, commit: Commit) -> Verdict:
    """The verdict on ``commit`` as it is now; the newest that is kept already, where that says the same still."""
    with unit_of_work() as work:
        found = verdicts.judge(project, Judged(commit.name, commit.merges))
        kept = newest(project, commit.name)
        if kept is not None and kept.merges == found.merges and not verdicts.is_stale(kept, found):
            return kept
        found.save(force_insert=True)
        given.tell(found)
        after = {"commit": commit.name, "answer": found.answer, "policy": found.policy, "blocking": len(found.blocking)}
        work.record("project.commit_judged", project.scope, after=after)
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return found


def newest(project: Project, commit: str) -> Verdict | None:
    """The newest verdict on the commit that this whole name, or an unambiguous beginning of one, is of."""
    rows = Verdict.objects.filter(project=project).select_related("project").order_by("-pk")
    if found := rows.filter(commit=commit).first():
        return found
    if len(commit) < 7:
        return None
    begun = rows.filter(commit__startswith=commit)
    names = list(begun.order_by().values_list("commit", flat=True).distinct()[:2])
    return begun.first() if len(names) == 1 else None


class Standing(NamedTuple):
    """A verdict that is kept, and whether what it saw has changed since, or its time is over."""

    verdict: Verdict
    stale: bool


def standing(verdict: Verdict) -> Standing:
    """As it is now: what the commit holds is what it held when it was judged."""
    judged = Judged(verdict.commit, frozenset(verdict.merges))
    return Standing(verdict, verdicts.is_stale(verdict, verdicts.judge(verdict.project, judged)))


def of_commits(project: Project) -> tuple[list[Standing], bool]:
    """The newest verdict on each commit that was judged lately, the newest first; and whether there are more."""
    rows = Verdict.objects.filter(project=project).exclude(commit="").select_related("project").order_by("-pk")
    found: dict[str, Verdict] = {}
    for verdict in rows[: 4 * SHOWN]:
        found.setdefault(verdict.commit, verdict)
    shown = list(found.values())[:SHOWN]
    return [standing(verdict) for verdict in shown], len(found) > SHOWN


# In the words of others -------------------------------------------------------------


def described(found: Standing) -> str:
    """One line: what the answer is, and the first reason."""
    verdict = found.verdict
    first = verdict.reasons[0]["text"] if verdict.reasons else ""
    said = Verdict.Answer(verdict.answer).label
    if found.stale:
        said = f"{said} (stale: judge it again)"
    more = len(verdict.blocking) - 1
    line = f"{said}: {first}" if first else said
    if more > 0 and first:
        line = f"{line} (and {more} more)"
    return line if len(line) <= STATUS_CHARS else f"{line[: STATUS_CHARS - 1]}…"


def page_of(verdict: Verdict) -> str:
    return f"{settings.BASE_URL.rstrip('/')}{reverse('verdicts', args=[verdict.project.key])}#{verdict.commit[:12]}"


def github_status(found: Standing) -> dict[str, Any]:
    """The body of ``POST /repos/{owner}/{repo}/statuses/{sha}``. A stale verdict is pending: it is no answer."""
    state = "pending" if found.stale else "success" if found.verdict.go else "failure"
    return {
        "state": state,
        "context": "shiproom/verdict",
        "description": described(found),
        "target_url": page_of(found.verdict),
    }


def gitlab_status(found: Standing) -> dict[str, Any]:
    """The body of ``POST /projects/{id}/statuses/{sha}``."""
    state = "pending" if found.stale else "success" if found.verdict.go else "failed"
    return {
        "state": state,
        "name": "shiproom/verdict",
        "description": described(found),
        "target_url": page_of(found.verdict),
    }

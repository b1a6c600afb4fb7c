"""The past of closed findings that a document lists as open: who had fixed them, and what rejections rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

from reviews import decisions, premises
from reviews.deciding import BY_ITS_WORD, Past
from reviews.matching import Known
from reviews.models import Decision, DecisionState, Edge, Evidence, FindingState
from reviews.standing import COMMIT_SHOWN
from tickets import clones
from tickets.models import Merge, MergeState, Project
from tickets.pristine import Pristine, pristine
from workers.failures import JobFailed

log = structlog.get_logger(__name__)
# Fixes that are looked up in the clone for one document, and commits after a fix.
FIXES_LOOKED_UP: Final = 100
COMMITS_AFTER: Final = 2000
REASON_SHOWN: Final = 120


def of(project: Project, commit: str, known: Sequence[Known]) -> dict[int, Past]:
    """The past of each of these that is fixed or rejected. ``commit`` is the reviewed one, where it is known."""
    fixed = [one.pk for one in known if one.state == FindingState.FIXED]
    rejected = [one for one in known if one.state == FindingState.REJECTED]
    return _fixed(project, commit, fixed) | _rejected(project, commit, rejected)


# Fixed --------------------------------------------------------------------------


def _fixed(project: Project, commit: str, pks: Sequence[int]) -> dict[int, Past]:
    fixes = _newest(pks, Edge.COMMIT)
    if not fixes:
        return {}
    deployed = _newest(list(fixes), Edge.DEPLOYMENT)
    told = _told(project, commit, dict.fromkeys(ref for ref, _ in fixes.values()))
    found: dict[int, Past] = {}
    for pk, (fix, _) in fixes.items():
        where = deployed.get(pk)
        live = f" Deployment {where[0]} ({where[1]}) is the newest with that fix." if where else ""
        found[pk] = Past(says=f"{told[fix]}{live}")
    return found


def _newest(pks: Sequence[int], edge: Edge) -> dict[int, tuple[str, str]]:
    """By finding, the newest of its edges of a kind: what is at its end, and where."""
    rows = Evidence.objects.filter(finding__in=pks, edge=edge).order_by("at", "pk")
    return {pk: (ref, place) for pk, ref, place in rows.values_list("finding_id", "ref", "place")}


def _told(project: Project, commit: str, fixes: Iterable[str]) -> dict[str, str]:
    """A sentence for each commit that had fixed something: whether the reviewed one holds it, and what came since."""
    wanted = list(fixes)
    said = {fix: f"{_short(fix)} had fixed it; whether the reviewed commit holds that is not known." for fix in wanted}
    folder = clones.path_of(project)
    if not commit or not folder.is_dir():
        return said
    works = _works(project)
    for fix in wanted[:FIXES_LOOKED_UP]:
        said[fix] = _looked_up(folder, fix, commit, works) or said[fix]
    return said


def _looked_up(folder: Path, fix: str, commit: str, works: dict[str, str]) -> str:
    """By ancestry, never by date; empty where the clone does not have both."""
    try:
        with pristine(folder) as objects:
            if not objects.is_ancestor(fix, commit):
                return f"{_short(fix)} had fixed it, which the reviewed commit {_short(commit)} does not hold."
            since = _since(objects, fix, commit, works)
    except JobFailed as problem:
        log.info("fix_not_looked_up", fix=fix, commit=commit, why=str(problem))
        return ""
    came = f"; {since} is the newest accepted work since" if since else ""
    return f"{_short(fix)} had fixed it, and the reviewed commit {_short(commit)} holds that{came}."


def _since(objects: Pristine, fix: str, commit: str, works: dict[str, str]) -> str:
    """The newest accepted work that came after the fix and is in the reviewed commit."""
    if not works:
        return ""
    after = objects.git("rev-list", "--ancestry-path", f"--max-count={COMMITS_AFTER}", f"{fix}..{commit}")
    return next((works[each] for each in after.split() if each in works), "")


def _works(project: Project) -> dict[str, str]:
    """By the commit that holds it, the turn whose work was accepted."""
    merges = Merge.objects.filter(ticket__project=project, state=MergeState.MERGED).order_by("-pk")
    rows = merges.values_list("merged_commit", "ticket__key", "turn__seq")[:COMMITS_AFTER]
    return {commit: f"{key}/{seq}" if seq else key for commit, key, seq in rows}


def _short(commit: str) -> str:
    return commit[:COMMIT_SHOWN]


# Rejected -----------------------------------------------------------------------


def _rejected(project: Project, commit: str, known: Sequence[Known]) -> dict[int, Past]:
    rows = Decision.objects.filter(
        finding__in=[one.pk for one in known], kind=Decision.Kind.REJECT, state=DecisionState.IN_FORCE
    )
    in_force = {row.finding_id: row for row in rows.order_by("pk")}
    changed = premises.premises_changed(project, in_force.values(), commit=commit) if in_force else {}
    return {one.pk: _of_rejection(one, in_force.get(one.pk), changed) for one in known}


def _of_rejection(one: Known, decision: Decision | None, changed: dict[int, list[str]]) -> Past:
    if decision is None:
        if one.answer.startswith(BY_ITS_WORD):
            return Past(says="a document alone had rejected it")
        return Past(holds=f"{_cut(one.answer) or 'a person said so'}; the code that it rests on is not known")
    if decision.pk in changed:
        places = ", ".join(changed[decision.pk][: premises.SHOWN_PLACES])
        return Past(says=f"premise changed, {places} is not what it was when {decision.asked_label} rejected it")
    on = "the code that it rests on is unchanged" if decision.premises else "the code that it rests on is not known"
    said = f"by {decision.asked_label} on {decisions.day_of(decision.asked_at)}, “{_cut(decision.reason)}”"
    return Past(holds=f"{said}; {on}")


def _cut(text: str) -> str:
    words = " ".join(text.split()).rstrip(".")
    return words if len(words) <= REASON_SHOWN else f"{words[: REASON_SHOWN - 1]}…"

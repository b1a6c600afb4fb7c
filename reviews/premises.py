"""The code that rejections rest on: remembered when a finding is rejected, and looked at again when the code moves.

A premise is a region of code by what its lines say. Code that only went
elsewhere in its file, or whose file was renamed, is the same; where the clone
cannot be read, nothing is known, and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

import structlog
from django.db.models import QuerySet

from portal.core.cause import Actor, acting
from portal.core.lifecycle import Refused, amend
from portal.core.unit import unit_of_work
from reviews import decisions, regions, telling
from reviews.models import Decision, DecisionState, Finding
from reviews.regions import Counted, Region
from reviews.transitions import DECISION
from tickets import clones
from tickets.models import Merge, Project
from workers import queue
from workers.failures import JobFailed

log = structlog.get_logger(__name__)
COMPARE_KIND: Final = "decision.compare"
BY_CODE: Final = "Shiproom: the code has changed"
# Places that one rejection rests on.
PREMISES_KEPT: Final = 40
# Rejections of a project that are compared at once, the newest.
COMPARED: Final = 1_000
SHOWN_PLACES: Final = 5
COMMIT_SHOWN: Final = 9

Writing = Callable[[], AbstractContextManager[Any]]


# Remembering --------------------------------------------------------------------


def look(decision_id: int, writing: Writing = unit_of_work) -> int:
    """Keep what the code of a rejected finding says now; returns how many places. Fetches where that can be done."""
    decision = resting().filter(pk=decision_id).first()
    if decision is None or decision.premises:
        return 0
    project = decision.finding.series.project
    head = _fetched(project)
    found = _regions(project, decision.finding, head)[:PREMISES_KEPT]
    if not found:
        return 0
    kept = [_premise(region, count) for region, count in found]
    with writing():
        try:
            amend(decision, DECISION, "looked", expected_version=decision.version, premises=kept)
        except Refused as refusal:
            # It ended while its code was read.
            log.info("premises_not_kept", decision=DECISION.subject(decision), why=str(refusal))
            return 0
    return len(kept)


def resting() -> QuerySet[Decision]:
    """The rejections that are in force."""
    return decisions.standing().filter(state=DecisionState.IN_FORCE, kind=Decision.Kind.REJECT)


def _regions(project: Project, finding: Finding, head: str) -> list[tuple[Region, int]]:
    """The code that the finding means, where it is at the head now, with the number of lines that count in each.

    Its lines are those of the commit that its newest review names, where the
    clone has that; what is not found any more is what stands at the head.
    """
    named = _named(finding)
    begun = regions.commit_at(project, named) if named else head
    read = regions.read(project, begun, [str(place) for place in finding.files])
    found = dict.fromkeys(region for several in read.values() for region in several)
    paths = [region.path for region in found]
    before = regions.counted(project, begun, paths) or {}
    after = regions.counted(project, head, paths) or {} if begun != head else before
    there: dict[Region, int] = {}
    for region in found:
        if region.path in before and region.path in after:
            path, now = after[region.path]
            there |= _at_head(
                region, len(_said(before[region.path][1], region)), Region(path, *_lines(region), "", head), now
            )
    return list(there.items())


def _at_head(region: Region, count: int, at: Region, now: Counted) -> dict[Region, int]:
    """The region as it is in the file at the head: where it went, else what stands in its lines."""
    if regions.digest_of(_said(now, region)) != region.digest:
        went = regions.moved(now, region.digest, count)
        if went is not None:
            return {replace(at, start=went[0], end=went[1], digest=region.digest): count}
    said = _said(now, region)
    digest = regions.digest_of(said)
    return {replace(at, digest=digest): len(said)} if digest else {}


def _said(lines: Counted, region: Region) -> list[str]:
    return regions.within(lines, *_lines(region))


def _lines(region: Region) -> tuple[int, int]:
    return region.start, region.end


def _named(finding: Finding) -> str:
    rows = finding.occurrences.order_by("-review__number", "-pk")
    return rows.values_list("review__commit", flat=True).first() or ""


def _premise(region: Region, count: int) -> dict[str, Any]:
    return {
        "path": region.path,
        "start": region.start,
        "end": region.end,
        # of the lines that are not blank: by it the region is found where it went
        "count": count,
        "digest": region.digest,
        "commit": region.commit,
    }


def _fetched(project: Project) -> str:
    """The head of the target branch: as the repository has it, else as the clone knows it."""
    if project.repository:
        try:
            return clones.fetched(project).commit
        except JobFailed as problem:
            log.info("premises_not_fetched", project=project.key, why=str(problem))
    return regions.commit_at(project)


# Comparing ----------------------------------------------------------------------


def premises_changed(project: Project, rejections: Iterable[Decision], *, commit: str = "") -> dict[int, list[str]]:
    """The places of each rejection whose code is another now, by the decision's id; without any, it is not there.

    ``commit``: where to look; without it, at the head of the target branch as the clone knows it.
    """
    resting_on = {decision.pk: _known(decision.premises) for decision in rejections}
    paths = {path for premises in resting_on.values() for premise in premises for path in _paths(premise)}
    at = commit or (regions.commit_at(project) if paths else "")
    files = regions.counted(project, at, sorted(paths)) if at else None
    if files is None:
        return {}
    found = {
        pk: [_place(premise) for premise in premises if not _is_there(premise, files)]
        for pk, premises in resting_on.items()
    }
    return {pk: places for pk, places in found.items() if places}


def merged(merge: Merge) -> None:
    """Accepted work is in the target: what rests on its code is compared by a job, which may read the clone."""
    project = merge.ticket.project
    rows = resting().filter(finding__series__project=project).exclude(premises=[])
    if rows.exists():
        # The merge in its key: a job that runs already has read the head before it.
        key = f"{project.scope}@{merge.merged_commit}"
        queue.enqueue(COMPARE_KIND, subject=project.scope, unique_key=key, audience=project.scope)


def compare(project_id: int, writing: Writing = unit_of_work) -> int:
    """End the rejections of a project whose code has changed; returns how many. Fetches where that can be done."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return 0
    head = _fetched(project)
    rows = resting().filter(finding__series__project=project).exclude(premises=[])
    rejections = list(rows.order_by("-pk")[:COMPARED])
    changed = premises_changed(project, rejections, commit=head)
    ended = 0
    for decision in rejections:
        if decision.pk not in changed:
            continue
        try:
            with writing(), acting(Actor("worker", "premises", BY_CODE)):
                end(decision, changed[decision.pk], head)
        except Refused as refusal:
            log.info("premise_not_ended", decision=DECISION.subject(decision), why=str(refusal))
        else:
            ended += 1
    return ended


def end(decision: Decision, places: list[str], commit: str) -> None:
    """The code that the rejection rests on is another: its finding is open again. Raises ``Refused``."""
    decisions.end(decision, reason=in_words(places, commit))
    telling.ended_by_itself(decision)


def in_words(places: list[str], commit: str) -> str:
    shown = ", ".join(places[:SHOWN_PLACES])
    more = f" and {len(places) - SHOWN_PLACES} more places" if len(places) > SHOWN_PLACES else ""
    are = "is not what it was" if len(places) == 1 else "are not what they were"
    return f"Premise changed: {shown}{more} {are}, at {commit[:COMMIT_SHOWN]}."


def _known(premises: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were kept as this program keeps them."""
    names = {"path", "start", "end", "digest"}
    return [premise for premise in premises if isinstance(premise, dict) and names <= premise.keys()]


def _paths(premise: dict[str, Any]) -> list[str]:
    """The file, and its bare name: where it was renamed into another folder, the only one of that name is it."""
    path = str(premise["path"])
    return [path, path.rpartition("/")[2]]


def _is_there(premise: dict[str, Any], files: dict[str, tuple[str, Counted]]) -> bool:
    for path in _paths(premise):
        if path not in files:
            continue
        lines = files[path][1]
        said = regions.within(lines, premise["start"], premise["end"])
        if regions.digest_of(said) == premise["digest"]:
            return True
        count = int(premise.get("count") or premise["end"] - premise["start"] + 1)
        if regions.moved(lines, premise["digest"], count) is not None:
            return True
    return False


def _place(premise: dict[str, Any]) -> str:
    start, end = premise["start"], premise["end"]
    return f"{premise['path']}:{start}" if start == end else f"{premise['path']}:{start}-{end}"

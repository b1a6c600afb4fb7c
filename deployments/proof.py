"""What stands somewhere, as evidence of findings: live there, verified there, or not any more.

The rows are a fold over what was put there, one after the other: a fix stays
live as long as whatever stands there holds it, and stops being live with the
first that does not. History has what was put where, so that the rows can be
derived again from it; whoever writes some derives them so, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby
from typing import Any, Final, Generic, NamedTuple, TypeVar

from django.db.models import Count, Q, TextField
from django.db.models.functions import Cast

from deployments.models import Deployment, DeploymentState, Environment, Phase, Placement, Release, Service, StepState
from deployments.placements import CHANGED
from portal.core import bulk
from portal.core.models import Activity
from reviews import evidence
from reviews.links import Link
from reviews.models import Edge, Evidence, Finding, FindingState, Strength
from tickets.models import Author, Merge, Project

SINCE: Final = (Edge.DEPLOYMENT, Edge.HEALTH)
FAR: Final = (Edge.RELEASE, *SINCE)
Since = TypeVar("Since")


@dataclass(frozen=True, slots=True)
class Live(Generic[Since]):
    """Per finding, the deployment since which its fix stands there, and the one since which that is verified."""

    since: dict[int, Since] = field(default_factory=dict)
    verified: dict[int, Since] = field(default_factory=dict)


def after(live: Live[Since], *, fixed: Iterable[int], deployment: Since, verified: bool) -> Live[Since]:
    """What is live once ``deployment`` left there something that holds the fixes of ``fixed`` and no others."""
    fixed = list(fixed)
    return Live(
        {finding: live.since.get(finding, deployment) for finding in fixed},
        {finding: live.verified.get(finding, deployment) for finding in fixed} if verified else {},
    )


class Put(NamedTuple):
    """What a deployment left somewhere; without a release, nothing, or nobody knows what."""

    deployment: int
    release: int | None
    verified: bool
    # None: now
    at: datetime | None


# What happened ----------------------------------------------------------------


def stands(deployment: Deployment, *, verified: bool, why: str = "") -> None:
    """Keep the evidence true after ``deployment`` put something there, or nobody knows what stands there.

    The same where what it put there is verified no more, or again; ``why`` says that then. Call it in the unit of
    work in which that was placed, or seen.
    """
    placement = Placement.objects.select_related("release__service").get(
        service=deployment.service_id, environment=deployment.environment_id
    )
    stored = _stored(deployment)
    wanted = after(stored, fixed=_fixed_in(placement.release), deployment=deployment.pk, verified=verified)
    changed = {
        finding
        for was, now in ((stored.since, wanted.since), (stored.verified, wanted.verified))
        for finding in was.keys() | now.keys()
        if was.get(finding) != now.get(finding)
    }
    # Its own record of history is written when the unit ends.
    put = Put(deployment.pk, placement.release_id, verified, None)
    just = {(deployment.service_id, deployment.environment_id): put}
    for chunk in bulk.chunks(sorted(changed)):
        held = evidence.locked(chunk)
        derived = derive(deployment.service.project, fixes_of(held), just=just)
        _mend(held, derived, why or _why_gone(deployment, placement.release))


def settle(findings: Iterable[Finding]) -> None:
    """The accepted commits of these findings are others than before: say again where they stand."""
    ordered = sorted(findings, key=lambda finding: finding.series.project_id)
    for _, some in groupby(ordered, key=lambda finding: finding.series.project_id):
        for chunk in bulk.chunks(list(some)):
            held = evidence.locked(finding.pk for finding in chunk)
            project, fixes = held[0].series.project, fixes_of(held)
            derived = derive(project, fixes) if _stand_somewhere(project, fixes) else {}
            _mend(held, derived, "Its accepted commit is another now.")


def grew(release: Release, merges: Collection[int]) -> None:
    """More accepted work was found in the release: where it stands, that is live."""
    commits = Merge.objects.filter(pk__in=merges).values_list("merged_commit", flat=True)
    settle(evidence.fixed_by(commits, release.service.project))


def _mend(findings: list[Finding], derived: Mapping[int, list[Link]], reason: str) -> None:
    wanted = {finding: derived.get(finding.pk, []) for finding in findings}
    evidence.mend(evidence.differences(wanted, FAR), reason=reason)


def _stored(deployment: Deployment) -> Live[int]:
    """What the rows say of the place that ``deployment`` goes to."""
    there = Deployment.objects.filter(service=deployment.service_id, environment=deployment.environment_id)
    named = there.annotate(name=Cast("pk", TextField())).values("name")
    live: Live[int] = Live()
    for edge, finding, ref in Evidence.objects.filter(edge__in=SINCE, ref__in=named).values_list(
        "edge", "finding", "ref"
    ):
        (live.verified if edge == Edge.HEALTH else live.since)[finding] = int(ref)
    return live


def _fixed_in(release: Release | None) -> set[int]:
    """The findings whose accepted fix the release holds."""
    found: set[int] = set()
    for chunk in bulk.chunks(release.merges if release else []):
        commits = Merge.objects.filter(pk__in=chunk).values("merged_commit")
        rows = Evidence.objects.filter(
            edge=Edge.COMMIT, ref__in=commits, finding__series__project=release.service.project_id if release else None
        )
        found.update(rows.exclude(finding__state=FindingState.WITHDRAWN).values_list("finding", flat=True))
    return found


def fixes_of(findings: Collection[Finding]) -> dict[int, set[str]]:
    """The accepted commits of each finding, as they are stored."""
    known = [finding.pk for finding in findings if finding.state != FindingState.WITHDRAWN]
    fixes: dict[int, set[str]] = {}
    for finding, ref in Evidence.objects.filter(finding__in=known, edge=Edge.COMMIT).values_list("finding", "ref"):
        fixes.setdefault(finding, set()).add(ref)
    return fixes


def _stand_somewhere(project: Project, fixes: Mapping[int, set[str]]) -> bool:
    """Whether anything that stands somewhere holds one of the fixes: most work that lands is not deployed yet."""
    rows = Placement.objects.filter(service__project=project, release__isnull=False).select_related("release")
    return any(_holding(fixes, [(row.release_id, row.release.merges) for row in rows if row.release]).values())


def _why_gone(deployment: Deployment, release: Release | None) -> str:
    if deployment.state == DeploymentState.FAILED:
        return f"Deployment {deployment.pk} failed: what stands as {deployment.place} is not known."
    verb = "was rolled back" if deployment.state == DeploymentState.ROLLED_BACK else "went there"
    stands = f"{release} stands there" if release else "nothing stands there"
    return f"Deployment {deployment.pk} {verb}: {stands} ({deployment.place})."


# The fold over history ----------------------------------------------------------


def derive(
    project: Project, fixes: Mapping[int, set[str]], *, just: Mapping[tuple[int, int], Put] | None = None
) -> dict[int, list[Link]]:
    """What the findings with these accepted commits have by all that was put anywhere in the project.

    ``just``: what was put somewhere, by service and environment, that history does not tell yet.
    """
    releases = Release.objects.filter(service__project=project).values_list("pk", "merges")
    holding = _holding(fixes, releases.iterator(chunk_size=bulk.CHUNK_ROWS))
    found: list[tuple[str, Live[Put]]] = []
    if any(holding.values()):
        names = dict(Environment.objects.filter(project=project).values_list("pk", "name"))
        for service in Service.objects.filter(project=project).order_by("pk"):
            own = [(place, put) for (owner, place), put in (just or {}).items() if owner == service.pk]
            places = _fold(chain(_history(service), own), lambda release: holding.get(release, ()))
            found += [(f"{service.name} in {names[place]}", live) for place, live in places.items() if place in names]
    return _links(found)


def _holding(
    fixes: Mapping[int, set[str]], releases: Iterable[tuple[int | None, list[int]]]
) -> dict[int | None, tuple[int, ...]]:
    """The findings whose fix each release holds."""
    by_commit: dict[str, list[int]] = {}
    for finding, commits in fixes.items():
        for commit in commits:
            by_commit.setdefault(commit, []).append(finding)
    rows = Merge.objects.filter(merged_commit__in=list(by_commit)).values_list("pk", "merged_commit")
    by_merge = {merge: by_commit[commit] for merge, commit in rows}
    if not by_merge:
        return {}
    return {
        release: tuple(sorted({finding for merge in merges if merge in by_merge for finding in by_merge[merge]}))
        for release, merges in releases
    }


def _history(service: Service) -> Iterator[tuple[int, Put]]:
    """What was put into each environment, by its id, the oldest first."""
    rows = Activity.objects.filter(subject=service.subject, verb=CHANGED).order_by("pk")
    for said, at in rows.values_list("after", "at").iterator(chunk_size=bulk.CHUNK_ROWS):
        yield said["environment"], Put(said["deployment"], said["release"], said["verified"], at)


def _fold(puts: Iterable[tuple[int, Put]], holding: Callable[[int | None], Collection[int]]) -> dict[int, Live[Put]]:
    places: dict[int, Live[Put]] = {}
    for place, put in puts:
        places[place] = after(
            places.get(place, Live()), fixed=holding(put.release), deployment=put, verified=put.verified
        )
    return places


def _links(places: list[tuple[str, Live[Put]]]) -> dict[int, list[Link]]:
    puts = {put for _, live in places for put in (*live.since.values(), *live.verified.values())}
    names = Release.objects.select_related("service").in_bulk([put.release for put in puts])
    told = _told(puts)
    found: dict[int, list[Link]] = {}
    brought: dict[tuple[int, int], datetime | None] = {}
    for place, live in places:
        for finding, put in live.since.items():
            said = told[put].format(release=names[_release(put)])
            link = _link(Edge.DEPLOYMENT, str(put.deployment), Strength.MEASURED, said, put, place)
            found.setdefault(finding, []).append(link)
            key = finding, _release(put)
            brought[key] = _earlier(brought[key], put.at) if key in brought else put.at
        for finding, put in live.verified.items():
            said = f"The service itself reported {names[_release(put)].short}."
            link = _link(Edge.HEALTH, str(put.deployment), Strength.CONFIRMED, said, put, place)
            found.setdefault(finding, []).append(link)
    for (finding, number), at in brought.items():
        release = names[number]
        said = f"{release.short} holds the commit of its fix."
        by = str(Author.PORTAL.label)
        found[finding].append(Link(Edge.RELEASE, str(release), Strength.MEASURED, said, by, at=at))
    return found


def _link(edge: Edge, ref: str, strength: Strength, said: str, put: Put, place: str) -> Link:
    return Link(edge, ref, strength, said, str(Author.PORTAL.label), place, put.at)


def _release(put: Put) -> int:
    """Of what holds a fix: nothing holds none."""
    assert put.release is not None
    return put.release


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None is now."""
    return min(filter(None, (one, other)), default=None)


def _told(puts: Iterable[Put]) -> dict[Put, str]:
    """How each came there, with a place for the release's name: brought by its steps, or come back to."""
    puts = list(puts)
    forward = Q(steps__phase=Phase.FORWARD)
    rows: Any = Deployment.objects.filter(pk__in=[put.deployment for put in puts]).annotate(
        planned=Count("steps", filter=forward),
        done=Count("steps", filter=forward & Q(steps__state=StepState.SUCCEEDED)),
    )
    known = {row["pk"]: row for row in rows.values("pk", "release", "planned", "done")}
    return {put: _way(put, known[put.deployment]) for put in puts}


def _way(put: Put, row: Mapping[str, Any]) -> str:
    if put.release != row["release"]:
        return f"Deployment {put.deployment} was rolled back to {{release}}."
    planned, done = row["planned"], row["done"]
    steps = f"{done} of its {planned} steps done, the others skipped" if done < planned else "all its steps done"
    return f"Deployment {put.deployment} brought {{release}} there, {steps}."

"""What the lists and the pages of places show: bounded, within the reader's scopes, a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Exists, Max, OuterRef, QuerySet

from deployments import verdicts
from deployments.models import (
    Deployment,
    Environment,
    Hold,
    HoldState,
    Observation,
    Placement,
    Policy,
    Release,
    Service,
)
from reviews import standing
from reviews.models import Edge, Evidence, Finding, FindingState
from tickets.models import Merge, Project
from tickets.queries import Page, page_of, seen_by

ROWS_SHOWN: Final = 50
OBSERVED_SHOWN: Final = 20
# what a list says nothing of, and what may be long
UNLISTED: Final = (
    "changes", "variables", "verdict__merges",
    *(f"{of}__{name}" for of in ("release", "previous") for name in ("pipeline", "open_findings", "merges")),
)  # fmt: skip
# names of a filter's lists
NAMES_SHOWN: Final = 200


def deployments() -> QuerySet[Deployment]:
    """With all that a page says of one."""
    return Deployment.objects.select_related(
        "service__project", "environment", "verdict", "release__service", "previous__service"
    )


def matching(reader: Any, wanted: Mapping[str, str]) -> QuerySet[Deployment]:
    """What the reader may see and the filters of the list let through. Days are those in which it was asked for."""
    rows = seen_by(reader, deployments().defer(*UNLISTED), "service__project")
    same = {
        "project": "service__project__key",
        "service": "service__name",
        "environment": "environment__name",
        "state": "state",
        "person": "requester__icontains",
    }
    rows = rows.filter(**{column: wanted[name] for name, column in same.items() if wanted.get(name)})
    if wanted.get("since"):
        rows = rows.filter(requested_at__gte=_midnight(wanted["since"]))
    if wanted.get("until"):
        rows = rows.filter(requested_at__lt=_midnight(wanted["until"]) + timedelta(days=1))
    return rows


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def deployment_list(reader: Any, wanted: Mapping[str, str], before: int | None) -> Page:
    return page_of(matching(reader, wanted), before)


def names(reader: Any, places: QuerySet[Any]) -> list[str]:
    """The names of those of these services or environments that the reader may see, for a filter's list."""
    return list(seen_by(reader, places).order_by("name").values_list("name", flat=True).distinct()[:NAMES_SHOWN])


def later(deployment: Deployment) -> Deployment | None:
    """The newest deployment of the same service to the same environment, if it is another."""
    rows = Deployment.objects.filter(
        service=deployment.service, environment=deployment.environment, pk__gt=deployment.pk
    )
    return rows.order_by("-id").first()


# Places -------------------------------------------------------------------------


class Bounded(NamedTuple):
    """Rows, and whether there are more."""

    rows: list[Any]
    cut: bool


def bounded(rows: QuerySet[Any], most: int = ROWS_SHOWN) -> Bounded:
    found = list(rows[: most + 1])
    return Bounded(found[:most], len(found) > most)


def holds_of(place: Release | Environment) -> Bounded:
    """The newest first; at most one of them holds."""
    return bounded(place.holds.select_related("cause").order_by("-pk"))


def standing_in(environment: Environment) -> Bounded:
    rows = Placement.objects.filter(environment=environment)
    return bounded(rows.select_related("service", "release__service", "deployment").order_by("service__name"))


def observations_in(environment: Environment) -> Bounded:
    rows = Observation.objects.filter(placement__environment=environment)
    return bounded(rows.select_related("placement__service", "deployment").order_by("-last_at", "-pk"), OBSERVED_SHOWN)


def standing_of(service: Service) -> Bounded:
    rows = Placement.objects.filter(service=service)
    rows = rows.select_related("environment", "release__service", "deployment")
    return bounded(rows.order_by("environment__place", "environment__name"))


def deployments_to(environment: Environment) -> Bounded:
    return bounded(deployments().filter(environment=environment).order_by("-pk"))


def releases_of(service: Service, before: int | None) -> Page:
    rows = Release.objects.filter(service=service).select_related("service")
    held = Hold.objects.filter(release=OuterRef("pk"), state=HoldState.HOLDING)
    return page_of(rows.annotate(held=Exists(held)), before)


class Contents(NamedTuple):
    """What a release holds, and what was open when it was made."""

    deployments: Bounded
    merges: Bounded
    findings: Bounded
    open_findings: list[Finding]
    open_more: int


def contents_of(release: Release) -> Contents:
    merges = Merge.objects.filter(pk__in=release.merges).order_by("-pk")
    fixes = Evidence.objects.filter(edge=Edge.COMMIT, ref__in=merges.order_by().values("merged_commit"))
    fixed = Finding.objects.filter(series__project=release.service.project_id, pk__in=fixes.values("finding"))
    known = release.open_findings[:ROWS_SHOWN]
    findings = bounded(_with_review(fixed.exclude(state=FindingState.WITHDRAWN)).order_by("-pk"))
    open_findings = list(_with_review(Finding.objects.filter(pk__in=known)).order_by("-pk"))
    standing.mark([*findings.rows, *open_findings])
    return Contents(
        bounded(deployments().filter(release=release).order_by("-pk")),
        bounded(merges.select_related("ticket")),
        findings,
        open_findings,
        max(len(release.open_findings) - ROWS_SHOWN, 0),
    )


def _with_review(findings: QuerySet[Finding]) -> QuerySet[Finding]:
    """With the newest review that tells of each, and what its standing is read from."""
    return standing.with_newest(findings.annotate(review=Max("occurrences__review")))


# Policies -----------------------------------------------------------------------


class PolicyShown(NamedTuple):
    """What is in force, and the versions that a project made, the newest first."""

    in_force: verdicts.InForce
    versions: Bounded


def policy_of(project: Project) -> PolicyShown:
    versions = bounded(Policy.objects.filter(project=project).order_by("-number"))
    for version in versions.rows:
        version.words = verdicts.in_words(verdicts.in_force(version))
    return PolicyShown(verdicts.policy_of(project), versions)

"""Soaking: a commit goes somewhere once it has stood well in the environment before, for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from deployments.conditions import Condition
from deployments.models import Deployment, Environment, Placement, Release
from deployments.placements import CHANGED
from portal.core import clock
from portal.core.lifecycle import Refused
from portal.core.models import Activity
from tickets.models import Project

# Of what was put there one after the other; further back nobody looks.
LOOKED_AT: Final = 100


# Set ----------------------------------------------------------------------------


def problem_of(environment: Environment | None, project: Project, follows: Environment | None) -> str:
    """Why ``environment``, or a new one of ``project``, cannot follow that one; empty where it can."""
    if follows is None:
        return ""
    if follows.project_id != project.pk:
        return f"{follows} is no environment of {project.key}."
    if environment is None:
        return ""
    before = dict(Environment.objects.filter(project=project).values_list("pk", "follows"))
    place: int | None = follows.pk
    # As many steps as there are environments: a circle that stands already is walked once.
    for _ in range(len(before) + 1):
        if place == environment.pk:
            return f"{environment} would follow itself: {follows} follows it already, or is it."
        place = before.get(place) if place is not None else None
    return ""


def check(environment: Environment | None, project: Project, follows: Environment | None) -> None:
    """Raises ``Refused``. Call it under the lock of the project's row: two who set at once make no circle."""
    if problem := problem_of(environment, project, follows):
        raise Refused(problem)


# At the gate --------------------------------------------------------------------


def asked(deployment: Deployment) -> list[Condition]:
    """What a gate says of the environment before; nothing where there is none."""
    before, minutes = deployment.environment.follows, deployment.environment.soak_minutes
    if before is None:
        return []
    placement = (
        Placement.objects.filter(service=deployment.service_id, environment=before)
        .select_related("release__service", "deployment")
        .first()
    )
    since = _since(placement, deployment.commit)
    for_so_long = f" for {minutes:,} minute{'' if minutes == 1 else 's'}" if minutes else ""
    text = f"{deployment.commit[:9] or 'It'} stands verified in {before}{for_so_long}"
    if placement is None or since is None:
        where = f"{deployment.service.get_absolute_url()}" if placement is None else before.get_absolute_url()
        return [_unmet(text, _instead(placement, before), f"deploy it to {before} first", where)]
    lasts = clock.ago(since, clock.now())
    url = placement.deployment.get_absolute_url()
    stood = f"since {since:%Y-%m-%d %H:%M} UTC, by deployment {placement.deployment_id}"
    if lasts < timedelta(minutes=minutes):
        left = timedelta(minutes=minutes) - lasts
        said = f"it stands there as it is until {since + timedelta(minutes=minutes):%Y-%m-%d %H:%M} UTC"
        return [_unmet(text, f"{stood}: {_in_minutes(left)} to go", said, url)]
    return [Condition("soak", True, text, stood, url=url)]


def _unmet(text: str, detail: str, lift: str, url: str) -> Condition:
    return Condition("soak", False, text, detail, lift, url)


def _in_minutes(left: timedelta) -> str:
    minutes = -(-int(left.total_seconds()) // 60)
    return f"{minutes:,} minute{'' if minutes == 1 else 's'}"


def _instead(placement: Placement | None, before: Environment) -> str:
    if placement is None:
        return f"nothing of it was ever deployed to {before}"
    if placement.release is None:
        return f"what stands in {before} is not known since deployment {placement.deployment_id}"
    seen = "" if placement.verified_at else ", and the service itself has not reported it"
    return f"{placement.release} ({placement.release.short or 'no commit'}) stands in {before}{seen}"


def _since(placement: Placement | None, commit: str) -> datetime | None:
    """Since when this very commit stands there, verified without a break, whichever release brought it."""
    if placement is None or placement.release is None or placement.verified_at is None:
        return None
    if not commit or placement.release.commit != commit:
        return None
    return _unbroken(placement, commit)


def _unbroken(placement: Placement, commit: str) -> datetime:
    """Another release of the same commit, put over it, does not begin the time anew."""
    since = placement.verified_at
    assert since is not None
    rows = Activity.objects.filter(verb=CHANGED, subject=f"service:{placement.service_id}").order_by("-pk")
    put = [
        (at, after)
        for at, after in rows.values_list("at", "after")[:LOOKED_AT]
        if after.get("environment") == placement.environment_id
    ]
    numbers = {after.get("release") for _, after in put}
    commits = dict(Release.objects.filter(pk__in=numbers - {None}).values_list("pk", "commit"))
    for at, after in put:
        if not after.get("verified") or commits.get(after.get("release")) != commit:
            break
        since = min(since, at)
    return since

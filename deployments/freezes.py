"""Freezes: times in which nothing starts on its way to an environment, or to any of a project's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from deployments import windows
from deployments.conditions import Condition
from deployments.models import Deployment, Environment, Freeze, FreezeOverride, FreezeState
from deployments.transitions import FREEZE
from deployments.windows import Window
from portal.core import cause as causes
from portal.core import clock, limits
from portal.core.access import Role
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.unit import unit_of_work
from tickets.models import Membership, Project
from workers import calendars

# Who types "now" sends it a little later.
GRACE: Final = timedelta(minutes=10)


class BadTimes(Refused):
    """A freeze cannot be then; ``field`` is what was typed wrong."""

    status = 422

    def __init__(self, field: str, said: str) -> None:
        self.field = field
        super().__init__(said)


class InForce(NamedTuple):
    freeze: Freeze
    window: Window


# Planned and lifted -------------------------------------------------------------


def times(begins: datetime | None, ends: datetime, time_zone: str, *, weekly: bool) -> Window:
    """What was typed, without a zone, as moments; without a begin it begins now. Raises ``BadTimes``."""
    try:
        zone = calendars.zone(time_zone)
    except calendars.BadZone as problem:
        raise BadTimes("time_zone", str(problem)) from None
    now = clock.now()
    begins = begins or now.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0, fold=0)
    found = Window(_moment("begins", begins, time_zone), _moment("ends", ends, time_zone, last=True))
    said = windows.shown(now, time_zone)
    if found.ends <= found.begins:
        raise BadTimes("ends", "It ends before it begins.")
    if found.ends <= now:
        raise BadTimes("ends", f"That is over already: it is {said}.")
    if found.begins < now - GRACE:
        raise BadTimes("begins", f"That is past: it is {said}. Leave it empty to begin now.")
    _not_too_long(found, now, weekly=weekly, on_the_wall=ends - begins)
    return found


def _moment(field: str, wall: datetime, time_zone: str, *, last: bool = False) -> datetime:
    try:
        return windows.moment_of(wall, calendars.zone(time_zone), last=last)
    except windows.NoSuchTime as problem:
        raise BadTimes(field, str(problem)) from None


def _not_too_long(found: Window, now: datetime, *, weekly: bool, on_the_wall: timedelta) -> None:
    ahead, most = limits.value("FREEZE_AHEAD_DAYS"), limits.value("FREEZE_MAX_DAYS")
    if found.begins > now + timedelta(days=ahead):
        raise BadTimes("begins", f"A freeze begins at most {ahead:,} days from now.")
    if weekly and on_the_wall >= windows.WEEK:
        raise BadTimes("ends", "One that comes again each week lasts less than 7 days.")
    if on_the_wall > timedelta(days=most):
        raise BadTimes("ends", f"A freeze lasts at most {most:,} days.")


def plan(
    project: Project,
    *,
    environment: Environment | None,
    begins: datetime | None,
    ends: datetime,
    time_zone: str,
    weekly: bool,
    reason: str,
) -> Freeze:
    """Freeze one environment of ``project``, or all; times are of the wall clock there. Raises ``Refused``."""
    if environment is not None and environment.project_id != project.pk:
        raise Refused(f"{environment} is no environment of {project.key}.")
    window = times(begins, ends, time_zone, weekly=weekly)
    most = limits.value("FREEZES_PLANNED")
    with unit_of_work() as work:
        # Two owners at once: the second is counted after the first.
        Project.objects.select_for_update().get(pk=project.pk)
        if to_come().filter(project=project).count() >= most:
            raise Refused(f"{project.key} has {most:,} freezes that are not over. Lift one first.")
        made = Freeze.objects.create(
            project=project,
            environment=environment,
            begins_at=window.begins,
            ends_at=window.ends,
            time_zone=time_zone,
            weekly=weekly,
            reason=reason[:500],
            by=causes.current().actor.label[:254],
            state=FreezeState.PLANNED,
        )
        after = {"of": made.frozen, "begins": str(window.begins), "ends": str(window.ends), "weekly": weekly}
        work.record("freeze.planned", made.subject, after=after, reason=reason)
        FREEZE.announce(made)
    return made


def lift(freeze: Freeze, *, expected_version: int, reason: str) -> Freeze:
    """End it, or never let it begin. Raises ``Refused`` where it was lifted already, or no reason is given."""
    if not reason.strip():
        raise Refused("Say why the freeze is lifted: the next reader has nothing else.")
    lifted: dict[str, Any] = {"lifted_by": causes.current().actor.label[:254], "lift_reason": reason[:500]}
    return FREEZE.move(freeze, "lift", expected_version=expected_version, reason=reason, lifted_at=Wall(), **lifted)


# What the clock says ------------------------------------------------------------


def to_come() -> QuerySet[Freeze]:
    """Planned, and not over."""
    return Freeze.objects.filter(Q(weekly=True) | Q(ends_at__gt=Wall()), state=FreezeState.PLANNED)


def over() -> QuerySet[Freeze]:
    """Lifted, or past."""
    return Freeze.objects.filter(Q(weekly=False, ends_at__lte=Wall()) | Q(state=FreezeState.LIFTED))


def in_force(environment: Environment) -> list[InForce]:
    """What freezes the environment now, the oldest first."""
    of_it = Q(environment=environment.pk) | Q(environment=None, project=environment.project_id)
    rows = to_come().filter(of_it, begins_at__lte=Wall()).select_related("project", "environment")
    return now_in_force(rows.order_by("pk"))


def now_in_force(freezes: Iterable[Freeze]) -> list[InForce]:
    return at(clock.now(), freezes)


def at(now: datetime, freezes: Iterable[Freeze]) -> list[InForce]:
    """Those of these planned ones that are in force then."""
    found = ((freeze, windows.at(freeze, now)) for freeze in freezes)
    return [InForce(freeze, window) for freeze, window in found if window is not None]


# At the gate --------------------------------------------------------------------


def overrides_that_count(deployment: Deployment) -> QuerySet[FreezeOverride]:
    """Those given to the plan in hand, which may not be written yet, by people who still may."""
    owners = Membership.objects.filter(
        user=OuterRef("by"), project=deployment.service.project_id, role__gte=Role.OWNER.value
    )
    rows = FreezeOverride.objects.filter(Q(by__is_superuser=True) | Exists(owners), by__is_active=True)
    return rows.filter(deployment=deployment, target_digest=deployment.plan_digest).order_by("pk")


def asked(deployment: Deployment) -> list[Condition]:
    """What a gate says of the freezes that are in force where the deployment goes."""
    found = in_force(deployment.environment)
    given = {row.freeze_id: row for row in overrides_that_count(deployment)} if found else {}
    return [_asked(deployment, each, given.get(each.freeze.pk)) for each in found]


def _asked(deployment: Deployment, found: InForce, override: FreezeOverride | None) -> Condition:
    freeze = found.freeze
    ends = windows.shown(found.window.ends, freeze.time_zone)
    text = f"{freeze.frozen.capitalize() if not freeze.environment else freeze.frozen} is frozen until {ends}"
    if override is not None:
        said = f"{freeze.reason} Overridden for this deployment by {override.by_label}: {override.reason}"
        return Condition("freeze", True, text, said, url=freeze.get_absolute_url())
    return Condition(
        "freeze",
        False,
        text,
        f"{freeze.reason} (by {freeze.by})",
        f"an owner of {freeze.project.key} other than {deployment.requester or 'who asked'} overrides it for this"
        " deployment, or lifts it; it ends by itself",
        f"{deployment.get_absolute_url()}#freezes",
    )

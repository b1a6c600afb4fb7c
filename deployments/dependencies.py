"""What a service needs beside it: other services of its project, which have to stand where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import F

from deployments.conditions import Condition
from deployments.models import ACTIVE_STATES, Dependency, Deployment, Placement, Service
from portal.core.lifecycle import Gone, Refused, Stale
from portal.core.unit import Pointer, unit_of_work
from tickets.models import Project

MOST: Final = 20
HIGHEST: Final = 2**31 - 1


# Set ----------------------------------------------------------------------------


class BadNeed(Refused):
    """A service cannot need that; the message says why."""

    status = 422


def of(service: Service) -> dict[str, int]:
    """The services that it needs, by name, each with the lowest release that will do; 0: any."""
    return dict(Dependency.objects.filter(service=service).order_by("needs__name").values_list("needs__name", "least"))


def read(typed: str) -> dict[str, int]:
    """What was typed, such as ``database, queue 12``: names, and where it matters the lowest release of each."""
    found: dict[str, int] = {}
    for part in filter(None, (part.split() for part in typed.replace("\n", ",").split(","))):
        name, *number = part
        if len(number) > 1 or (number and not (number[0].isascii() and number[0].isdecimal())):
            raise BadNeed(f"“{' '.join(part)[:80]}” is no name of a service with the number of a release.")
        if name in found:
            raise BadNeed(f"{name[:80]} is given twice.")
        found[name] = int(number[0]) if number and len(number[0]) < 11 else HIGHEST + 1 if number else 0
    return found


def written(needs: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {least}" if least else name for name, least in needs.items())


def checked(service: Service, needs: Mapping[str, int]) -> dict[int, int]:
    """The same by the ids of services. Raises ``BadNeed``."""
    if len(needs) > MOST:
        raise BadNeed(f"A service needs at most {MOST} others (you sent {len(needs)}).")
    rows = Service.objects.filter(project=service.project_id, name__in=list(needs)).values_list("name", "pk")
    known = dict(rows)
    for name, least in needs.items():
        if name not in known:
            raise BadNeed(f"{service.project.key} has no service {name[:80]}.")
        if known[name] == service.pk:
            raise BadNeed("A service does not need itself.")
        if not 0 <= least <= HIGHEST:
            raise BadNeed(f"The release of {name} is a number from 1 to {HIGHEST:,}.")
    found = {known[name]: least for name, least in needs.items()}
    _check_no_circle(service, found)
    return found


def _check_no_circle(service: Service, needs: Mapping[int, int]) -> None:
    onward: dict[int, set[int]] = {}
    rows = Dependency.objects.filter(service__project=service.project_id).exclude(service=service)
    for one, other in rows.values_list("service", "needs"):
        onward.setdefault(one, set()).add(other)
    waiting, seen = [(first, first) for first in needs], set[int]()
    while waiting:
        place, first = waiting.pop()
        if place == service.pk:
            name = Service.objects.values_list("name", flat=True).get(pk=first)
            raise BadNeed(f"{name} needs {service.name} already, itself or by what it needs: neither could go first.")
        if place not in seen:
            seen.add(place)
            waiting += [(next_one, first) for next_one in onward.get(place, ())]


def change(service: Service, *, expected_version: int, needs: Mapping[str, int]) -> Service:
    """Other needs in place of all that there are. Raises ``BadNeed``, ``Stale`` or ``Gone``."""
    with unit_of_work() as work:
        # Two owners at once make no circle: the second sees what the first wrote.
        Project.objects.select_for_update().get(pk=service.project_id)
        found = checked(service, needs)
        before = of(service)
        if before == dict(needs):
            return service
        if Service.objects.filter(pk=service.pk, version=expected_version).update(version=F("version") + 1) != 1:
            now = Service.objects.filter(pk=service.pk).values_list("version", flat=True).first()
            if now is None:
                raise Gone(f"{service} is not there any more.")
            raise Stale(service.subject, expected_version, now)
        Dependency.objects.filter(service=service).delete()
        Dependency.objects.bulk_create(
            Dependency(service=service, needs_id=other, least=least) for other, least in sorted(found.items())
        )
        service.refresh_from_db(fields=["version"])
        work.record("service.needs_set", service.subject, before={"needs": before}, after={"needs": dict(needs)})
        work.announce(service.project.scope, Pointer("service", service.subject, service.version))
    return service


# At the gate --------------------------------------------------------------------


def asked(deployment: Deployment) -> list[Condition]:
    """What a gate says of the services that have to stand where the deployment goes."""
    rows = list(
        Dependency.objects.filter(service=deployment.service_id).select_related("needs").order_by("needs__name")
    )
    if not rows:
        return []
    needed = [row.needs_id for row in rows]
    there = Placement.objects.filter(environment=deployment.environment_id, service__in=needed)
    placed = {row.service_id: row for row in there.select_related("release__service", "deployment")}
    ways = Deployment.objects.filter(environment=deployment.environment_id, service__in=needed, state__in=ACTIVE_STATES)
    moving = {row.service_id: row for row in ways}
    return [_asked(deployment, row, placed.get(row.needs_id), moving.get(row.needs_id)) for row in rows]


def _asked(
    deployment: Deployment, row: Dependency, placement: Placement | None, moving: Deployment | None
) -> Condition:
    place, name = deployment.environment, row.needs.name
    least = f", {name}-{row.least} or later" if row.least else ""
    text = f"{name} stands in {place}{least}"
    if moving is not None:
        said = f"deployment {moving.pk} is on its way there ({moving.get_state_display().lower()})"
        return Condition("needs", False, text, said, f"deployment {moving.pk} ends", moving.get_absolute_url())
    if placement is None or placement.release is None:
        said = f"what stands there is not known since deployment {placement.deployment_id}" if placement else ""
        new = f"/deployments/new/?service={row.needs_id}&environment={place.pk}"
        return Condition("needs", False, text, said or "it does not stand there", f"deploy {name} to {place}", new)
    if placement.release.number < row.least:
        new = f"/deployments/new/?service={row.needs_id}&environment={place.pk}"
        said = f"{placement.release} stands there"
        return Condition("needs", False, text, said, f"deploy {name}-{row.least}, or a later one, to {place}", new)
    return Condition("needs", True, text, f"{placement.release} stands there", url=row.needs.get_absolute_url())

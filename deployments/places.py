"""Services, environments and policies, as the owners of a project make and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, Max

from deployments import intake, soaking
from deployments.intake import StepSpec
from deployments.models import Environment, PipelineStep, Policy, Service
from portal.core import cause as causes
from portal.core.lifecycle import Gone, Stale, plain
from portal.core.unit import Pointer, unit_of_work
from tickets.models import Project


def add_service(project: Project, *, name: str, steps: Sequence[StepSpec]) -> Service:
    """Raises ``IntegrityError`` where the name is taken, ``BadStep`` for a pipeline that cannot be."""
    specs = intake.pipeline(steps)
    with unit_of_work() as work:
        service = Service.objects.create(project=project, name=name)
        _write(service, specs)
        after = {"name": name, "steps": [spec.name for spec in specs]}
        work.record("project.service_added", project.scope, after=after)
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return service


def change_pipeline(service: Service, *, expected_version: int, steps: Sequence[StepSpec]) -> Service:
    """Other steps from now on; releases that were made keep theirs. Raises ``Stale``, ``Gone`` or ``BadStep``."""
    specs = intake.pipeline(steps)
    with unit_of_work() as work:
        _raise_version(Service, service, expected_version)
        before = list(PipelineStep.objects.filter(service=service).order_by("n").values_list("name", "command"))
        _write(service, specs)
        after = {"steps": [[spec.name, spec.command] for spec in specs]}
        work.record("service.changed", service.subject, before={"steps": [list(row) for row in before]}, after=after)
        work.announce(service.project.scope, Pointer("service", service.subject, service.version))
    return service


def _write(service: Service, specs: Sequence[StepSpec]) -> None:
    PipelineStep.objects.filter(service=service).delete()
    PipelineStep.objects.bulk_create(
        [PipelineStep(service=service, n=n, **spec.columns()) for n, spec in enumerate(specs, start=1)]
    )


def add_environment(project: Project, *, name: str, **settings: Any) -> Environment:
    """``settings`` are its columns. Raises ``IntegrityError`` where the name is taken, and ``Refused``."""
    with unit_of_work() as work:
        _check_follows(None, project, settings)
        environment = Environment.objects.create(project=project, name=name, **settings)
        after = {"name": name, **{key: plain(value) for key, value in settings.items()}}
        work.record("project.environment_added", project.scope, after=after)
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return environment


def change_environment(environment: Environment, *, expected_version: int, **settings: Any) -> Environment:
    """Write what differs. Raises ``Stale`` or ``Gone``, and ``Refused`` for what it follows."""
    with unit_of_work() as work:
        _check_follows(environment, environment.project, settings)
        stored = Environment.objects.filter(pk=environment.pk).first()
        if stored is None:
            raise Gone(f"The environment {environment.name} is not there any more.")
        changed = {name: value for name, value in settings.items() if getattr(stored, name) != value}
        if not changed:
            return environment
        _raise_version(Environment, environment, expected_version, **changed)
        before = {name: plain(getattr(stored, name)) for name in changed}
        after = {name: plain(value) for name, value in changed.items()}
        work.record("environment.changed", environment.subject, before=before, after=after)
        work.announce(environment.project.scope, Pointer("environment", environment.subject, environment.version))
    return environment


def _check_follows(environment: Environment | None, project: Project, settings: Mapping[str, Any]) -> None:
    if settings.get("follows") is not None:
        # Two owners at once: the second sees whom the first let follow.
        Project.objects.select_for_update().get(pk=project.pk)
        soaking.check(environment, project, settings["follows"])


def _raise_version(model: Any, row: Any, expected: int, **changes: Any) -> None:
    rows = model.objects.filter(pk=row.pk, version=expected)
    if rows.update(version=F("version") + 1, **changes) != 1:
        now = model.objects.filter(pk=row.pk).values_list("version", flat=True).first()
        if now is None:
            raise Gone(f"{row} is not there any more.")
        raise Stale(row.subject, expected, now)
    row.refresh_from_db(fields=["version", *changes])


def set_policy(
    project: Project,
    *,
    severities: Sequence[str],
    valid_hours: int,
    expected_number: int,
    ages: Mapping[str, int] | None = None,
    categories: Sequence[str] = (),
    checks: bool = False,
    waived_holds: bool = False,
    council: bool = False,
) -> Policy:
    """Another policy from now on; verdicts that were made by the one before are stale.

    ``expected_number`` is the one that its owner saw; the rest is as ``verdicts.InForce`` has it. Raises ``Stale``.
    """
    with unit_of_work() as work:
        # Two owners at once: the second is told what the first made.
        Project.objects.select_for_update().get(pk=project.pk)
        number = Policy.objects.filter(project=project).aggregate(newest=Max("number"))["newest"] or 0
        if number != expected_number:
            raise Stale(f"policy:{project.key}", expected_number, number)
        rules: dict[str, Any] = {
            "severities": sorted(severities),
            "ages": dict(ages or {}),
            "categories": list(categories),
            "checks": checks,
            "waived_holds": waived_holds,
            "council": council,
            "valid_hours": valid_hours,
        }
        by = causes.current().actor.label[:254]
        policy = Policy.objects.create(project=project, number=number + 1, by=by, **rules)
        work.record("project.policy_set", project.scope, after={"number": policy.number, **rules})
        work.announce(project.scope, Pointer("project", project.scope, 0))
    return policy

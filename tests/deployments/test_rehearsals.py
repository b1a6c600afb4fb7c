"""A careful environment lets no migration go without a backup, a rehearsal and a way back, but for a waiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import gates, intake, plans, rehearsals, waiving
from deployments.intake import BadStep, StepSpec
from deployments.models import Deployment, Waiver
from portal.core.lifecycle import Refused
from tests.deployments import build

if TYPE_CHECKING:
    from tests.factories import World


def steps(*kinds: str, undo: bool = True) -> list[dict[str, Any]]:
    found = []
    for kind in kinds:
        spec = StepSpec(kind, kind.title(), command=["true"], undo=["true"] if undo and kind == "migrate" else [])
        found.append(spec.columns())
    return found


def waiting(world: World, pipeline: list[dict[str, Any]], **environment: Any) -> Deployment:
    service = build.service(world.mc)
    place = build.environment(world.mc, migrations_rehearsed=True, **environment)
    release = build.release(service, pipeline=pipeline)
    made = build.deployment(
        world.mc,
        "waiting_gate",
        service=service,
        environment=place,
        release=release,
        commit=release.commit,
        requested_by=world.releaser,
        requester="Releaser",
    )
    made = Deployment.objects.select_related("service__project", "environment", "release__service").get(pk=made.pk)
    Deployment.objects.filter(pk=made.pk).update(**plans.make(made, release))
    made.refresh_from_db()
    return made


def unmet(deployment: Deployment) -> list[str]:
    return [condition.detail for condition in gates.look(deployment).conditions if not condition.met]


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (steps("backup", "rehearse", "migrate"), []),
        (steps("command", "restart"), []),
        (steps("migrate"), ["Migrate has no backup step and no rehearse step"]),
        (steps("backup", "migrate", "rehearse"), ["Migrate has no rehearse step"]),
        (steps("rehearse", "backup", "migrate", undo=False), ["Migrate cannot come back"]),
    ],
)
def test_the_gate_says_what_a_migration_is_without(
    world: World, pipeline: list[dict[str, Any]], said: list[str]
) -> None:
    deployment = waiting(world, pipeline)
    assert unmet(deployment) == said
    deployment.environment.migrations_rehearsed = False
    assert unmet(deployment) == []


def test_a_second_person_waives_it_for_this_plan_alone(world: World) -> None:
    deployment = waiting(world, steps("migrate", undo=False))
    asked = {"plan_digest": deployment.plan_digest, "reason": "The table is empty."}
    with pytest.raises(Refused, match="somebody else waives it"):
        waiving.waive(deployment, "rehearsal", by=world.releaser, **asked)
    with pytest.raises(Refused, match="Say why"):
        waiving.waive(deployment, "rehearsal", by=world.owner, plan_digest=deployment.plan_digest, reason=" ")
    with pytest.raises(Refused, match="The plan has changed"):
        waiving.waive(deployment, "rehearsal", by=world.owner, plan_digest="another", reason="x")
    waiving.waive(deployment, "rehearsal", by=world.owner, **asked)
    with pytest.raises(Refused, match="waived already"):
        waiving.waive(deployment, "rehearsal", by=world.owner, **asked)
    assert unmet(deployment) == ["Migrate cannot come back"]
    waiving.waive(deployment, "one_way", by=world.owner, **asked)
    deployment.refresh_from_db()
    assert Waiver.objects.count() == 2
    Deployment.objects.filter(pk=deployment.pk).update(plan_digest="another")
    deployment.refresh_from_db()
    assert len(unmet(deployment)) == 2, "another plan takes another waiver"


def test_a_waiver_counts_as_long_as_who_gave_it_may(world: World) -> None:
    deployment = waiting(world, steps("migrate"))
    waiving.waive(deployment, "rehearsal", by=world.owner, plan_digest=deployment.plan_digest, reason="x")
    deployment.refresh_from_db()
    assert rehearsals.missing(deployment) == []
    world.owner.memberships.all().delete()
    assert rehearsals.missing(deployment) == ["rehearsal"]


@pytest.mark.once
def test_who_writes_a_pipeline_is_told_what_its_migrations_are_without() -> None:
    assert rehearsals.warnings(steps("backup", "rehearse", "migrate")) == []
    first, second = rehearsals.warnings(steps("migrate", undo=False))
    assert first.startswith("Migrate has no backup step and no rehearse step before it: ")
    assert "cannot come back, since it names no undo" in second


@pytest.mark.once
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "http", "url": "http://x/", "statuses": [99]}, "statuses"),
        ({"kind": "http", "url": "http://x/", "method": "POST"}, "method"),
        ({"kind": "http", "url": "http://x/", "method": "HEAD", "contains": "ok"}, "contains"),
        ({"kind": "http", "url": ""}, "url"),
        ({"kind": "wait"}, "pause_seconds"),
        ({"kind": "wait", "pause_seconds": 86_401}, "pause_seconds"),
        ({"kind": "wait", "pause_seconds": 1, "retries": 1}, "retries"),
        ({"kind": "backup", "command": ["true"], "undo": ["true"]}, "undo"),
        ({"kind": "command", "command": ["true"], "verify": ["true"]}, "verify"),
        ({"kind": "command", "command": ["true"], "structure": ["true"]}, "structure"),
        ({"kind": "migrate", "command": ["true"], "retries": 1}, "retries"),
        ({"kind": "command", "command": ["true"], "retries": 11}, "retries"),
        ({"kind": "manual", "instructions": "Go.", "retries": 1}, "retries"),
        ({"kind": "health", "url": "http://x/", "soak_seconds": 120}, "soak_seconds"),
        ({"kind": "command", "command": ["true"], "soak_seconds": 1}, "soak_seconds"),
    ],
)
def test_a_step_that_cannot_be_names_the_field_to_mend(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadStep) as found:
        StepSpec(name="Step", **fields)
    assert found.value.field == field


@pytest.mark.once
def test_what_is_at_the_bound_is_a_step() -> None:
    StepSpec("wait", "Settle", pause_seconds=86_400)
    StepSpec("command", "Go", command=["true"], retries=10)
    StepSpec("health", "Health", url="http://x/", soak_seconds=119)
    StepSpec("migrate", "Migrate", command=["true"], probe=["true"], retries=1)
    assert intake.statuses("200, 204 204") == [200, 204]
    with pytest.raises(BadStep, match="“2x0” is no status"):
        intake.statuses("2x0")


@pytest.mark.once
def test_a_pipeline_without_the_newer_columns_makes_the_release_that_it_always_made() -> None:
    spec = StepSpec("command", "Go", command=["true"]).columns()
    assert intake.told(spec) == {}
    assert intake.details_of({"kind": "command"}) == intake.DETAILS

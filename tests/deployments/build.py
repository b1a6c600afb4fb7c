"""Services, environments and deployments, one plain function each."""

from __future__ import annotations

from itertools import count
from typing import Any

from deployments.models import Deployment, Environment, PipelineStep, Release, Service, Step, Verdict
from tests.tickets.build import attempt
from tickets.models import Project

_numbers = count(1)
COMMIT = "c0ffee" + "0" * 34


def service(of: Project, called: str = "", **first: Any) -> Service:
    """With a pipeline of one command, or of ``first``."""
    made = Service.objects.create(project=of, name=called or f"service-{next(_numbers)}")
    spec: dict[str, Any] = {"kind": "command", "name": "Deploy", "command": ["true"], **first}
    PipelineStep.objects.create(service=made, n=1, **spec)
    return made


def add_step(to: Service, kind: str, name: str, **fields: Any) -> PipelineStep:
    n = to.pipeline.count() + 1
    return PipelineStep.objects.create(service=to, n=n, kind=kind, name=name, **fields)


def environment(of: Project, name: str = "", **fields: Any) -> Environment:
    return Environment.objects.create(project=of, name=name or f"place-{next(_numbers)}", **fields)


def release(of: Service, commit: str = COMMIT, **fields: Any) -> Release:
    number = of.releases.count() + 1
    return Release.objects.create(
        service=of, number=number, commit=commit, digest=f"{of.pk:032d}{number:032d}", **fields
    )


def deployment(of: Project, state: str = "refused", **fields: Any) -> Deployment:
    """A deployment in any state, past the transitions."""
    verdict = Verdict.objects.create(project=of, digest="0" * 64, go=state != "refused")
    places = {"service": fields.pop("service", None) or service(of)}
    places["environment"] = fields.pop("environment", None) or environment(of)
    return Deployment.objects.create(verdict=verdict, state=state, **places, **fields)


def step(of: Deployment, state: str = "waiting", *, output: str = "", **fields: Any) -> Step:
    carrier = attempt(of.subject, of.service.project.scope, output) if output else None
    fields = {"n": of.steps.count() + 1, "name": "Deploy", "command": ["true"], **fields}
    return Step.objects.create(deployment=of, state=state, attempt=carrier, **fields)

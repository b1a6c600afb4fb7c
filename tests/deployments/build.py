"""Services, environments and deployments, one plain function each."""

from __future__ import annotations

from itertools import count
from typing import Any

from deployments.models import Deployment, Environment, Service, Step, Verdict
from tests.tickets.build import attempt
from tickets.models import Project

_numbers = count(1)


def service(of: Project, name: str = "") -> Service:
    return Service.objects.create(project=of, name=name or f"service-{next(_numbers)}", command=["true"])


def environment(of: Project, name: str = "") -> Environment:
    return Environment.objects.create(project=of, name=name or f"place-{next(_numbers)}")


def deployment(of: Project, state: str = "refused", **fields: Any) -> Deployment:
    """A deployment in any state, past the transitions."""
    verdict = Verdict.objects.create(project=of, digest="0" * 64, go=state != "refused")
    fields = {"service": service(of), "environment": environment(of), **fields}
    return Deployment.objects.create(verdict=verdict, state=state, **fields)


def step(of: Deployment, state: str = "waiting", *, output: str = "") -> Step:
    carrier = attempt(of.subject, of.service.project.scope, output) if output else None
    return Step.objects.create(deployment=of, n=1, name="Deploy", command=["true"], state=state, attempt=carrier)

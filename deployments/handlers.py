"""The kinds of job of this app."""

from __future__ import annotations

from deployments import rollout
from workers import kinds
from workers.models import Pool


def register() -> None:
    kinds.register(
        kinds.Kind(
            rollout.STEP_KIND,
            "Deployment step",
            Pool.TURNS,
            rollout.run,
            rollout.settle,
            link=lambda subject: f"/deployments/{subject.partition(':')[2]}/",
        )
    )

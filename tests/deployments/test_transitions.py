"""The tables of deployments and steps, against every state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.deployments import build
from tests.lifecycles import every_verb_from_every_state

if TYPE_CHECKING:
    from tests.factories import World


def test_every_verb_of_a_deployment_from_every_state(world: World) -> None:
    from deployments.transitions import DEPLOYMENT

    every_verb_from_every_state(DEPLOYMENT, lambda state: build.deployment(world.mc, state))


def test_every_verb_of_a_step_from_every_state(world: World) -> None:
    from deployments.transitions import STEP

    every_verb_from_every_state(STEP, lambda state: build.step(build.deployment(world.mc, "running"), state))

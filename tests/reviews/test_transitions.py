"""The tables of reviews and findings, against every state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lifecycles import every_verb_from_every_state
from tests.reviews import build

if TYPE_CHECKING:
    from tests.factories import World


def test_every_verb_of_a_review_from_every_state(world: World) -> None:
    from reviews.transitions import REVIEW

    every_verb_from_every_state(REVIEW, lambda state: build.in_state(world.mc, state))


def test_every_verb_of_a_finding_from_every_state(world: World) -> None:
    from reviews.transitions import FINDING

    every_verb_from_every_state(FINDING, lambda state: build.finding(world.mc, state))

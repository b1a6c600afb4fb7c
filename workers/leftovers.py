"""What lost workers left on this machine, taken in by the clock where no later attempt does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers import children, kinds, schedules
from workers.agents import trials
from workers.models import Pool

if TYPE_CHECKING:
    from workers.claims import Claim

KIND: Final = "leftovers"
EVERY_SECONDS: Final = 3600


def register() -> None:
    name = "Take in what lost workers left"
    kinds.register(kinds.Kind(KIND, name, Pool.SHORT, take_in, each_machine=True))
    schedules.stand("take-in-leftovers", KIND, every_seconds=EVERY_SECONDS)


def take_in(claim: Claim) -> int:
    """Returns of how many attempts and trials something lay here. Raises as ``children.recover_ended``."""
    return children.recover_ended(claim) + children.clear_unknown() + trials.clear_scratches()

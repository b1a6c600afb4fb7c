"""What lost workers left on this machine, taken in by the clock where no later attempt does."""

from __future__ import annotations

from typing import Final

from workers import children, kinds, schedules
from workers.models import Pool

KIND: Final = "leftovers"
EVERY_SECONDS: Final = 3600


def register() -> None:
    kinds.register(kinds.Kind(KIND, "Take in what lost workers left", Pool.SHORT, children.recover_ended))
    schedules.stand("take-in-leftovers", KIND, every_seconds=EVERY_SECONDS)

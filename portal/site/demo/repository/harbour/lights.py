"""The lights of the harbour, and whether each of them is lit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Light:
    """``lamp`` is what the keeper wrote down last: on, off or failed."""

    name: str
    character: str
    lamp: str
    range_metres: int


LIGHTS = (
    Light("North mole", "Fl(2) 10s", "on", 18_520),
    Light("South mole", "Oc 6s", "on", 16_668),
    Light("East rock", "Q(3) 10s", "failed", 12_964),
    Light("Customs quay", "F", "off", 3_704),
    Light("Fishermen's stairs <lower>", "Iso 4s", "on", 5_556),
)


def is_lit(light: Light) -> bool:
    """Whether a ship that comes in now can see it."""
    return light.lamp != "off"

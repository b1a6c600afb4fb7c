"""How far a light is seen, in words."""

from __future__ import annotations

METRES = {"nautical miles": 1852, "kilometres": 1000}


def shown(metres: int) -> str:
    """The range as the board shows it, such as "10 nautical miles"."""
    return f"{metres / 1000:.0f} nautical miles"

"""Pages opened as somebody; a yard to ship from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.signing_in import counted, sign_in, static_root

if TYPE_CHECKING:
    from tests.deployments.shipyard import Shipyard
    from tests.factories import World

__all__ = ["counted", "sign_in", "static_root"]


@pytest.fixture
def yard(world: World, tmp_path: Path, settings: Any, short_limits: None) -> Iterator[Shipyard]:
    from tests.deployments.shipyard import Reporter, Shipyard

    settings.DATA_DIR = tmp_path / "data"
    with Reporter(tmp_path).running() as reporter:
        yield Shipyard(world.mc, tmp_path, reporter)


@pytest.fixture
def short_limits(settings: Any) -> None:
    """One right answer is enough: nobody in a test waits between two answers of a service that answers at once."""
    settings.LIMITS = {**settings.LIMITS, "HEALTH_ANSWERS": 1}

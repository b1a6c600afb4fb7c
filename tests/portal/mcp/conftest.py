"""Agents whose turns run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.factories import World
    from tests.portal.mcp.speaker import Speaker


@pytest.fixture
def agent(world: World) -> Speaker:
    """The agent of a running turn of project MC."""
    from tests.portal.mcp.speaker import running

    return running(world.mc)

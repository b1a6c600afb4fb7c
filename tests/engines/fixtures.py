"""Fixtures that every test may ask for. Nothing of Django is imported before its settings are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.factories import World


@pytest.fixture
def world(db: None) -> World:
    """An admin, one person of each role in project MC, and an outsider."""
    from tests import factories

    return factories.world()

"""What the tests of the core share: tickets in a state, and the settings module in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.factories import World
    from tickets.models import Ticket

ROOT = Path(__file__).resolve().parents[3]
Started = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def static_root(settings: Any) -> None:
    """whitenoise warns where nothing was collected; these tests need no static file."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def ticket(world: World) -> Callable[..., Ticket]:
    """``ticket("queued")`` makes a ticket of MC that is in that state."""
    from tests.portal.core.things import ticket_in

    return lambda state="open", **fields: ticket_in(world.mc, state, **fields)


@pytest.fixture
def started(tmp_path: Path) -> Started:
    """``started(PORT="x")`` runs Django's setup in a process with these variables and none that bear on it."""

    def start(code: str = "import django; django.setup()", **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATA_DIR": str(tmp_path / "data"), **variables}
        argv = [sys.executable, "-c", code]
        return subprocess.run(argv, env=kept | environment, cwd=ROOT, capture_output=True, text=True, timeout=60)

    return start

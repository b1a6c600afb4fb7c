"""A sender, in a world with one of everything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.bad_inputs.sending import Sender


@pytest.fixture
def sender(db: None, settings: Any) -> Sender:
    from tests.bad_inputs.sending import Sender
    from tests.walking import objects

    # whitenoise warns where nothing was collected; these tests need no static file.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return Sender(objects.build())

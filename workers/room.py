"""A disk without room is the machine's fault: what met it waits, is charged nothing, and goes on once there is some."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.core import limits
from portal.core.storage import is_full
from workers.failures import Parked

# As programs tell it at the end of a line of theirs; what another machine tells comes marked.
_SAID: Final = re.compile(r"^(?!remote:).*(?:No space left on device|Disk quota exceeded)\.?$", re.MULTILINE)


class NoRoom(Parked):
    """The disk of this machine is full."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The disk of this worker's machine is full ({where}). What was done is kept. It goes on by itself once"
            " there is room.",
            delay_seconds=limits.value("RETRY_CAP_SECONDS"),
        )


def is_said(text: str) -> bool:
    """Whether a program's own words are that the disk is full."""
    return bool(_SAID.search(text))


def behind(error: BaseException) -> NoRoom | None:
    """What to say instead where a full disk is behind ``error``."""
    full = next((problem for problem in _chain(error) if is_full(problem)), None)
    if not isinstance(full, OSError):
        return None
    return NoRoom(full.strerror or "no room")


def check() -> None:
    """Raises ``NoRoom`` where less is free than work needs that begins now."""
    data: Path = settings.DATA_DIR
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    least, free = limits.value("DISK_LEAST_BYTES"), shutil.disk_usage(data).free
    if free < least:
        raise NoRoom(f"{free:,} bytes are free, and work begins with {least:,}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__

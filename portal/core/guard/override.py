"""The operator's override: a reason and an end, from ``SCHEMA_GUARD_OVERRIDE``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Override:
    """Lets processes start on a schema that the guard refuses, until its end."""

    reason: str
    until: datetime

    def __str__(self) -> str:
        return f"{self.reason} (until {self.until.isoformat(timespec='minutes')})"

    @property
    def holds(self) -> bool:
        return timezone.now() < self.until


def from_settings() -> Override | None:
    """The override that is set, expired or not; the settings have already refused a malformed one."""
    reason, _, until = str(settings.SCHEMA_GUARD_OVERRIDE).rpartition(" until ")
    return Override(reason, datetime.fromisoformat(until)) if reason else None

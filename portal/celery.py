"""The Celery application. Workers and beat start behind the schema guard."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# They are about the code, and load every page of the site: `make lint` runs them, a worker at its start need not.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("shiproom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Logging is configured by the settings; Celery must not replace it."""


@signals.worker_init.connect
def guard_worker(**_: Any) -> None:
    from portal.core.guard import stand_guard

    stand_guard("worker")


@signals.beat_init.connect
def guard_beat(**_: Any) -> None:
    from portal.core.guard import stand_guard

    stand_guard("beat")

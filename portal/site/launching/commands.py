"""The command lines of an installation's processes, in one place.

``manage.py up`` runs them side by side; compose.yaml runs the same ones
through ``manage.py serve``.
"""

from __future__ import annotations

import os
import sys

from django.conf import settings

POOLS = ("turns", "steps", "short")
# Requests run in short-lived threads, so that only a pool keeps their connections.
WEB_POOL_SIZE = "8"


def web() -> list[str]:
    return [sys.executable, "-m", "portal.site.launching.web", settings.HOST, str(settings.PORT)]


def worker(pool: str, number: int = 1) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "portal.celery", "worker"),
        *("-Q", pool, "-n", f"{pool}{number}@%h", "--pool", "solo"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def beat() -> list[str]:
    # One entry, due every few seconds: nothing is worth keeping in a schedule file.
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "portal.celery", "beat"),
        *("--scheduler", "celery.beat:Scheduler"),
    ]


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def environment(role: str) -> dict[str, str]:
    """What the process gets: this environment, one data folder, and a pool for web."""
    found = {**os.environ, "DATA_DIR": str(settings.DATA_DIR), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    if role == "web" and settings.ENGINE == "postgresql" and not found.get("DATABASE_POOL_SIZE"):
        found["DATABASE_POOL_SIZE"] = WEB_POOL_SIZE
    return found

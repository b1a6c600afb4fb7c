"""Where the demo's things lie: all in DATA_DIR."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def folder() -> Path:
    """All files of the demo. It is there if and only if the demo is."""
    found: Path = settings.DATA_DIR / "demo"
    return found


def repository() -> Path:
    return folder() / "repository"


def place(environment: str) -> Path:
    """What is deployed to an environment: releases, and the service's own database."""
    return folder() / environment


def state() -> Path:
    """What the host runs where."""
    return folder() / "live.json"


def socket() -> Path:
    """Where the host listens. Not in the demo's folder: the host outlives a removal, and serves what is loaded next."""
    found: Path = settings.DATA_DIR / "run" / "demo.sock"
    return found


def lock() -> Path:
    return socket().with_suffix(".lock")

"""What the service says of itself."""

from __future__ import annotations

from pathlib import Path

# Written beside the code by deploy/build.py.
COMMIT = Path(__file__).resolve().parent.parent / "COMMIT"


def commit() -> str:
    """The commit that runs; "unknown" in a checkout."""
    return COMMIT.read_text(encoding="ascii").strip() if COMMIT.exists() else "unknown"


def report() -> dict[str, str]:
    return {"status": "ok", "commit": commit()}

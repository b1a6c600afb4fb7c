"""The Chromium of this machine. Nothing is downloaded past the machine's own packages."""

from __future__ import annotations

import os
import shutil

# The shell first: the browser itself, headless, keeps windows that nobody sees, at three times the cost.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The path of one, CHROMIUM's before all; None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)

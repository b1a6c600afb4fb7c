"""What cannot be done, in one line."""

from __future__ import annotations

from portal.core.redaction import redact


class Refused(Exception):
    """Nothing was changed; the message says why, and what lifts it."""


def one_line(problem: BaseException | str) -> str:
    """The words of a driver or a program, without line breaks and secrets."""
    return redact(" ".join(str(problem).split()))[:300] or type(problem).__name__

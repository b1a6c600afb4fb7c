"""What every entrance does with the answer."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

from portal.core.guard import wording
from portal.core.guard.answer import Answer, Report, look

STANDING_SECONDS: Final = 30.0
logger = logging.getLogger("portal.core.guard")


class _Standing:
    """The last report of this process and the moment from which it is old."""

    report: Report | None = None
    old_from = 0.0


def announce(entrance: str, report: Report) -> None:
    """Say what was found: a refusal to stderr, a banner, an override or an extra index as a warning in the log."""
    remember(report)
    if not report.may_start:
        sys.stderr.write(f"shiproom: {entrance} does not start.\n{wording.text(report)}\n")
        sys.stderr.flush()
        return
    if report.overridden:
        logger.warning("schema guard overridden at %s: %s. %s", entrance, report.override, report.sentence)
    elif report.answer is Answer.BANNER:
        logger.warning("schema guard at %s: %s", entrance, report.sentence)
    for row in report.warnings:
        logger.warning("schema guard at %s: %s %s is %s", entrance, row.what, row.place, row.has)


def stand_guard(entrance: str) -> Report:
    """The guard at the entrance of a process.

    Returns the report when the process may start. Otherwise the readable
    report is on stderr and SystemExit is raised: 3 for a refused schema, 4 for
    a database that does not answer.
    """
    report = look()
    announce(entrance, report)
    if not report.may_start:
        raise SystemExit(report.answer.exit_code)
    return report


def standing() -> Report:
    """How the schema stands, for pages and probes: at most 30 seconds old.

    A call that finds it older reads the database; ``remember`` pins an answer where that is not wanted.
    """
    now = time.monotonic()
    report = _Standing.report
    if report is None or now >= _Standing.old_from:
        # First, so that other threads show the last answer while this one asks.
        _Standing.old_from = now + STANDING_SECONDS
        report = look()
        remember(report)
    return report


def remember(report: Report) -> None:
    """Make ``report`` the standing one for the next 30 seconds."""
    _Standing.report = report
    _Standing.old_from = time.monotonic() + STANDING_SECONDS

"""How states, severities and moments look: one table for every page.

A look is a tone, an icon and a word, and always all three: shape and word say
what the colour says. The words are those of the design system's Voice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Model

from reviews.models import Severity


class Look(NamedTuple):
    """``tone`` is empty where nothing is meant by a colour."""

    tone: str
    icon: str
    word: str


# A word of a state means one thing, whatever has the state.
STATES: Final[dict[str, Look]] = {
    # tickets, turns, jobs
    "open": Look("", "open", "Open"),
    "queued": Look("", "queued", "Queued"),
    "waiting": Look("", "clock", "Waiting"),
    "running": Look("run", "run", "Running"),
    "needs_person": Look("wait", "ask", "Needs a person"),
    "needs_input": Look("wait", "ask", "Needs a person"),
    "in_review": Look("run", "review", "In review"),
    "unproven": Look("warn", "claimed", "Unproven"),
    "blocked": Look("bad", "block", "Blocked"),
    "failed": Look("bad", "fail", "Failed"),
    "dead": Look("bad", "fail", "Dead"),
    "done": Look("good", "done", "Done"),
    "succeeded": Look("good", "done", "Done"),
    "stopped": Look("", "block", "Stopped"),
    "cancelled": Look("", "block", "Cancelled"),
    # attempts
    "timed_out": Look("bad", "clock", "Timed out"),
    "lost": Look("warn", "fail", "Worker lost"),
    "unseen": Look("warn", "fail", "Lost at once"),
    "bad_input": Look("bad", "block", "Bad input"),
    "released": Look("", "undo", "Handed back"),
    # reviews and findings
    "received": Look("", "queued", "Received"),
    "planned": Look("wait", "doc", "Plan to decide"),
    "applied": Look("good", "done", "Applied"),
    "fixed": Look("good", "done", "Fixed"),
    "rejected": Look("", "x", "Rejected"),
    "waived": Look("warn", "check", "Waived"),
    "reverted": Look("", "undo", "Reverted"),
    "discarded": Look("", "x", "Discarded"),
    "withdrawn": Look("", "undo", "Withdrawn"),
    "deferred": Look("", "clock", "Deferred"),
    # what was decided of findings
    "asked": Look("wait", "ask", "Waits for a second person"),
    "in_force": Look("good", "check", "In force"),
    "ended": Look("", "undo", "Ended"),
    # councils
    "looking": Look("run", "search", "Looks the commit up"),
    "closed": Look("good", "check", "Closed"),
    "void": Look("", "undo", "Void"),
    # messages on their way to an agent
    "taken": Look("run", "run", "Taken"),
    "acknowledged": Look("good", "check", "Read"),
    "returned": Look("warn", "undo", "Back in the queue"),
    # checks, and accepted work on its way into the target
    "passed": Look("good", "done", "Passed"),
    "no_tests": Look("bad", "fail", "No tests"),
    "not_started": Look("bad", "block", "Not started"),
    "merging": Look("run", "branch", "Merging"),
    "merged": Look("good", "done", "Merged"),
    "sent_back": Look("wait", "undo", "Sent back"),
    "parked": Look("", "clock", "Parked"),
    "rate_limited": Look("warn", "clock", "Rate limited"),
    "resting": Look("warn", "agent", "At rest"),
    "message": Look("", "send", "Message"),
    # questions of agents
    "answered": Look("good", "check", "Answered"),
    "set_aside": Look("", "undo", "Set aside"),
    "overdue": Look("bad", "clock", "Overdue"),
    # deployments, their steps, approvals and holds
    "preparing": Look("run", "run", "Preparing"),
    "waiting_gate": Look("wait", "ask", "Waiting at the gate"),
    "interrupted": Look("wait", "ask", "Needs a person"),
    "rolling_back": Look("warn", "undo", "Rolling back"),
    "rolled_back": Look("warn", "undo", "Rolled back"),
    "refused": Look("bad", "block", "Refused"),
    "degraded": Look("bad", "pulse", "Degraded"),
    "skipped": Look("warn", "x", "Skipped"),
    "given": Look("good", "done", "Approved"),
    "holding": Look("warn", "lock", "Held"),
    "lifted": Look("", "undo", "Lifted"),
    # workers and processes
    "alive": Look("good", "pulse", "Alive"),
    "missing": Look("bad", "fail", "Lost"),
    # pools and kinds of job
    "paused": Look("warn", "block", "Paused"),
    "going": Look("good", "pulse", "Going"),
    # answers of the status page and of the schema guard
    "ok": Look("good", "done", "In order"),
    "warning": Look("warn", "important", "Look at it"),
    "broken": Look("bad", "fail", "Broken"),
}

SEVERITIES: Final[dict[str, Look]] = {
    Severity.CRITICAL: Look("bad", "critical", "Critical"),
    Severity.HIGH: Look("warn", "important", "Important"),
    Severity.MEDIUM: Look("", "medium", "Medium"),
    Severity.LOW: Look("", "minor", "Minor"),
    Severity.INFO: Look("", "info", "Info"),
    Severity.NONE: Look("", "dots", "Not stated"),
}


def look_of(thing: Model | str | None) -> Look:
    """The look of a row by its state or outcome, or of a state's word."""
    word = thing if isinstance(thing, str) else _state_of(thing)
    return STATES.get(word) or Look("", "open", word.replace("_", " ").capitalize())


def _state_of(row: Any) -> str:
    state = str(getattr(row, "state", "") or getattr(row, "outcome", ""))
    # What an agent says of itself is never shown as if somebody had seen it.
    return "unproven" if state == "done" and getattr(row, "proven", True) is False else state


def spell(gap: timedelta) -> str:
    """A length of time as people say it: ``12 s``, ``4 min``, ``3 h``, ``2 days``."""
    seconds = int(abs(gap.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def spell_exactly(gap: timedelta) -> str:
    """A duration with its second unit: ``1 min 12 s``."""
    seconds = int(abs(gap.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def relative(moment: datetime, now: datetime | None = None) -> str:
    """``moment`` seen from ``now``: relative within a month, a date beyond it."""
    gap = (now or datetime.now(UTC)) - moment
    if abs(gap) > timedelta(days=30):
        return f"{moment.astimezone(UTC):%-d %b %Y}"
    if abs(gap) < timedelta(seconds=5):
        return "now"
    return f"{spell(gap)} ago" if gap > timedelta(0) else f"in {spell(gap)}"


def absolute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

"""History as a page tells it: who did what, from which state to which, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from portal.core.models import Activity

SHOWN: Final = 50
PORTAL: Final = "Shiproom"
PROCESSES: Final = frozenset({"worker", "clock"})

# What a verb is in a sentence after its actor; others are said by their name.
_WORDS: Final = {
    "created": "opened it",
    "assign": "assigned it",
    "begin": "began a turn",
    "wait_again": "put it back in the queue",
    "submit": "handed it in for review",
    "leave_unproven": "left it unproven",
    "ask": "asked a person",
    "asked": "asked",
    "answer": "answered",
    "set_aside": "went on without an answer",
    "left_waiting": "ended the wait for an answer",
    "decided_before": "asked what was decided before",
    "delivered": "read the answer",
    "kept": "kept the answer as a decision",
    "dropped": "dropped it as a decision",
    "taken_over": "took it over",
    "handed_back": "handed it back",
    "block": "is blocked",
    "fail": "failed",
    "stop": "stopped it",
    "stop_asked": "asked for its stop",
    "accept": "accepted it",
    "reopen": "reopened it",
    "review": "had it reviewed",
    "end_review": "ended its review",
    "land": "landed it",
    "send_back": "sent it back",
    "keep_in_review": "left it in review",
    "finish": "ended its turn",
    "received": "uploaded it",
    "plan": "read it and made a plan",
    "read_again": "had it read again",
    "apply": "applied the plan",
    "discard": "discarded the plan",
    "revert": "reverted the import",
    "row_left_out": "left a row out",
    "row_taken_in": "took a row in again",
    "item_ticked": "ticked an action item",
    "item_unticked": "unticked an action item",
    "item_given": "gave an action item",
    "fix": "called it fixed",
    "reject": "rejected it",
    "waive": "waived it",
    "defer": "deferred it",
    "merge": "merged it into another",
    "give": "gave it",
    "looked": "read the code that it rests on",
    "end": "ended it",
    "open_again": "opened it again",
    "requested": "asked for it",
    "wait": "planned it",
    "judged": "judged it",
    "open": "opened it",
    "close": "closed it",
    "interrupt": "asked a person",
    "opened": "asked how it goes on",
    "go_on": "went on",
    "go_on_back": "went on",
    "roll_back": "began the way back",
    "come_back": "came back",
    "cancel": "cancelled it",
    "approved": "approved it",
    "placed": "placed it",
    "lift": "lifted it",
    "skip": "skipped it",
    "confirm": "confirmed it",
    "try_again": "had it tried again",
    "made": "made it",
    "policy_set": "set the policy",
    "commit_judged": "had a commit judged",
    "series_mapped": "said how a series’ columns are read",
    "service_added": "added a service",
    "environment_added": "added an environment",
    "start": "began",
    "succeed": "succeeded",
    "refuse": "was refused",
    "changed": "changed its settings",
    "posted": "wrote",
    "withdrawn": "withdrew it",
    "took_messages": "took the waiting messages",
    "give_back": "gave it back",
    "acknowledge": "read it",
    "amended": "changed its text",
    "named": "gave it a second name",
    "found": "found it",
    "evidence": "has evidence of its fix",
    "evidence_withdrawn": "took evidence back",
    "attached": "attached",
    "removed": "removed the file",
    "let_in": "let in",
    "took_out": "took out",
}

# Where the same verb is said otherwise of another thing.
_WHOLE: Final = {
    "decision.asked": "asked for it",
    "decision.refuse": "refused it",
    "council.asked": "asked for it",
    "council.open": "looked the commit up",
    "council.voted": "voted",
    "council.void": "made it void",
    "member.answer": "handed in a review",
    "member.fail": "handed in no review",
    "member.ask_again": "asked again",
    "freeze.planned": "planned it",
    "deployment.freeze_overridden": "overrode a freeze",
    "service.needs_set": "said what it needs",
    "ticket.end_reading": "ended the reading",
    "review.redacted": "took a secret out of the document",
}


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    actor: str
    kind: str
    words: str
    about: str
    before: str
    after: str
    reason: str


def of(subjects: Sequence[str]) -> list[Line]:
    """The newest entries about these subjects, newest first; one query, by index."""
    rows = Activity.objects.filter(subject__in=subjects).order_by("-id")[:SHOWN]
    return [line(row, first=subjects[0]) for row in rows]


def verbs_that_say(text: str) -> list[str]:
    """The verbs whose words hold ``text``."""
    wanted = text.lower()
    return [verb for verb, words in _WORDS.items() if wanted in words]


def line(row: Activity, first: str = "") -> Line:
    """An entry in words; ``about`` says what of where that is not ``first``."""
    verb = row.verb.rpartition(".")[2]
    about = "" if row.subject == first else row.subject.partition(":")[2].rpartition("/")[2]
    named = (side[name] for name in ("user", "file") for side in (row.after, row.before) if name in side)
    whom = _text(next(named, None))
    return Line(
        at=row.at,
        # Which process it was, the admin tells.
        actor=PORTAL if row.actor_kind in PROCESSES else row.actor_label,
        kind=row.actor_kind,
        words=" ".join(filter(None, [_WHOLE.get(row.verb) or _WORDS.get(verb, verb.replace("_", " ")), whom])),
        about=f"{row.subject.partition(':')[0]} {about}" if about else "",
        before=_text(row.before.get("state") or row.before.get("role")),
        after=_text(row.after.get("state") or row.after.get("role")),
        reason=row.reason,
    )


def _text(value: Any) -> str:
    return str(value) if value else ""

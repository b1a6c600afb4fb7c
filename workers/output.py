"""What a child wrote, from its spool into rows, under the claim's fence.

Rows are unique by (attempt, offset): whoever reads the same spool again, after
a crash or under a later fence, stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from portal.core.redaction import redact
from portal.live import hints
from workers.claims import Claim
from workers.models import AttemptOutput


def store(claim: Claim, chunks: Iterable[tuple[int, int, str]], *, attempt_id: int | None = None) -> int:
    """Store (offset, length in bytes, text) pieces; returns how many. Raises ``LeaseLost``.

    ``attempt_id`` names an earlier attempt of the same job whose spool is read on.
    """
    attempt = attempt_id or claim.attempt_id
    rows = [
        AttemptOutput(attempt_id=attempt, offset=offset, length=length, text=redact(text).replace("\x00", "\ufffd"))
        for offset, length, text in chunks
    ]
    if rows:
        with claim.fenced() as work:
            AttemptOutput.objects.bulk_create(rows, ignore_conflicts=True)
            work.after_commit(("hint", stream(attempt)), partial(hints.send, [stream(attempt)]))
    return len(rows)


def stream(attempt_id: int) -> str:
    """The stream on which an attempt's output is followed."""
    return f"output:{attempt_id}"

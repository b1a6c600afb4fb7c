"""What a child wrote, from its spool into rows, under the claim's fence.

Rows are unique by (attempt, offset): whoever reads the same spool again, after
a crash or under a later fence, stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from portal.core.redaction import redact
from portal.core.unit import Pointer
from workers.claims import Claim
from workers.models import AttemptOutput


def store(claim: Claim, chunks: Iterable[tuple[int, int, str]]) -> int:
    """Store (offset, length in bytes, text) pieces; returns how many. Raises ``LeaseLost``."""
    rows = [
        AttemptOutput(attempt_id=claim.attempt_id, offset=offset, length=length, text=redact(text).replace("\x00", "\ufffd"))
        for offset, length, text in chunks
    ]
    if not rows:
        return 0
    with claim.fenced() as work:
        AttemptOutput.objects.bulk_create(rows, ignore_conflicts=True)
        end = rows[-1].offset + rows[-1].length
        work.announce(stream(claim.attempt_id), Pointer("output", str(claim.attempt_id), end))
    return len(rows)


def stream(attempt_id: int) -> str:
    return f"output:{attempt_id}"



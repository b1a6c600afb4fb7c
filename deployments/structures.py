"""The structure of a database around a migration: printed by the step's own command, kept, and compared."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from deployments.models import Step, Structure, When
from portal.core import limits
from portal.core.clock import Wall
from portal.core.redaction import redact
from portal.core.storable import storable
from tickets import git
from workers.children import ChildResult
from workers.claims import Claim


def most_bytes() -> int:
    """Of what is printed; half of it is its begin and half its end where it is more."""
    return limits.value("STRUCTURE_MAX_BYTES")


def is_kept(step: Step, when: When) -> bool:
    """What was there before the first go is what a later one is compared with."""
    return when == When.BEFORE and Structure.objects.filter(step=step, when=when).exists()


def keep(claim: Claim, step: Step, when: When, printed: ChildResult) -> None:
    """Write what was printed; of the one after, with what differs from the one before."""
    text, digest = _read(printed.stdout)
    cut = printed.record.stdout.dropped
    before = Structure.objects.filter(step=step, when=When.BEFORE).first() if when == When.AFTER else None
    columns = {
        "text": text,
        "digest": digest,
        "cut": cut,
        "changes": _between(before.text, text) if before and before.digest != digest else "",
        "at": Wall(),
    }
    with claim.fenced():
        Structure.objects.update_or_create(step=step, when=when, defaults=columns)


def _read(spool: Path) -> tuple[str, str]:
    """What is kept of it, and the digest of that."""
    content = spool.read_bytes() if spool.exists() else b""
    return storable(redact(content.decode("utf-8", "replace"))), hashlib.sha256(content).hexdigest()


def _between(before: str, after: str) -> str:
    """As git prints it, so that long texts are compared in good time."""
    with tempfile.TemporaryDirectory(prefix="structure-") as name:
        folder = Path(name)
        for side, text in (("before", before), ("after", after)):
            (folder / side).write_text(text, "utf-8")
        done = git.run(folder, "diff", "--no-index", "--no-ext-diff", "--no-textconv", "before", "after")
    # 1: they differ
    if done.code not in {0, 1}:
        return ""
    return storable(done.text)[: limits.value("DIFF_MAX_CHARS")]

"""The registry of kinds of job.

``workers`` knows no domain: a layer above registers, per kind, what runs and
what is settled. ``run`` works outside any transaction and writes only under
``claim.fenced()``. ``settle`` runs in the transaction that ends an attempt,
whoever ends it (worker, sweep, person), and moves the job's subject with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.models import Outcome, Pool

if TYPE_CHECKING:
    from workers.claims import Claim


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, as ``settle`` is told.

    ``final`` is false where the job is queued again for another attempt.
    ``result`` is what ``run`` returned, where it did.
    """

    job_id: int
    attempt_id: int | None
    subject: str
    payload: dict[str, Any]
    outcome: Outcome
    error: str
    final: bool
    result: Any = None


Run = Callable[["Claim"], Any]
Settle = Callable[[Ending], None]


def nothing_to_settle(ending: Ending) -> None:
    """For kinds whose jobs have no subject that could be left behind."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``batch`` over one declares the kind short: many are claimed at once.

    ``each_machine``: what it works on lies on every machine of its pool, so a
    schedule's tick makes one job for each of them.
    """

    name: str
    label: str
    pool: Pool
    run: Run
    settle: Settle = nothing_to_settle
    batch: int = 1
    # told in the transaction that requeues a dead or cancelled job, so that its subject waits for it again
    requeued: Callable[[str, dict[str, Any]], None] | None = None
    link: Callable[[str], str] = lambda subject: ""
    each_machine: bool = False


_kinds: Final[dict[str, Kind]] = {}


def register(kind: Kind) -> None:
    """Raises ``ValueError`` where the name is taken."""
    if _kinds.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"The kind {kind.name} is registered twice.")


def get(name: str) -> Kind | None:
    return _kinds.get(name)


def known() -> list[str]:
    """All kinds that this code knows."""
    return sorted(_kinds)


def names(pool: Pool | str, *, short: bool) -> list[str]:
    """The kinds of a pool that are (or are not) claimed many at a time."""
    return sorted(kind.name for kind in _kinds.values() if kind.pool == pool and (kind.batch > 1) is short)


def label(name: str) -> str:
    kind = _kinds.get(name)
    return kind.label if kind else name


def link(name: str, subject: str) -> str:
    """The page of a job's subject, or nothing."""
    kind = _kinds.get(name)
    return kind.link(subject) if kind else ""

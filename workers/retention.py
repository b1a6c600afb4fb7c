"""What is kept how long: each table is named here once, with its rule, or with why it is kept for ever.

The layer whose table it is says so; a test finds the table that nobody named.
The clock forgets a portion at a time, each in a transaction of its own, and no
longer than a moment at a tick: nothing waits for what is being forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from workers import failures

log = structlog.get_logger(__name__)
PORTION_ROWS: Final = 1000
# Of one rule in one round; the next round takes the others.
MOST_PORTIONS: Final = 1000

Forget = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Rule:
    """``forget`` deletes the next portion and answers how many rows: none where there is nothing more."""

    name: str
    tables: tuple[str, ...]
    # the limit that it follows; empty where the rows themselves say when they are over
    limit: str
    forget: Forget


_rules: Final[dict[str, Rule]] = {}
_kept: Final[dict[str, str]] = {}


def retain(name: str, forget: Forget, *, tables: tuple[str, ...], limit: str = "") -> None:
    """Rows of ``tables`` are forgotten by this rule, called by the layer whose they are. Raises ``ValueError``."""
    if name in _rules:
        raise ValueError(f"There are two rules named {name}.")
    _rules[name] = Rule(name, tables, limit, forget)


def keep(why: str, *tables: str) -> None:
    """Rows of ``tables`` are kept for ever, or as long as what they belong to."""
    _kept.update(dict.fromkeys(tables, why))


def rules() -> list[Rule]:
    return list(_rules.values())


def kept() -> dict[str, str]:
    """The tables that are kept, each with the reason."""
    return dict(_kept)


_round: Iterator[int] | None = None


def is_under_way() -> bool:
    """Whether this process has begun a round that is not over."""
    return _round is not None


def go_on(seconds: float) -> int:
    """Begin a round of all rules, or go on with it, for about that long; returns how many rows are gone.

    Many processes at once are harmless.
    """
    global _round
    until, gone = time.monotonic() + seconds, 0
    if _round is None:
        _round = _all()
    for rows in _round:
        gone += rows
        if time.monotonic() >= until:
            return gone
    _round = None
    return gone


def _all() -> Iterator[int]:
    for rule in rules():
        try:
            for _ in range(MOST_PORTIONS):
                rows = rule.forget()
                if rows:
                    log.info("forgotten", rule=rule.name, rows=rows)
                yield rows
                if not rows:
                    break
        except Exception as problem:
            # One table that cannot be pruned must not keep the others from it.
            log.exception("forget_failed", rule=rule.name)
            if failures.is_outage(problem):
                raise

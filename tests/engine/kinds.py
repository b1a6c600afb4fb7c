"""Kinds of job for worker processes: ``celery ... worker --include tests.engine.kinds`` registers them there.

Each leaves history: ``test.began`` (written under the fence, once a fence) and
``test.settled`` (in the transaction that ends the attempt).
"""

from __future__ import annotations

import os
import signal
import time

from django.db import transaction

from portal.core import unit
from workers import kinds
from workers.claims import Claim
from workers.kinds import Ending
from workers.models import Pool

PHASES = ("after the claim", "after an effect", "before the end", "in the settling", "after the end")


def _die(payload: dict[str, object], fence: int, phase: str) -> None:
    if payload.get("dies") == phase and (fence == 1 or payload.get("always")):
        os.kill(os.getpid(), signal.SIGKILL)


def run(claim: Claim) -> str:
    _die(claim.payload, claim.fence, "after the claim")
    with claim.fenced() as work:
        work.record("test.began", f"job:{claim.job_id}/{claim.fence}")
    _die(claim.payload, claim.fence, "after an effect")
    until = time.monotonic() + float(claim.payload.get("seconds", 0))
    while time.monotonic() < until:
        claim.check()
        time.sleep(0.05)
    _die(claim.payload, claim.fence, "before the end")
    return f"ran under {claim.fence}"


def settle(ending: Ending) -> None:
    unit.current().record(
        "test.settled", f"job:{ending.job_id}", after={"outcome": ending.outcome, "final": ending.final}
    )
    first = 1 if ending.result == "ran under 1" else 0
    _die(ending.payload, first, "in the settling")
    transaction.on_commit(lambda: _die(ending.payload, first, "after the end"))


for _pool in Pool:
    kinds.register(kinds.Kind(f"test.{_pool}", "Test", _pool, run, settle, batch=50 if _pool == Pool.SHORT else 1))
kinds.register(kinds.Kind("test.slow", "Slow test", Pool.SHORT, run, settle))

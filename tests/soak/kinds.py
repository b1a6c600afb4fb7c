"""Kinds of job with an effect inside, under the fence, and one outside, under a key. Workers import this module.

``SOAK_HISTORY`` names the file that is the outside world.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from portal.core import unit
from tests.soak.history import History
from workers import children, kinds
from workers.children import Command
from workers.claims import Claim
from workers.failures import JobFailed
from workers.kinds import Ending
from workers.models import Attempt, Pool

CHILD = "import sys,time; print('begun',flush=True); time.sleep(float(sys.argv[1])); print('done')"


def key_of(payload: dict[str, object], job_id: int) -> str:
    """What a schedule enqueues has no key of a client."""
    return str(payload.get("key") or f"job-{job_id}")


def run(claim: Claim) -> str:
    """``payload``: its key, for how many seconds it works, how often it fails first, whether a child does the work."""
    key, seconds = key_of(claim.payload, claim.job_id), float(claim.payload.get("seconds", 0))
    with claim.fenced() as work:
        work.record("soak.began", f"job:{claim.job_id}/{claim.fence}")
    if Attempt.objects.filter(job_id=claim.job_id, outcome="failed").count() < int(claim.payload.get("fails", 0)):
        raise JobFailed("It was told to fail first.")
    if claim.payload.get("child"):
        _with_a_child(claim, seconds)
    else:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            claim.check()
            time.sleep(0.05)
    claim.check()
    History(Path(os.environ["SOAK_HISTORY"]), claim.worker).once(
        "effect", key, job=claim.job_id, fence=claim.fence, subject=claim.subject
    )
    with claim.fenced() as work:
        work.record("soak.wrote", f"job:{claim.job_id}/{claim.fence}")
    return key


def _with_a_child(claim: Claim, seconds: float) -> None:
    argv = (sys.executable, "-I", "-c", CHILD, str(seconds))
    environment = children.allowed_environment([])
    result = children.run(claim, Command(argv=argv, cwd=Path("/"), env=environment, wall_seconds=60))
    result.forget()
    if result.record.exit_code != 0:
        raise JobFailed(f"The child ended with {result.record.ended_by}.")


def settle(ending: Ending) -> None:
    fence = Attempt.objects.filter(pk=ending.attempt_id).values_list("fence", flat=True).first()
    after = {"outcome": ending.outcome, "final": ending.final}
    unit.current().record("soak.settled", f"job:{ending.job_id}/{fence or 0}", after=after)


BATCH = 20
for _pool in Pool:
    _batch = BATCH if _pool == Pool.SHORT else 1
    kinds.register(kinds.Kind(f"soak.{_pool}", "Soak", _pool, run, settle, batch=_batch))
kinds.register(kinds.Kind("soak.slow", "Slow soak", Pool.SHORT, run, settle))

"""A kind of job that says when it began: to a socket that the environment names."""

from __future__ import annotations

import os
import socket
import time

from workers import kinds
from workers.claims import Claim
from workers.models import Pool

KIND = "bench.stamp"
SOCKET = "BENCH_SOCKET"
_said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def run(claim: Claim) -> None:
    began = time.monotonic()
    if claim.payload["n"] < 0:
        # One of those that fill the tables.
        return
    _said.sendto(f"{claim.payload['n']} {began!r}".encode(), os.environ[SOCKET])


kinds.register(kinds.Kind(KIND, "Stamp", Pool.SHORT, run, batch=50))

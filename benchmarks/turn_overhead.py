"""From the claim of a turn to the first line that is stored of its agent, beside the bare command.

    python benchmarks/turn_overhead.py [--rounds 20]

The agent is a shell that prints the time at once, lives on for a moment as
agents do, and signals. Bare, it is started as a child whose output is read
from a pipe. As a turn, it is claimed and run as a worker does, on PostgreSQL
and a real git repository, plain and in a box; ``first`` is the first turn of a
ticket, whose worktree is made in it, ``later`` one in a worktree that is there.
A round measures all of them. Milliseconds are medians over the rounds:

    printed   from the claim until the agent runs: what the portal does before
    stored    from the claim until its line is a row that people can see
    added     ``stored`` without what the bare command took in the same round
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ALIVE_SECONDS = 0.6
SIGNAL = '{"mc_signal":"BLOCKED","ticket":"%s","nonce":"%s","payload":"That is all."}\\n'
AGENT = [
    "/bin/sh",
    "-c",
    f'date +%s.%N; sleep {ALIVE_SECONDS}; printf \'{SIGNAL}\' "$SHIPROOM_TICKET" "$SHIPROOM_NONCE"',
]
# When a row was written: the table itself says it for each.
STAMP = "ALTER TABLE workers_attemptoutput ADD COLUMN bench_at timestamptz NOT NULL DEFAULT clock_timestamp()"
STAMPS = """
SELECT extract(epoch FROM a.started_at), extract(epoch FROM o.bench_at), o.text
FROM workers_attempt a JOIN workers_attemptoutput o ON o.attempt_id = a.id AND o."offset" = 0 WHERE a.id = %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    from tests.engines import postgresql, valkey

    postgresql._SETTINGS.update(fsync="on", full_page_writes="on")
    server = postgresql.start()
    store = valkey.start()
    try:
        with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
            prepare(server.url, store.url, Path(folder))
            print(json.dumps(measure(Path(folder), options.rounds), indent=2))
    finally:
        store.stop()
        server.stop()


def prepare(url: str, redis_url: str, folder: Path) -> None:
    os.environ |= {"DATABASE_URL": url, "DATA_DIR": str(folder / "data"), "REDIS_URL": redis_url}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LOG_LEVEL": "ERROR", "DRAIN_LINGER_SECONDS": "0"}
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(STAMP)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    from tests import factories
    from tests.tickets.workshop import Workshop
    from workers.leases import LeaseKeeper

    shop = Workshop(factories.world().mc, folder)
    modes = ["plain", *(["bubblewrap"] if shutil.which("bwrap") else [])]
    taken: dict[str, list[tuple[float, float]]] = {
        f"{mode}_{when}": [] for mode in modes for when in ("first", "later")
    }
    bare: list[float] = []
    keeper = LeaseKeeper("bench")
    keeper.start()
    try:
        for mode in modes:
            # The clone, the connection, the first plans.
            turns(shop, keeper, mode)
        for _ in range(rounds):
            bare.append(alone(folder))
            for mode in modes:
                for when, found in zip(("first", "later"), turns(shop, keeper, mode), strict=True):
                    taken[f"{mode}_{when}"].append(found)
    finally:
        keeper.stop()
    return {
        "rounds": rounds,
        "bare_ms": _ms(bare),
        **{how: _row(found, bare) for how, found in taken.items()},
    }


def _row(found: list[tuple[float, float]], bare: list[float]) -> dict[str, float]:
    stored = [each for _, each in found]
    return {
        "printed_ms": _ms([each for each, _ in found]),
        "stored_ms": _ms(stored),
        "added_ms": _ms([turn - each for turn, each in zip(stored, bare, strict=True)]),
        "added_worst_ms": round(1000 * max(turn - each for turn, each in zip(stored, bare, strict=True)), 1),
    }


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 1)


def alone(folder: Path) -> float:
    """Seconds from the start of the bare command to its first line."""
    environment = {**os.environ, "SHIPROOM_TICKET": "", "SHIPROOM_NONCE": ""}
    began = time.monotonic()
    with subprocess.Popen(
        AGENT, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        return time.monotonic() - began


def turns(shop: Any, keeper: Any, mode: str) -> list[tuple[float, float]]:
    """Two turns of a new ticket, one after the other: seconds from the claim until its line is printed, and stored."""
    from django.db import connection

    from tests.tickets.workshop import newest
    from tickets import work
    from workers.draining import Drain

    profile = {"containment": mode, "network": "none"} if mode == "bubblewrap" else {}
    agent = shop.agent([], f"bench-{mode}", command=AGENT, max_failures=1, **profile)
    ticket = shop.ticket()
    found = []
    for _ in range(2):
        work.assign(ticket, agent)
        Drain("turns", "bench", keeper, lambda: False).run()
        ticket.refresh_from_db()
        turn = newest(ticket)
        if turn.state != "blocked":
            raise SystemExit(f"a turn in mode {mode} ended as {turn.state}: {turn.verdict}")
        with connection.cursor() as cursor:
            cursor.execute(STAMPS, [turn.attempt_id])
            claimed, stored, text = cursor.fetchone()
        found.append((float(text.split()[0]) - float(claimed), float(stored - claimed)))
    return found


if __name__ == "__main__":
    main()

"""The agent of the soak: it says again and again that it lives, changes a file of its ticket, commits, and is done.

Its arguments are the history, and how many of a hundred are at work for longer than a lease; those call themselves
"long" then, so that they are found from outside. It runs alone, without the project's imports.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

GIT = ["git", "-c", "user.name=Agent", "-c", "user.email=agent@example.org", "-c", "commit.gpgsign=false"]
PAUSE_SECONDS = 0.1
SHORT_BEATS = 8
# Past a lease: whoever takes the ticket up again must not find it at work.
LONG_BEATS = 120
LONG = "long"


def main() -> int:
    if sys.argv[2] != LONG and random.random() * 100 < int(sys.argv[2]):
        os.execv(sys.executable, [sys.executable, "-I", *sys.argv[:2], LONG])
    ticket, nonce = os.environ["SHIPROOM_TICKET"], os.environ["SHIPROOM_NONCE"]
    sys.stdin.read()

    def live() -> None:
        head = {"event": "agent", "who": "agent", "pid": os.getpid(), "at": time.time(), "mono": time.monotonic()}
        line = json.dumps({**head, "subject": f"ticket:{ticket}", "run": nonce}) + "\n"
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    beats = LONG_BEATS if sys.argv[2] == LONG else SHORT_BEATS
    for number in range(beats):
        live()
        print(f"step {number + 1} of {beats}", flush=True)
        time.sleep(PAUSE_SECONDS)
    path = Path("work") / f"{ticket}.txt"
    path.parent.mkdir(exist_ok=True)
    # One line for each turn: a turn that begins again after a lost one still has something to commit.
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{nonce}\n")
    subprocess.run([*GIT, "add", "-A"], check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", f"Work on {ticket}"], check=True)
    live()
    print(json.dumps({"mc_signal": "DONE", "ticket": ticket, "nonce": nonce, "payload": "It is done."}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An agent of the tests that does whatever its ticket says: each line of the form ``DO name: shell command``.

What came of each stands in its output, and in a file that it commits. Then it says DONE.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

GIT = ["git", "-c", "user.name=Agent", "-c", "user.email=agent@example.org", "-c", "commit.gpgsign=false"]
SECONDS = 5
SHOWN_BYTES = 2000


def main() -> int:
    said = [did(name, command) for name, command in re.findall(r"^DO ([a-z0-9-]+): (.*)$", sys.stdin.read(), re.M)]
    print("\n".join(said), flush=True)
    name = f"report-{os.environ['SHIPROOM_NONCE'].split(':')[2]}.txt"
    Path(name).write_text("\n".join(said), encoding="utf-8")
    subprocess.run([*GIT, "add", "-A"], check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "As the ticket says"], check=True)
    signal = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    print(json.dumps({"mc_signal": "DONE", **signal, "payload": "\n".join(said)[:1000]}), flush=True)
    return 0


def did(name: str, command: str) -> str:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"[{name}] took too long"
    return f"[{name}] {done.stdout[:SHOWN_BYTES].decode('utf-8', 'replace').strip()}"


if __name__ == "__main__":
    sys.exit(main())

"""An agent of the tests: it does the steps that its one argument lists, a JSON list of [verb, ...].

write PATH TEXT | delete PATH | run PROGRAM ... | commit MESSAGE | signal KIND PAYLOAD | print TEXT | sleep SECONDS
| mark PATH (its pid, on a line) | exit CODE | die SIGNAL | keep PATH (its prompt, written there) | fork SECONDS
| alone PATH (says so in PATH.twice where another agent holds it) | once PATH STEPS (unless it was there before)
| review TEXT (into the file that its prompt names)
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GIT = ["git", "-c", "user.name=Agent", "-c", "user.email=agent@example.org", "-c", "commit.gpgsign=false"]


def main() -> int:
    return act(json.loads(sys.argv[1]), sys.stdin.read())


def act(steps: list[list[Any]], prompt: str) -> int:
    for verb, *values in steps:
        if verb == "write":
            path = Path(values[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(values[1], encoding="utf-8")
        elif verb == "delete":
            Path(values[0]).unlink()
        elif verb == "run":
            subprocess.run(values, check=True)
        elif verb == "commit":
            subprocess.run([*GIT, "add", "-A"], check=True)
            subprocess.run([*GIT, "commit", "-q", "-m", values[0]], check=True)
        elif verb == "signal":
            said = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
            print(json.dumps({"mc_signal": values[0], **said, "payload": values[1]}), flush=True)
        elif verb == "print":
            print(values[0], flush=True)
        elif verb == "sleep":
            time.sleep(values[0])
        elif verb == "mark":
            with open(values[0], "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
        elif verb == "keep":
            Path(values[0]).write_text(prompt, encoding="utf-8")
        elif verb == "review":
            named = re.search(r"review-[0-9a-f]{12}\.md", prompt)
            assert named, "The prompt names no file for a review."
            Path(named[0]).write_text(values[0], encoding="utf-8")
        elif verb == "fork":
            if os.fork() == 0:
                os.setsid()
                time.sleep(values[0])
                os._exit(0)
        elif verb == "die":
            os.kill(os.getpid(), values[0])
        elif verb == "alone":
            # Held until this process and every copy of it is gone.
            lock = os.open(values[0], os.O_RDWR | os.O_CREAT)
            os.set_inheritable(lock, True)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                Path(f"{values[0]}.twice").touch()
        elif verb == "once":
            path = Path(values[0])
            if not path.exists():
                path.touch()
                act(values[1], prompt)
        elif verb == "exit":
            return int(values[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())

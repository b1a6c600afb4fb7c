#!/usr/bin/env python3
"""An agent that will not go: it ignores SIGTERM and leaves a daemon behind that does the same.

The daemon has a session of its own, so no signal to the agent's group reaches it, and keeps the agent's
output open. With --leave the agent itself exits with code 0 and only the daemon stays.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time


def daemonise() -> bool:
    """Fork twice with a session between, the classical way; return True in the daemon."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


def main() -> int:
    """Stay for --seconds against every polite request; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long to stay")
    parser.add_argument("--leave", action="store_true", help="exit at once and leave the daemon")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    role = "daemon" if daemonise() else "agent"
    print(f"{role} {os.getpid()} stays", flush=True)
    if role == "agent" and options.leave:
        return 0
    time.sleep(options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

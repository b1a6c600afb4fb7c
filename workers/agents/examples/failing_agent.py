#!/usr/bin/env python3
"""An agent that fails: it prints a reason and exits with code 1.

With `--until N --state FILE` it fails N times, counting in FILE, and signals DONE from then on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path


def failures_so_far(state: Path) -> int:
    """Return the count in the state file; no file is no failure."""
    return int(state.read_text()) if state.exists() else 0


def main() -> int:
    """Fail, or succeed after enough failures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--until", type=int, help="fail so many times, then work")
    parser.add_argument("--state", type=Path, help="the file that counts the failures")
    parser.add_argument("--message", default="the model API answered 500", help="the reason to print")
    options = parser.parse_args()
    if (options.until is None) != (options.state is None):
        parser.error("--until and --state need each other")
    failures = failures_so_far(options.state) if options.state else 0
    if options.until is None or failures < options.until:
        if options.state:
            options.state.write_text(str(failures + 1))
        print(f"Attempt {failures + 1} failed: {options.message}", file=sys.stderr, flush=True)
        return 1
    fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    payload = f"worked after {failures} failures"
    print(json.dumps({"mc_signal": "DONE", **fields, "payload": payload}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

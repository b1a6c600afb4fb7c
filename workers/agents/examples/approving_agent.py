#!/usr/bin/env python3
"""A reviewer: it reads what the newest commit changes, with git, and approves it.

It signals DONE to approve, with how much it read; with `--refuse REASON` it signals BLOCKED. It changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys


def git(*arguments: str) -> str:
    """Run git in the current directory and return what it prints; raise CalledProcessError."""
    done = subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, text=True, errors="replace")
    return done.stdout.strip()


def main() -> int:
    """Read, then approve or refuse; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--refuse", metavar="REASON", help="approve nothing, for this reason")
    parser.add_argument("--commit", default="HEAD", help="what to read")
    options = parser.parse_args()
    commit = git("rev-parse", "--short", options.commit)
    changes = [line.split("\t") for line in git("show", "--numstat", "--format=", options.commit).splitlines() if line]
    for added, removed, name in changes:
        print(f"Read {name}: {added} lines added, {removed} removed", flush=True)
    fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    kind = "BLOCKED" if options.refuse else "DONE"
    payload = options.refuse or f"{commit} is good: {len(changes)} changed files read"
    print(json.dumps({"mc_signal": kind, **fields, "payload": payload}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

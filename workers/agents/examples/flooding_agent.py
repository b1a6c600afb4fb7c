#!/usr/bin/env python3
"""An agent that prints far too much, to stdout, stderr or both, in lines or in none, then signals DONE."""

from __future__ import annotations

import argparse
import json
import os
import sys

BLOCK = 64 * 1024


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, past the buffers of Python."""
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> int:
    """Flood, then signal if there is a nonce; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000_000, help="how many to each stream")
    parser.add_argument("--stream", choices=("stdout", "stderr", "both"), default="stdout")
    parser.add_argument("--no-newline", action="store_true")
    options = parser.parse_args()
    block = b"x" * BLOCK if options.no_newline else (b"x" * 99 + b"\n") * (BLOCK // 100)
    descriptors = {"stdout": (1,), "stderr": (2,), "both": (1, 2)}[options.stream]
    left = options.bytes
    while left > 0:
        for descriptor in descriptors:
            write_all(descriptor, block[:left])
        left -= len(block)
    if os.environ.get("SHIPROOM_NONCE"):
        fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
        line = json.dumps({"mc_signal": "DONE", **fields, "payload": f"wrote {options.bytes} bytes"})
        write_all(1, b"\n" + line.encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

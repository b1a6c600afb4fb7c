#!/usr/bin/env python3
"""An agent that fails: it prints a reason and exits with code 1.

With `--until N` it fails N times, and from then on works as editing_agent.py does: it edits a file, commits and
signals DONE. It counts in the file --state, which lies in HOME where none is given.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path


def failures_so_far(state: Path) -> int:
    """Return the count in the state file; no file is no failure."""
    return int(state.read_text()) if state.exists() else 0


def work() -> None:
    """Become the editing agent, which lies beside this file and exits by itself."""
    path = str(Path(__file__).with_name("editing_agent.py"))
    sys.argv = [path]
    runpy.run_path(path, run_name="__main__")


def main() -> int:
    """Fail, or work after enough failures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--until", type=int, help="fail so many times, then work")
    parser.add_argument("--state", type=Path, help="the file that counts the failures")
    parser.add_argument("--message", default="the model API answered 500", help="the reason to print")
    options = parser.parse_args()
    if options.state and options.until is None:
        parser.error("--state needs --until")
    state = options.state or Path.home() / "failing-agent-failures"
    failures = 0 if options.until is None else failures_so_far(state)
    if options.until is None or failures < options.until:
        if options.until is not None:
            state.write_text(str(failures + 1))
        print(f"Attempt {failures + 1} failed: {options.message}", file=sys.stderr, flush=True)
        return 1
    print(f"It works, after {failures} failures.", flush=True)
    work()
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""An agent that mends the faults of Harbour lights that it knows, as a careful engineer does.

It reads the ticket's title from the prompt on standard input. Where it knows the fault, it takes the mark of a known
failure off the test, sees the test fail, mends the code, sees it pass, commits, and signals DONE. Where it does not
know it, it signals BLOCKED and changes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

MARK = "    @unittest.expectedFailure  # known since the first look\n"


class Mend(NamedTuple):
    """What is replaced in a file, and the test that shows it (empty where no test can)."""

    said: str
    file: str
    old: str
    new: str
    test: str = ""


# By words of the ticket's title.
MENDS = {
    "failed lamp": Mend(
        "Show a failed lamp as dark",
        "harbour/lights.py",
        'return light.lamp != "off"',
        'return light.lamp == "on"',
        "harbour/tests/test_lamps.py",
    ),
    "escaping": Mend(
        "Escape the names of lights",
        "harbour/board.py",
        "return light.name\n",
        "return escape(light.name)\n",
        "harbour/tests/test_board.py",
    ),
    "README": Mend(
        "Say how the tests are run",
        "README.md",
        "`/` is the board",
        "The tests: `python3 -m unittest`.\n\n`/` is the board",
    ),
}


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(text, flush=True)


def signal(kind: str, payload: object) -> None:
    """Print the line that ends the turn."""
    fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    say(json.dumps({"mc_signal": kind, **fields, "payload": payload}))


def title_in(prompt: str) -> str:
    """Return the ticket's title, which follows its mark in the prompt."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    marks = [n for n, line in enumerate(lines[:-1]) if line.startswith("<<<TICKET-")]
    return lines[marks[0] + 1] if marks else ""


def replace(file: str, old: str, new: str) -> bool:
    """Replace ``old`` in the file; return whether it was there."""
    path = Path(file)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return old in text


def tests_pass() -> bool:
    """Run the tests of the repository and show what they print."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "unittest"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    say(done.stdout.rstrip())
    return done.returncode == 0


def commit(message: str) -> str:
    """Commit all that changed, under a name of its own; return the commit."""
    name = ("-c", "user.name=Mending agent", "-c", "user.email=agent@shiproom.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *name, "commit", "--quiet", "--all", f"--message={message}"], check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def mend(known: Mend) -> bool:
    """Mend the fault in the current directory, its test first; return whether the tests pass then."""
    if known.test and replace(known.test, MARK, ""):
        say(f"The mark of a known failure is off {known.test}. The test should fail now:")
        tests_pass()
    if not replace(known.file, known.old, known.new):
        say(f"{known.file} has no such fault any more.")
    say(f"Mended {known.file}. The tests:")
    return tests_pass()


def finish(known: Mend) -> None:
    """Mend, commit and signal."""
    ticket = os.environ["SHIPROOM_TICKET"]
    if not mend(known):
        signal("FAILED", f"the tests fail after the change of {known.file}; nothing was committed")
        return
    made = commit(f"{known.said} ({ticket})")
    signal("DONE", f"{known.said}: {known.file} is changed in commit {made[:9]}, and the tests pass")


def main() -> int:
    """Do the work and signal; return the exit code."""
    title = title_in(sys.stdin.read())
    say(f"Working on {os.environ['SHIPROOM_TICKET']}: {title}")
    known = next((found for words, found in MENDS.items() if words.lower() in title.lower()), None)
    if known is None:
        signal("BLOCKED", "I know no mend for this. It takes somebody who can think.")
    else:
        finish(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())

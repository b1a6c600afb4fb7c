#!/usr/bin/env python3
"""An agent that asks before it works: its first turn ends with a question, the next one does what was answered.

It looks in its prompt for the line "Answer to turn N:". Without one it signals NEEDS_INPUT, with options, a
default and a deadline. With one it writes the answer into --file, commits and signals DONE. What it knows of its
session lies in HOME; give it `--session NAME` to begin one, and `--resume NAME` to go on with it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import sys
from pathlib import Path

ANSWER = re.compile(r"^Answer to turn \d+:(?: \*\*(?P<label>.+?)\*\*)?\n*(?P<text>[^\n]*)", re.MULTILINE)
QUESTION = {
    "question": "How should the note be written?",
    "options": [
        {"label": "Short", "detail": "One line, for readers in a hurry."},
        {"label": "Long", "detail": "A paragraph, for readers who were not there."},
    ],
    "default": 0,
}


def answer_in(prompt: str) -> str:
    """Return the newest answer in the prompt: the chosen label, or else its words; empty if there is none."""
    found = [match["label"] or match["text"] for match in ANSWER.finditer(prompt)]
    return found[-1].strip() if found else ""


def remember(session: str) -> bool:
    """Note the session in HOME; return whether it was known there."""
    path = Path.home() / "asking-agent-sessions"
    known = path.read_text(encoding="utf-8").split() if path.exists() else []
    if session not in known:
        with path.open("a", encoding="utf-8") as file:
            file.write(session + "\n")
    return session in known


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", help="the name of a session to begin")
    which.add_argument("--resume", help="the name of a session to go on with")
    parser.add_argument("--file", default="ANSWER.md", help="the file to write the answer to")
    parser.add_argument("--deadline-minutes", type=int, default=60)
    return parser.parse_args()


def main() -> int:
    """Ask, or do what was answered; return the exit code."""
    options = parse()
    # Beside this file: with -I its folder is not among those that are imported from.
    editing = runpy.run_path(str(Path(__file__).with_name("editing_agent.py")))
    session = options.resume or options.session or os.environ.get("SHIPROOM_SESSION") or "nameless"
    known = remember(session)
    if options.resume and not known:
        print(f"There is no session {session}.", file=sys.stderr)
        return 1
    editing["say"](f"Session {session}, {'resumed' if known else 'new'}.")
    answer = answer_in(sys.stdin.read())
    ticket = os.environ["SHIPROOM_TICKET"]
    if not answer:
        fields = {"ticket": ticket, "nonce": os.environ["SHIPROOM_NONCE"]}
        question = QUESTION | {"deadline_minutes": options.deadline_minutes}
        editing["say"](json.dumps({"mc_signal": "NEEDS_INPUT", **fields, "payload": question}))
        return 0
    editing["say"](f"The answer is: {answer}")
    editing["edit"](options.file, f"- {ticket}: {answer}")
    made = editing["commit"](options.file, f"{ticket}: {answer}", "Asking agent", "agent@shiproom.invalid")
    editing["signal"]("DONE", f"wrote the answer to {options.file} in commit {made}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""An agent that cannot decide alone: it asks in which unit ranges are to be shown, then works with the answer.

Its first turn ends with NEEDS_INPUT: a question with two options, a default and a deadline. Its next turn finds the
answer in the prompt, changes the code accordingly, runs the tests, commits and signals DONE.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[4] / "workers" / "agents" / "examples"
QUESTION = {
    "question": "The board divides metres by 1,000 and calls the result nautical miles. One of the two is wrong:"
    " in which unit should it show how far a light is seen?",
    "options": [
        {"label": "Nautical miles", "detail": "What a chart has; the numbers on the board get smaller."},
        {"label": "Kilometres", "detail": "The numbers stay, the word changes."},
    ],
    "default": 0,
    "deadline_minutes": 60,
}
OLD = 'return f"{metres / 1000:.0f} nautical miles"'
UNITS = {
    "nautical": 'return f"{metres / 1852:.0f} nautical miles"',
    "kilomet": 'return f"{metres / 1000:.0f} kilometres"',
}


def main() -> int:
    """Ask, or do what was answered; return the exit code."""
    # Beside this file, and an example that knows how an answer stands in a prompt.
    mending = runpy.run_path(str(Path(__file__).with_name("mending_agent.py")))
    answer = runpy.run_path(str(EXAMPLES / "asking_agent.py"))["answer_in"](sys.stdin.read())
    if not answer:
        mending["say"](f"Working on {os.environ['SHIPROOM_TICKET']}. This is not mine to decide, so I ask.")
        mending["signal"]("NEEDS_INPUT", QUESTION)
        return 0
    mending["say"](f"The answer is: {answer}")
    new = next((code for word, code in UNITS.items() if word in answer.lower()), None)
    if new is None:
        mending["signal"]("NEEDS_INPUT", QUESTION | {"question": f"I know no unit “{answer}”. Which of these is it?"})
        return 0
    mending["finish"](
        mending["Mend"](
            f"Show ranges in {'nautical miles' if 'nautical' in new else 'kilometres'}",
            "harbour/ranges.py",
            OLD,
            new,
            "harbour/tests/test_ranges.py",
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

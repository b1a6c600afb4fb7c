"""How an agent that reviews is told to write: the layout that docs/reviews.md advises."""

from __future__ import annotations

from typing import Final

FORM: Final = """Write it like this: a heading with a reference for each finding, and its fields on lines of their own.
Severity is critical, high, medium, low or info; File is path:line or path:from-to from the top of the repository.

    # Review of ...

    2 findings: 1 critical, 1 low.

    ## F-1: What is wrong, in one line

    **Severity:** Critical
    **File:** `relay/outbox.py:41-58`
    **Status:** Open

    What happens, when, and how you know.

    **Fix:** what would mend it.

    ## Verdict

    Do not ship: F-1 loses messages.

What is good stands under a heading that says so. Without a finding, say that there is none. The verdict is your vote
in words that begin with Ship, Ship after, or Do not ship, with its reason; it counts until you hand in another."""

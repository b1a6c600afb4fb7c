"""How alike two wordings of a finding are."""

from __future__ import annotations

import difflib
import re

SAME = 0.82
MIN_PREFIX = 20
# The cost of a comparison grows with more than the product of both lengths; a title says what it is at its start.
MAX_COMPARED = 200


def normal(title: str) -> str:
    """A title for comparison: lower case, no markup, no punctuation."""
    text = re.sub(r"[`*~_]", "", title.lower())
    return re.sub(r"\s+", " ", re.sub(r"[^\w/.]+", " ", text)).strip(" ./")


def alike(one: str, two: str) -> float:
    """0 to 1 for two normal titles; a long common start is enough."""
    if not one or not two:
        return 0.0
    if one == two:
        return 1.0
    short, long = (one, two) if len(one) <= len(two) else (two, one)
    if len(short) >= MIN_PREFIX and long.startswith(short):
        return 0.9
    if len(short) * 2 < len(long):
        return 0.0
    matcher = difflib.SequenceMatcher(None, one[:MAX_COMPARED], two[:MAX_COMPARED], autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= SAME else 0.0


class Comparer:
    """`alike` within a budget, for a document may hold thousands of long titles; once spent, only equals are alike.

    A look at the letters costs the sum of both lengths, the comparison proper their product.
    """

    LOOK = 2

    def __init__(self, budget: int) -> None:
        self._left = budget

    def same(self, one: str, two: str) -> bool:
        if one == two:
            return bool(one)
        short, long = sorted((one, two), key=len)
        if not short or self._left <= 0:
            return False
        if len(short) >= MIN_PREFIX and long.startswith(short):
            return True
        if len(short) * 2 < len(long):
            return False
        one, two = one[:MAX_COMPARED], two[:MAX_COMPARED]
        self._left -= self.LOOK * (len(one) + len(two))
        matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
        if matcher.quick_ratio() < SAME:
            return False
        self._left -= len(one) * len(two)
        return matcher.ratio() >= SAME

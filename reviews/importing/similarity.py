"""How alike two wordings of a finding are."""

from __future__ import annotations

import difflib
import re

SAME = 0.82
MIN_PREFIX = 20


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
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= SAME else 0.0

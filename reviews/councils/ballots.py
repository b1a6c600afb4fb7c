"""What a verdict in words says of a commit: ship, ship after something, do not ship, or nothing that is plain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from reviews.models import Ballot

_DEED: Final = r"(?:ship|merge|approv\w*|releas\w*|deploy\w*|ready|go|accept\w*)"
_NOT: Final = re.compile(
    rf"\b(?:do not|don['’]t|does not|not|never|cannot|can['’]t|must not|should not|no)\b\W*(?:yet\W*|be\W*)?{_DEED}\b",
    re.IGNORECASE,
)
_AGAINST: Final = re.compile(r"\b(?:reject\w*|fail\w*|block\w*|no-go|veto\w*|unsafe)\b", re.IGNORECASE)
_LATER: Final = re.compile(
    r"\b(?:after|before|until|unless|once|provided|condition\w*|changes (?:are )?(?:requested|needed|required)"
    r"|request(?:s|ed)? changes|must (?:be )?fix\w*|needs? (?:work|changes|a fix)|with (?:changes|fixes|conditions))\b",
    re.IGNORECASE,
)
_FOR: Final = re.compile(r"\b(?:ship|approv\w*|lgtm|ready|pass(?:ed|es)?|merge|go|yes|clean)\b", re.IGNORECASE)
# The strictest first.
STRICTEST: Final = (Ballot.DO_NOT_SHIP, Ballot.SHIP_AFTER, Ballot.SHIP)


def ballot_of(verdict: str | None) -> Ballot | None:
    """The vote that the words are; None where they are none. "Do not ship before X" is: ship after X."""
    said = " ".join((verdict or "").replace("_", " ").replace("*", "").split())
    later = bool(_LATER.search(said))
    if _NOT.search(said) or _AGAINST.search(said):
        return Ballot.SHIP_AFTER if later else Ballot.DO_NOT_SHIP
    if later:
        return Ballot.SHIP_AFTER
    return Ballot.SHIP if _FOR.search(said) else None


def outcome_of(votes: Iterable[str]) -> Ballot:
    """What more than half say; where no word has that, the strictest that was said. At least one vote."""
    given = [Ballot(vote) for vote in votes]
    most = next((one for one in STRICTEST if 2 * given.count(one) > len(given)), None)
    return most or next(one for one in STRICTEST if one in given)

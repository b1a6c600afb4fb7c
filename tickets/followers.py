"""What layers above move with a ticket, in the transaction that moves it. They register; nothing here knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tickets.models import Merge, Ticket, Turn

Row = TypeVar("Row")


class Followers(Generic[Row]):
    """Called in the order in which they registered; one that raises ``Refused`` stops the whole change."""

    def __init__(self) -> None:
        self._followers: list[Callable[[Row], None]] = []

    def add(self, follower: Callable[[Row], None]) -> None:
        """Register once, however often it is asked for."""
        if follower not in self._followers:
            self._followers.append(follower)

    def tell(self, row: Row) -> None:
        for follower in self._followers:
            follower(row)


# a turn said that it is done, and was measured
worked: Followers[Turn] = Followers()
# the accepted work is in the target branch; told before ``accepted``
merged: Followers[Merge] = Followers()
# the ticket is done
accepted: Followers[Ticket] = Followers()
reopened: Followers[Ticket] = Followers()

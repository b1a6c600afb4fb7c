"""What a running turn may read of its ticket's conversation: in order, bounded, nothing that is for people only."""

from __future__ import annotations

from typing import NamedTuple

from portal.core import limits
from tickets.models import Message, Ticket


class Heard(NamedTuple):
    """Messages in order. ``more``: there are later ones than the last of these."""

    messages: list[Message]
    more: bool


def after(ticket: Ticket, number: int, most: int) -> Heard:
    """The messages after ``number``, at most so many, and no more text than one turn is given."""
    rows = Message.objects.filter(ticket=ticket, internal=False, withdrawn_at__isnull=True, number__gt=number)
    found = list(rows.prefetch_related("attachments").order_by("number")[: most + 1])
    left = limits.value("TURN_MESSAGES_CHARS")
    held: list[Message] = []
    for message in found[:most]:
        left -= len(message.body)
        # The first is given however long it is: nobody could read on behind it.
        if held and left < 0:
            break
        held.append(message)
    return Heard(held, len(held) < len(found))

"""The lock of a ticket's row, which whoever adds to the ticket holds."""

from __future__ import annotations

from portal.core.lifecycle import Gone
from tickets.models import Ticket


def lock(ticket: Ticket) -> Ticket:
    """The row as it is now, locked until the transaction ends. Raises ``Gone``.

    Whoever adds to a ticket holds it: numbers have no gap, and a ticket that
    was closed meanwhile takes nothing.
    """
    held = Ticket.objects.select_for_update(no_key=True).filter(pk=ticket.pk).first()
    if held is None:
        raise Gone(f"Ticket {ticket.key} is not there any more.")
    return held

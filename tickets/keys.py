"""The key that a document gives to a ticket, and tickets found by any of their names."""

from __future__ import annotations

from tickets.models import KeyAlias, Ticket


def find_by_name(key: str) -> Ticket | None:
    """The ticket of this key; else the one ticket that has it as its second name."""
    name = key.strip().upper()
    rows = Ticket.objects.select_related("project")
    own = rows.filter(key=name).first()
    if own:
        return own
    known = list(KeyAlias.objects.filter(key=name).select_related("ticket__project")[:2])
    return known[0].ticket if len(known) == 1 else None

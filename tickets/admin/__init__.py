"""Projects and tickets in the admin."""

from tickets.admin import projects, records, tickets

__all__ = ["projects", "records", "tickets"]

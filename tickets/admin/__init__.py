"""Projects and tickets in the admin."""

from tickets.admin import projects, questions, records, tickets

__all__ = ["projects", "questions", "records", "tickets"]

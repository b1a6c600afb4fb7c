"""The operations of the API by subject: parse, one call inward, answer."""

from portal.api.doors import api
from portal.api.operations import attachments, conversations, findings, general, projects, questions, reviews, tickets

__all__ = ["api", "attachments", "conversations", "findings", "general", "projects", "questions", "reviews", "tickets"]

"""Projects, tickets, turns and what they leave: the work and who does it."""

from __future__ import annotations

from tickets.models.conversation import (
    Attachment,
    Author,
    Delivery,
    DeliveryState,
    Message,
    Question,
    QuestionKind,
    QuestionState,
    question_name,
)
from tickets.models.merges import Merge, MergeState
from tickets.models.projects import Landing, Membership, MergeStrategy, Project, ProjectCounter
from tickets.models.tickets import KeyAlias, Ticket, TicketState, Workspace
from tickets.models.turns import CheckRun, Measurement, Purpose, Turn, TurnState

__all__ = [
    "Attachment",
    "Author",
    "CheckRun",
    "Delivery",
    "DeliveryState",
    "KeyAlias",
    "Landing",
    "Measurement",
    "Membership",
    "Merge",
    "MergeState",
    "MergeStrategy",
    "Message",
    "Project",
    "ProjectCounter",
    "Purpose",
    "Question",
    "QuestionKind",
    "QuestionState",
    "Ticket",
    "TicketState",
    "Turn",
    "TurnState",
    "Workspace",
    "question_name",
]

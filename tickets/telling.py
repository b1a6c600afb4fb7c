"""Who is told what of a ticket: those who take part in it and still see its project, within the change itself."""

from __future__ import annotations

from typing import Final

from portal.core import notifications
from portal.core.models import Activity
from tickets.models import Merge, Message, Question, Ticket
from tickets.rights import readers

# What a turn's end makes of a ticket, where a person goes on with it.
_MOVED: Final = {
    "submit": "waits to be accepted",
    "leave_unproven": "is unproven",
    "end_review": "was reviewed by another agent",
    "block": "is blocked",
    "fail": "failed",
}


def participants(ticket: Ticket) -> set[int]:
    """Who opened it, moved it, or wrote on it, themselves or by a token of theirs."""
    acted = Activity.objects.filter(subject=ticket.subject, actor_kind__in=["user", "token"])
    wrote = Message.objects.filter(ticket=ticket, author__isnull=False).values_list("author", flat=True)
    actors = acted.values_list("actor_kind", "actor_id").distinct()
    return readers(ticket.project_id, notifications.people_of(actors) | set(wrote.distinct()))


def moved(ticket: Ticket, verb: str) -> None:
    """A turn ended with ``verb``; nothing is said where nobody has to go on."""
    if verb in _MOVED:
        _tell(ticket, participants(ticket), f"ticket.{verb}", f"{ticket.key} {_MOVED[verb]}: {ticket.title}")


def asked(question: Question) -> None:
    ticket = question.ticket
    agent = question.turn.agent_version.agent.name
    title = f"{agent} asks on {ticket.key}: {question.text}"
    _tell(ticket, participants(ticket), "question.asked", title, place="#question")


def wrote(ticket: Ticket, message: Message) -> None:
    """A person wrote. The words stay where they can be withdrawn."""
    title = f"{message.author_label} wrote on {ticket.key}: {ticket.title}"
    place = f"#m{message.number}"
    _tell(ticket, participants(ticket), "message.posted", title, place=place, by=message.author_id)


def came_back(merge: Merge, why: str) -> None:
    """Accepted work is not in the target branch: whoever accepted it is told."""
    ticket = merge.ticket
    people = readers(ticket.project_id, [merge.accepted_by_id] if merge.accepted_by_id else [])
    _tell(ticket, people, "merge.came_back", f"{ticket.key} was not merged. {why}")


def _tell(ticket: Ticket, people: set[int], verb: str, title: str, *, place: str = "", by: int | None = None) -> None:
    url, scope = f"{ticket.get_absolute_url()}{place}", f"project:{ticket.project_id}"
    notifications.notify(people, verb=verb, subject=ticket.subject, scope=scope, title=title, url=url, by=by)

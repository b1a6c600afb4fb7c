"""The key that a document gives to a ticket, and tickets found by any of their names.

A key that nobody ever had is adopted; one that the project has is linked; one
of another project stays a second name. A number is never given twice: what is
decided for a plan is decided again under the lock of the counter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from django.db import models

from portal.core import identifiers, limits
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from tickets.models import KeyAlias, Project, ProjectCounter, Ticket
from tickets.rights import KEY
from tickets.work import create_ticket

# What a column of the database can hold.
_HIGHEST: Final = 2**31 - 1


class Keys(models.TextChoices):
    """What becomes of the key that a document gives."""

    ADOPT = "adopt", "Adopt"
    LINK = "link", "Link"
    ALIAS = "alias", "Keep as a second name"
    REFUSE = "refuse", "Number of its own"


class Choice(NamedTuple):
    """What becomes of a key, why in a sentence for people, and the ticket of a link."""

    keys: Keys
    reason: str
    ticket: Ticket | None = None


def choice(project: Project, key: str) -> Choice:
    """What would become of ``key`` if a ticket were made now."""
    return choices(project, [key])[key]


def choices(project: Project, keys: Iterable[str]) -> dict[str, Choice]:
    """``choice`` for many keys, in four queries."""
    wanted = {key: KEY.fullmatch(key) for key in keys}
    names = list(wanted)
    tickets = {ticket.key: ticket for ticket in Ticket.objects.filter(project=project, key__in=names).defer("body")}
    aliases = dict(KeyAlias.objects.filter(project=project, key__in=names).values_list("key", "ticket__key"))
    last = ProjectCounter.objects.values_list("last", flat=True).get(pk=project.pk)
    own = {key: found for key, found in wanted.items() if found and found[1] == project.key}
    had = _had([key for key, found in own.items() if int(found[2]) <= last and key not in tickets])
    answers: dict[str, Choice] = {}
    for key, found in wanted.items():
        if found is None:
            answers[key] = Choice(Keys.REFUSE, "It is no key of a ticket: the ticket gets a number of its own.")
        elif key in own:
            answers[key] = _own(project, key, int(found[2]), last, tickets.get(key), key in had)
        elif key in aliases:
            said = f"It is a second name of {aliases[key]} already: the ticket gets a number of its own."
            answers[key] = Choice(Keys.REFUSE, said)
        else:
            said = (
                f"It is of another project than {project.key}: the ticket gets a number of its own, and {key} finds it."
            )
            answers[key] = Choice(Keys.ALIAS, said)
    return answers


def _own(project: Project, key: str, number: int, last: int, ticket: Ticket | None, had: bool) -> Choice:
    if ticket is not None:
        return Choice(Keys.LINK, f"{project.key} has {key}: the finding is linked to it.", ticket)
    ahead = limits.value("KEY_AHEAD_NUMBERS")
    if number > min(last + ahead, _HIGHEST):
        said = f"It is more than {ahead} numbers ahead of {project.key}-{last}: the ticket gets a number of its own."
        return Choice(Keys.REFUSE, said)
    if had:
        return Choice(Keys.REFUSE, f"{key} was a ticket that is gone: the ticket gets a number of its own.")
    return Choice(Keys.ADOPT, f"No ticket ever had it: the ticket becomes {key}.")


def _had(keys: list[str]) -> set[str]:
    """Those that were given to a ticket once; the others were skipped when a higher number was adopted.

    History is append-only, so it is the tombstone of a ticket that was deleted.
    """
    subjects = Activity.objects.filter(subject__in=[f"ticket:{key}" for key in keys])
    return {subject.partition(":")[2] for subject in subjects.values_list("subject", flat=True).distinct()}


def create_with_key(
    project: Project, key: str, *, title: str, body: str = "", reason: str = "", adopting: bool = True
) -> tuple[Ticket, Choice]:
    """The ticket for something to which a document gave ``key``, and what became of the key.

    Linked: that is the ticket there is, and none is made. Without ``adopting``
    the key is neither taken nor kept as a second name.
    """
    with unit_of_work() as work:
        # Numbers are given under this lock, so nobody can get between the decision and the ticket.
        ProjectCounter.objects.select_for_update().get(pk=project.pk)
        chosen = choice(project, key)
        if chosen.ticket is not None:
            return chosen.ticket, chosen
        if chosen.keys == Keys.ADOPT and adopting:
            return _adopt(project, key, title=title, body=body, reason=reason), chosen
        ticket = create_ticket(project, title=title, body=body, reason=reason)
        if chosen.keys == Keys.ALIAS and adopting:
            KeyAlias.objects.create(project=project, key=key, ticket=ticket)
            work.record("ticket.named", ticket.subject, after={"also": key}, reason=reason)
    return ticket, chosen


def _adopt(project: Project, key: str, *, title: str, body: str, reason: str) -> Ticket:
    number = int(key.rpartition("-")[2])
    # False where it was skipped before: the counter stands higher then, and never gives it.
    identifiers.raise_to(ProjectCounter, pk=project.pk, number=number)
    return create_ticket(project, title=title, body=body, reason=reason, number=number)


def find_by_name(key: str, project: Project | None = None) -> Ticket | None:
    """The ticket of this key; else the one ticket, of all or of ``project``, that has it as a second name."""
    name = key.strip().upper()
    within = {} if project is None else {"project": project}
    own = Ticket.objects.select_related("project").filter(key=name, **within).first()
    if own:
        return own
    known = list(KeyAlias.objects.filter(key=name, **within).select_related("ticket__project")[:2])
    return known[0].ticket if len(known) == 1 else None


def named_in(text: str) -> str:
    """The first key that a text names, or nothing."""
    found = re.search(rf"\b{KEY.pattern}\b", text[:1000])
    return found[0] if found else ""

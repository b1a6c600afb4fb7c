"""What a council looks at: the commit, where it began, and who made it. Asked of git by a worker."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Q

from portal.core.models import User
from portal.core.storable import storable
from reviews.models import Council
from tickets import clones
from tickets.models import Measurement, Merge, Project, Purpose, Ticket, Turn, Workspace
from tickets.pristine import Pristine, pristine
from tickets.turn_jobs import newest_work
from workers.failures import BadInput

HEX: Final = re.compile(r"[0-9a-f]{7,64}")
# Commits of a diff whose authors are looked at.
COMMITS_LOOKED_AT: Final = 2000
PEOPLE_LOOKED_AT: Final = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: ``name`` as it is typed, ``since`` from where; ``ticket`` where it is the work of one."""

    about: Council.About
    name: str
    since: str = ""
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The commit with its whole name, where the diff begins (empty: the whole tree), and who made what lies between."""

    commit: str
    base: str
    title: str
    authors: list[dict[str, Any]] = field(default_factory=list)


def host_of(ticket: Ticket | None) -> str:
    """The machine whose clone alone may have the commits of the ticket; empty where any has."""
    if ticket is None:
        return ""
    return Workspace.objects.filter(ticket=ticket).values_list("host", flat=True).first() or ""


def look_up(council: Council) -> Found:
    """Ask the repository. Raises ``BadInput`` where it has no such commit, ``GitFailed`` where git cannot tell now."""
    project, about = council.series.project, council.about
    fetched = clones.fetched(project)
    with pristine(fetched.path) as objects:
        if about == Council.About.TICKET and council.ticket is not None:
            commit, base = _of_ticket(council.ticket, objects)
        else:
            commit = _named(project, objects, council.asked) if council.asked else fetched.commit
            base = _named(project, objects, council.asked_from) if council.asked_from else ""
        if not base and about == Council.About.BRANCH:
            base = objects.fork(commit, fetched.commit)
        if base == commit:
            base = ""
        title = storable(objects.git("log", "-1", "--format=%s", commit))[:200]
        between = (commit, f"^{base}") if base else ("--max-count=1", commit)
        log = objects.git("log", f"--max-count={COMMITS_LOOKED_AT}", "--format=%H%x1f%ae%x1f%ce", *between)
    lines = [storable(line).split("\x1f") for line in log.splitlines() if line]
    return Found(commit, base, title, authors(project, lines, council.ticket))


def _of_ticket(ticket: Ticket, objects: Pristine) -> tuple[str, str]:
    work = newest_work(ticket)
    commit = work.head_commit if work else ""
    if not commit or objects.run("cat-file", "-e", f"{commit}^{{commit}}").code != 0:
        raise BadInput(f"{ticket.key} has no commit that the clone of this machine holds.")
    found: Measurement | None = getattr(work, "measurement", None)
    begun = Workspace.objects.filter(ticket=ticket).values_list("base_commit", flat=True).first() or ""
    return commit, (found.fork_commit if found and found.fork_commit else begun)


def _named(project: Project, objects: Pristine, asked: str) -> str:
    found = clones.named(project, asked)
    if not found and HEX.fullmatch(asked):
        output = objects.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{asked}^{{commit}}")
        found = output.text.strip() if output.code == 0 else ""
    if not found or objects.run("cat-file", "-e", f"{found}^{{commit}}").code != 0:
        raise BadInput(f"The repository of {project.key} has no branch, tag or commit {asked}.")
    return found


# Who made it ------------------------------------------------------------------------


def authors(project: Project, commits: Iterable[list[str]], ticket: Ticket | None) -> list[dict[str, Any]]:
    """Agents whose turns left one of the commits, or work that became one; people whose ticket or commit it is.

    ``commits`` are names with the e-mail addresses of who wrote and who made them.
    """
    rows = list(commits)
    names = {row[0] for row in rows}
    found = {**_of_turns(project, names, ticket), **_of_addresses(project, rows)}
    return list(found.values())


def _of_turns(project: Project, names: set[str], ticket: Ticket | None) -> dict[str, dict[str, Any]]:
    merges = Merge.objects.filter(ticket__project=project).exclude(merged_commit="").order_by("-pk")
    accepted = {turn for turn, commit in merges.values_list("turn", "merged_commit") if commit in names}
    turns = Turn.objects.filter(ticket__project=project, purpose=Purpose.WORK).exclude(head_commit="")
    own = {pk for pk, commit in turns.values_list("pk", "head_commit") if commit in names}
    wanted = Q(pk__in=accepted | own) | Q(ticket=ticket) if ticket else Q(pk__in=accepted | own)
    found: dict[str, dict[str, Any]] = {}
    for turn in turns.filter(wanted).select_related("ticket__taken_by", "agent_version__agent").order_by("pk"):
        agent, key = turn.agent_version.agent, turn.ticket.key
        why = f"{agent.name} made it, in turn {turn.seq} of {key}"
        found[f"agent:{agent.pk}"] = {"agent": agent.pk, "person": None, "why": why}
        if (person := turn.ticket.taken_by) is not None:
            why = f"{person} has taken {key} over, whose work it is"
            found[f"person:{person.pk}"] = {"agent": None, "person": person.pk, "why": why}
    if ticket is not None and ticket.taken_by is not None:
        why = f"{ticket.taken_by} has taken {ticket.key} over, whose work it is"
        found[f"person:{ticket.taken_by.pk}"] = {"agent": None, "person": ticket.taken_by.pk, "why": why}
    return found


def _of_addresses(project: Project, rows: list[list[str]]) -> dict[str, dict[str, Any]]:
    """People of the project under whose address a commit was written or made."""
    wrote = {address.lower(): row[0] for row in reversed(rows) for address in row[1:] if address}
    people = User.objects.filter(Q(memberships__project=project) | Q(is_superuser=True)).distinct()
    found: dict[str, dict[str, Any]] = {}
    for person in people.order_by("pk")[:PEOPLE_LOOKED_AT]:
        if commit := wrote.get(person.email.lower()):
            why = f"{person} made the commit {commit[:9]} of it"
            found[f"person:{person.pk}"] = {"agent": None, "person": person.pk, "why": why}
    return found


def why_not(council: Council, *, agent: int | None = None, person: int | None = None) -> str:
    """Why this agent, or person, cannot judge what the council looks at; empty where nothing is in the way."""
    for author in council.authors:
        if (agent is not None and author["agent"] == agent) or (person is not None and author["person"] == person):
            return f"{author['why']}: nobody reviews their own work."
    return ""

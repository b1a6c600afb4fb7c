"""A council is asked for, its commit is looked up, and each of its members is asked; an agent by a turn of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from portal.core import clock, limits
from portal.core.access import Role
from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from portal.core.models import User
from portal.core.unit import current, unit_of_work
from reviews import telling
from reviews.councils import subjects, voting
from reviews.councils.form import FORM
from reviews.councils.subjects import Found, Subject
from reviews.models import Council, CouncilState, Member, MemberState, Series
from reviews.transitions import COUNCIL, MEMBER
from tickets.models import Membership, Project, Ticket
from tickets.readers import Reading
from tickets.work import have_read
from workers import queue
from workers.claims import Claim
from workers.failures import BadInput
from workers.kinds import Ending
from workers.models import Agent

OPEN_KIND: Final = "council.open"
CLOSE_KIND: Final = "council.close"
ABOUT: Final = Council.About
ERROR_CHARS: Final = 500


def ask(
    project: Project,
    subject: Subject,
    *,
    series_name: str,
    by: User,
    agents: Sequence[Agent] = (),
    people: Sequence[User] = (),
    instructions: str = "",
    quorum: int = 0,
    deadline: datetime | None = None,
    imports: bool = False,
) -> Council:
    """Ask agents and people to review one commit; a worker looks it up first. Raises ``Refused``.

    ``quorum`` votes end it, 0: those of all. With ``imports`` the documents are imported as they arrive.
    """
    _check(project, subject, agents, people, quorum, deadline)
    with unit_of_work():
        series, _ = Series.objects.get_or_create(project=project, name=series_name)
        series.project = project
        council = Council.objects.create(
            series=series,
            about=subject.about,
            asked=subject.name,
            asked_from=subject.since,
            ticket=subject.ticket,
            instructions=instructions.strip(),
            quorum=quorum,
            deadline=deadline,
            imports=imports,
            asked_by=by,
            asked_label=str(by)[:254],
            state=CouncilState.LOOKING,
        )
        for agent in agents:
            Member.objects.create(council=council, agent=agent, label=agent.name, state=MemberState.WAITING)
        for person in people:
            Member.objects.create(council=council, user=person, label=str(person)[:254], state=MemberState.WAITING)
        names = [*(agent.name for agent in agents), *map(str, people)]
        after = {"about": str(subject.about), "asked": subject.name, "members": names}
        current().record("council.asked", council.subject, after=after)
        COUNCIL.announce(council)
        queue.enqueue(
            OPEN_KIND,
            subject=council.subject,
            payload={"council": council.pk},
            unique_key=council.subject,
            audience=project.scope,
            host=subjects.host_of(subject.ticket),
        )
    return council


def _check(
    project: Project,
    subject: Subject,
    agents: Sequence[Agent],
    people: Sequence[User],
    quorum: int,
    deadline: datetime | None,
) -> None:
    number, most = len(agents) + len(people), limits.value("COUNCIL_MEMBERS")
    if not number:
        raise Refused("Choose at least one agent, or name a person: somebody has to look.")
    if number > most:
        raise Refused(f"A council has at most {most} members (you named {number}).")
    if len({agent.pk for agent in agents}) < len(agents) or len({person.pk for person in people}) < len(people):
        raise Refused("Somebody is named twice: each has one vote.")
    if quorum > number:
        raise Refused(f"{quorum} votes of {number} members cannot be had: ask more, or want fewer.")
    if not project.repository:
        raise Refused(f"{project.key} names no repository, so there is no commit to look at. An owner can set it.")
    if deadline is not None:
        problem = problem_of_deadline(deadline)
        if problem:
            raise Refused(problem)
    for person in people:
        if not may_take_part(project, person):
            raise Refused(f"{person} is no operator of {project.key}, so they cannot hand in a review there.")
    if subject.ticket is not None:
        _refuse_authors(project, subject.ticket, agents, people)


def _refuse_authors(project: Project, ticket: Ticket, agents: Iterable[Agent], people: Iterable[User]) -> None:
    """Of a ticket it is known at once whose work it is; of a commit, when it was looked up."""
    council = Council(authors=subjects.authors(project, [], ticket))
    for agent in agents:
        if why := subjects.why_not(council, agent=agent.pk):
            raise Refused(why)
    for person in people:
        if why := subjects.why_not(council, person=person.pk):
            raise Refused(why)


def problem_of_deadline(deadline: datetime) -> str:
    left, most = deadline - clock.now(), limits.value("COUNCIL_DEADLINE_DAYS")
    if left <= timedelta(0):
        return "That is over already: a deadline is in the future."
    # The last day counts to its end.
    return f"A council lasts at most {most} days." if left > timedelta(days=most + 1) else ""


def may_take_part(project: Project, person: User) -> bool:
    if not person.is_active:
        return False
    held = Membership.objects.filter(project=project, user=person, role__gte=Role.OPERATOR.value)
    return person.is_superuser or held.exists()


# It opens -------------------------------------------------------------------------


def run(claim: Claim) -> None:
    """The handler of kind "council.open": the commit is looked up, then everybody is asked."""
    council = _waiting(claim.payload["council"])
    if council is None:
        return
    found = subjects.look_up(council)
    claim.check()
    with claim.fenced():
        _open(council, found)


def _waiting(number: int) -> Council | None:
    rows = Council.objects.select_related("series__project", "ticket").filter(pk=number)
    return rows.filter(state=CouncilState.LOOKING).first()


def _open(council: Council, found: Found) -> None:
    """Who made the commit is no member; each agent begins; an earlier council about the same is void."""
    held = voting.lock(council)
    if held.state != CouncilState.LOOKING:
        return
    said: dict[str, Any] = {"commit": found.commit, "base": found.base, "title": found.title, "authors": found.authors}
    COUNCIL.move(held, "open", reason=f"It looks at {found.commit[:12]}.", **said)
    _void_earlier(held)
    for member in Member.objects.filter(council=held).select_related("agent", "user").order_by("pk"):
        member.council = held
        if why := subjects.why_not(held, agent=member.agent_id, person=member.user_id):
            MEMBER.move(member, "refuse", reason=why, problem=why[:ERROR_CHARS])
        elif member.agent is not None:
            _begin(member)
        else:
            telling.council_asks(member)
    if held.deadline is not None:
        seconds = max(0.0, (held.deadline - clock.now()).total_seconds())
        payload = {"council": held.pk}
        scope = held.series.project.scope
        queue.enqueue(
            CLOSE_KIND,
            subject=held.subject,
            payload=payload,
            unique_key=held.subject,
            audience=scope,
            delay_seconds=seconds,
        )


def _void_earlier(council: Council) -> None:
    """What moves, such as a branch, was at another commit when it was asked about before: that is void."""
    if council.about == ABOUT.DIFF:
        return
    rows = Council.objects.filter(series=council.series_id, about=council.about, asked=council.asked, pk__lt=council.pk)
    rows = rows.filter(state__in=[CouncilState.OPEN, CouncilState.CLOSED]).exclude(commit=council.commit)
    for earlier in rows.select_related("series").order_by("pk"):
        why = f"{council.asked or 'What it was asked about'} is at {council.commit[:12]} now; {council} looks at that."
        COUNCIL.move(earlier, "void", reason=why, detail=why[:ERROR_CHARS], ended_at=Wall())


def _begin(member: Member) -> None:
    """The agent's turn, on a ticket of its own. Where none can begin, the member has no answer, for that reason."""
    council, agent = member.council, member.agent
    assert agent is not None
    try:
        ticket = have_read(
            council.series.project,
            agent,
            title=f"Review {council.commit[:12]} for {council}"[: limits.value("TITLE_MAX_CHARS")],
            body=council.instructions or "Review it: what is wrong, how badly, and where.",
            reason=f"{council} asks {agent.name} for a review.",
            host=subjects.host_of(council.ticket),
        )
    except Refused as refusal:
        MEMBER.move(member, "fail", reason=str(refusal), problem=str(refusal)[:ERROR_CHARS])
        return
    # The number of the ticket tells the agent's turn which member it reads for.
    Member.objects.filter(pk=member.pk).update(ticket=ticket)
    MEMBER.announce(member)


def settle(ending: Ending) -> None:
    """A look-up that will not be tried again leaves its reason on the council."""
    council = _waiting(ending.payload["council"])
    if council is None or not ending.final or not ending.error:
        return
    said = ending.error.strip().splitlines()[-1][:ERROR_CHARS]
    COUNCIL.move(council, "fail", reason=said, detail=said, ended_at=Wall())


def requeued(subject: str, payload: dict[str, Any]) -> None:
    raise Refused("It ended as failed. Ask for another one.")


def end_due(claim: Claim) -> None:
    """The handler of kind "council.close"."""
    council = Council.objects.filter(pk=claim.payload["council"]).first()
    if council is None:
        raise BadInput("The council of this job is not there any more.")
    with claim.fenced():
        voting.end_due(council)


# Again ------------------------------------------------------------------------------


def ask_again(member: Member, *, expected_version: int | None = None) -> Member:
    """Another turn of the agent, on another ticket; what it handed in before is kept. Raises ``Refused``."""
    with unit_of_work():
        held = voting.lock(member.council)
        voting.refuse_ended(held)
        member.council = held
        if member.agent is None:
            raise Refused(f"{member} is a person: they hand in another review by themselves.")
        voting.refuse_author(held, member)
        MEMBER.move(member, "ask_again", expected_version=expected_version, problem="", asked_at=Wall())
        _begin(member)
    return member


def reading_of(ticket: Ticket) -> Reading | None:
    """What the agent of a ticket is to read, while a council waits for it."""
    rows = Member.objects.filter(ticket=ticket, state=MemberState.WAITING).select_related("council")
    member = rows.first()
    if member is None or not member.council.commit:
        return None
    council = member.council
    subject = f"{council.get_about_display().lower()} ({council.asked or 'the target branch'})"
    return Reading(council.commit, council.base, subject, FORM)

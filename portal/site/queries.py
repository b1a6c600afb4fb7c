"""What the pages that see all apps show: bounded, within the reader's scopes, a constant number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, Case, Count, Exists, F, Max, OuterRef, Q, QuerySet, When
from django.urls import reverse
from django.utils.text import Truncator

from deployments import needs
from deployments.models import Deployment, DeploymentState
from portal.core import access, notifications
from portal.core.clock import Wall
from portal.core.models import Notification, User
from reviews import decisions
from reviews.models import Finding, FindingState, Review, ReviewState, Severity
from reviews.queries import decisions as decided
from tickets.models import Project, Question, QuestionState, Ticket, TicketState
from tickets.rights import project_ids
from workers import pools
from workers.agents import breakers
from workers.models import AgentVersion, Attempt, Breaker, BreakerState, Job, JobState, Outcome

PANEL_ROWS: Final = 8
QUESTION_CHARS: Final = 140
PROJECTS_FOLLOWED: Final = 20
Reader = User | AnonymousUser


def within(rows: QuerySet[Any], path: str, projects: set[int] | None) -> QuerySet[Any]:
    return rows if projects is None else rows.filter(**{f"{path}__in": projects})


def has_projects(user: Reader) -> bool:
    """Whether there is a project that ``user`` may see."""
    projects = project_ids(user)
    return Project.objects.exists() if projects is None else bool(projects)


def streams_of(user: Reader) -> list[str]:
    """What a page over all of the reader's projects follows live; beyond the bound, jobs alone tell it."""
    projects = project_ids(user)
    ids = Project.objects.order_by("id").values_list("id", flat=True) if projects is None else sorted(projects)
    return ["jobs", *(f"project:{pk}" for pk in ids[:PROJECTS_FOLLOWED])]


# What needs me --------------------------------------------------------------


class Need(NamedTuple):
    """One thing that waits, and the one action: a link to ``url``, or a form that is posted to ``post``."""

    look: str
    title: str
    detail: str
    since: datetime | None
    url: str
    action: str
    post: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One kind of need. ``cut``: there are more than these."""

    title: str
    needs: list[Need]
    cut: bool
    url: str


# A kind that waits is told apart in one place: the page lists these rows, the navigation counts them.
ANSWERS: Final = [TicketState.NEEDS_PERSON]
ACCEPTANCE: Final = [TicketState.IN_REVIEW, TicketState.UNPROVEN]
STOPPED: Final = [TicketState.FAILED, TicketState.BLOCKED]


def tickets_in(states: list[TicketState], projects: set[int] | None) -> QuerySet[Ticket]:
    return within(Ticket.objects.filter(state__in=states), "project", projects)


def reviews_to_decide(projects: set[int] | None) -> QuerySet[Review]:
    waiting = Review.objects.filter(state__in=[ReviewState.PLANNED, ReviewState.FAILED])
    return within(waiting, "series__project", projects)


def critical_without_ticket(projects: set[int] | None) -> QuerySet[Finding]:
    unowned = Finding.objects.filter(state=FindingState.OPEN, severity=Severity.CRITICAL, ticket=None)
    return within(unowned, "series__project", projects)


def dead_jobs(user: Reader) -> QuerySet[Job]:
    return jobs_of(user).filter(state=JobState.DEAD)


def agents_at_rest(user: Reader) -> QuerySet[Breaker]:
    """Breakers that are not closed, of the profiles that turns would use; whoever belongs to a project sees them."""
    if not access.is_admin(user) and not access.roles(user):
        return Breaker.objects.none()
    newer = AgentVersion.objects.filter(
        agent=OuterRef("agent_version__agent"), number__gt=OuterRef("agent_version__number")
    )
    used = Breaker.objects.filter(~Exists(newer), agent_version__agent__enabled=True)
    return used.exclude(state=BreakerState.CLOSED)


def unread_messages(user: Reader) -> QuerySet[Notification]:
    """What people wrote on tickets that the reader takes part in."""
    return notifications.unread(user).filter(verb="message.posted")


def live_questions(projects: set[int] | None) -> QuerySet[Question]:
    """What turns that run wait for."""
    return within(Question.objects.filter(state=QuestionState.OPEN, live=True), "ticket__project", projects)


def _panel(title: str, url: str, needs: Iterable[Need]) -> Panel:
    found = list(needs)
    return Panel(title, found[:PANEL_ROWS], len(found) > PANEL_ROWS, url)


def needs_of(user: Reader) -> list[Panel]:
    """What waits for a person, by kind; a kind without anything is left out."""
    projects = project_ids(user)
    panels = [
        _questions(projects),
        _messages(user),
        _ticket_panel("Tickets that need a person", "Open", ANSWERS, projects),
        _ticket_panel("Work to accept", "Review", ACCEPTANCE, projects),
        _plans(projects),
        _findings(projects),
        _waivers(user),
        *_deployments(user, projects),
        _ticket_panel("Tickets that stopped", "Open", STOPPED, projects),
        _dead_jobs(user),
        _agents_at_rest(user),
    ]
    return [panel for panel in panels if panel.needs]


def _questions(projects: set[int] | None) -> Panel:
    """Those whose deadline is over first, then by their deadlines, then the oldest."""
    late = Case(When(deadline_at__lte=Wall(), then=True), default=False, output_field=BooleanField())
    waits = Q(ticket__state__in=ANSWERS) | Q(live=True)
    rows = Question.objects.filter(waits, state=QuestionState.OPEN).annotate(late=late)
    rows = within(rows, "ticket__project", projects).select_related("ticket__project", "turn__agent_version__agent")
    return _panel(
        "Questions waiting",
        f"/tickets/?state={ANSWERS[0].value}",
        (
            Need(
                "overdue" if row.late else "needs_person",
                Truncator(" ".join(row.text.split())).chars(QUESTION_CHARS),
                f"{row.ticket.project.key} · {row.ticket.key} · {row.turn.agent_version.agent} asks{_deadline(row)}",
                row.asked_at,
                f"{row.ticket.get_absolute_url()}#question",
                "Answer",
            )
            for row in rows.order_by("-late", F("deadline_at").asc(nulls_last=True), "id")[: PANEL_ROWS + 1]
        ),
    )


def _deadline(question: Any) -> str:
    if question.deadline_at is None:
        return ""
    at = f"{question.deadline_at.astimezone(UTC):%-d %b %H:%M} UTC"
    if question.default is not None and question.ticket.project.default_answers:
        return f" · its default answers at {at}"
    return f" · overdue, was wanted by {at}" if question.late else f" · wanted by {at}"


def _ticket_panel(title: str, action: str, states: list[TicketState], projects: set[int] | None) -> Panel:
    # What waits with a question is listed with it.
    asking = Question.objects.filter(ticket=OuterRef("pk"), state=QuestionState.OPEN)
    found = tickets_in(states, projects).filter(~Exists(asking))
    rows = found.select_related("agent_version__agent").order_by("-id")[: PANEL_ROWS + 1]
    return _panel(
        title,
        f"/tickets/?state={states[0].value}",
        (Need(row.state, row.title, _of_ticket(row), row.updated_at, row.get_absolute_url(), action) for row in rows),
    )


def _of_ticket(ticket: Ticket) -> str:
    agent = f" · agent {ticket.agent_version.agent}" if ticket.agent_version else ""
    return f"{ticket.key} · {ticket.get_state_display()}{agent}"


def _plans(projects: set[int] | None) -> Panel:
    rows = reviews_to_decide(projects).select_related("series__project").defer("content", "read_text")
    return _panel(
        "Reviews to decide",
        "/reviews/",
        (
            Need(
                row.state,
                row.title,
                f"{row.series.project.key} · {row}" + (f" · {row.error}" if row.error else ""),
                row.uploaded_at,
                row.get_absolute_url(),
                "Decide plan" if row.state == ReviewState.PLANNED else "See why",
            )
            for row in rows.order_by("-id")[: PANEL_ROWS + 1]
        ),
    )


def _findings(projects: set[int] | None) -> Panel:
    rows = critical_without_ticket(projects).select_related("series__project")
    newest = rows.annotate(review=Max("occurrences__review"), seen=Max("occurrences__review__uploaded_at"))
    return _panel(
        "Critical findings without a ticket",
        "/reviews/",
        (
            Need(
                "critical",
                row.title,
                f"{row.series.project.key} · {row.series}" + (f" · {row.reference}" if row.reference else ""),
                row.seen,
                f"/reviews/{row.review}/#finding-{row.pk}" if row.review else "/reviews/",
                "Make ticket",
            )
            for row in newest.order_by("-id")[: PANEL_ROWS + 1]
        ),
    )


def _waivers(user: Reader) -> Panel:
    rows = decided.to_give(user).select_related("finding__series__project").order_by("-id")[: PANEL_ROWS + 1]
    return _panel(
        "Waivers to decide",
        f"{reverse('finding_decisions')}?state=asked",
        (
            Need(
                "asked",
                row.finding.title,
                f"{row.finding.series.project.key} · {decisions.in_words(row)}",
                row.asked_at,
                f"{reverse('finding_decisions')}?finding={row.finding_id}",
                "Decide",
            )
            for row in rows
        ),
    )


def _deployments(user: Reader, projects: set[int] | None) -> list[Panel]:
    """Each kind as ``deployments.needs`` tells it apart."""
    return [
        _deployment_panel("Approvals to give", "Approve", needs.to_approve(user), "#approvals"),
        _deployment_panel("Deployments that need a person", "Decide", needs.interrupted(projects), "#interruption"),
        _deployment_panel("Deployments held", "See reasons", needs.held(projects), "#gate"),
        _deployment_panel("Deployments that failed", "Open", needs.fallen(projects)),
        _degraded(projects),
    ]


def _degraded(projects: set[int] | None) -> Panel:
    rows = needs.degraded(projects).select_related("service__project", "environment", "release__service")
    return _panel(
        "Services that are not well",
        reverse("environments"),
        (
            Need(
                "degraded",
                str(row),
                f"{row.service.project.key} · {row.release} · {row.degraded_why}",
                row.degraded_at or row.since,
                f"{row.environment.get_absolute_url()}#standing",
                "Look",
            )
            for row in rows.order_by("-degraded_at")[: PANEL_ROWS + 1]
        ),
    )


def _deployment_panel(title: str, action: str, rows: QuerySet[Deployment], place: str = "") -> Panel:
    rows = rows.select_related("service__project", "environment", "verdict", "release__service")
    return _panel(
        title,
        "/deployments/",
        (
            Need(
                row.state,
                str(row),
                _of_deployment(row),
                row.ended_at or row.requested_at,
                f"{row.get_absolute_url()}{place}",
                action,
            )
            for row in rows.order_by("-id")[: PANEL_ROWS + 1]
        ),
    )


def _of_deployment(row: Deployment) -> str:
    what = f"{row.service.project.key} · {row.release or 'deployment ' + str(row.pk)}"
    if row.state == DeploymentState.WAITING:
        closed = str(row.verdict) if row.verdict and not row.verdict.go else "waits at its gate"
        return f"{what} · {closed} · asked for by {row.requester}"
    if row.state == DeploymentState.INTERRUPTED:
        return f"{what} · {getattr(row, 'asks', None) or 'a step'} waits for an answer"
    return f"{what} · {Truncator(row.why or str(row.verdict or row.get_state_display())).chars(QUESTION_CHARS)}"


def _dead_jobs(user: Reader) -> Panel:
    rows = dead_jobs(user).order_by("-id")[: PANEL_ROWS + 1]
    return _panel(
        "Dead jobs",
        "/workers/?state=dead",
        (
            Need(
                "dead",
                f"{row.kind} {row.pk}" + (f" for {row.subject.partition(':')[2]}" if row.subject else ""),
                row.error.strip().rpartition("\n")[2][:200] or "No error was recorded.",
                row.finished_at or row.created_at,
                reverse("job", args=[row.pk]),
                "Inspect",
            )
            for row in rows
        ),
    )


def _messages(user: Reader) -> Panel:
    rows = unread_messages(user).order_by("-at", "-id")[: PANEL_ROWS + 1]
    return _panel(
        "Messages to you",
        f"{reverse('notifications')}?only=unread",
        (
            Need(
                "message",
                row.title,
                "A ticket that you take part in",
                row.at,
                row.url,
                "Read",
                post=reverse("notification_open", args=[row.pk]),
            )
            for row in rows
        ),
    )


def _agents_at_rest(user: Reader) -> Panel:
    rows = agents_at_rest(user).select_related("agent_version__agent").order_by("-retry_at", "id")[: PANEL_ROWS + 1]
    last = Attempt.objects.filter(job_id=OuterRef("pk"), fence=OuterRef("fence"), outcome=Outcome.PARKED)
    waiting = jobs_of(user).filter(Exists(last), state=JobState.QUEUED).values_list("lane").annotate(number=Count("id"))
    parked = dict(waiting.order_by())
    administers = access.is_admin(user)
    return _panel(
        "Agents at rest",
        "/workers/?state=queued",
        (
            Need(
                "resting",
                f"{row.agent_version.agent} cannot work",
                _of_breaker(row, parked.get(row.agent_version.agent.lane, 0)),
                None,
                reverse("admin:workers_agent_change", args=[row.agent_version.agent_id])
                if administers
                else "/workers/?state=queued",
                "Look at it" if administers else "See its jobs",
            )
            for row in rows
        ),
    )


def _of_breaker(breaker: Breaker, parked: int) -> str:
    turns = f" {parked} turn{' is' if parked == 1 else 's are'} parked." if parked else ""
    again = f" Next try at {breaker.retry_at.astimezone(UTC):%H:%M} UTC." if breaker.retry_at else ""
    return f"{breakers.waiting(breaker)}{turns}{again if breaker.state == BreakerState.OPEN else ''}"


def running_of(user: Reader) -> list[Ticket]:
    rows = within(Ticket.objects.filter(state=TicketState.RUNNING), "project", project_ids(user))
    return list(rows.select_related("agent_version__agent").order_by("-id")[:PANEL_ROWS])


# Jobs -------------------------------------------------------------------------


def jobs_of(user: Reader) -> QuerySet[Job]:
    """The jobs whose audience ``user`` belongs to; an admin sees all, those of the installation too."""
    rows = Job.objects.defer("payload", "cause")
    return rows if access.is_admin(user) else rows.filter(audience__in=list(access.roles(user)))


class JobCounts(NamedTuple):
    queued: int
    running: int
    dead: int
    done_today: int


def counts(user: Reader) -> JobCounts:
    return _counts(_tally(user))


def engine_of(user: Reader, now: datetime) -> tuple[JobCounts, list[pools.Standing]]:
    """What the reader's jobs come to, and how each pool stands with them."""
    tally = _tally(user)
    return _counts(tally), pools.standings(tally, now)


def _tally(user: Reader) -> list[pools.Tallied]:
    """Those that live or are dead, and those that were done today."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    live = Q(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.DEAD])
    return pools.tallied(jobs_of(user).filter(live | Q(state=JobState.SUCCEEDED, finished_at__gte=midnight)))


def _counts(tally: list[pools.Tallied]) -> JobCounts:
    total: Counter[str] = Counter()
    for line in tally:
        total[line.state] += line.number
    names = (JobState.QUEUED, JobState.RUNNING, JobState.DEAD, JobState.SUCCEEDED)
    return JobCounts(*(total[name] for name in names))


class Page(NamedTuple):
    """Rows of a list, newest first, and the id that the next page begins below."""

    rows: list[Any]
    older: int | None


def page_of(rows: QuerySet[Any], before: int | None, size: int) -> Page:
    """A page by key, not by offset: as fast at any depth, and no row is shown twice."""
    wanted = rows.filter(id__lt=before) if before else rows
    found = list(wanted.order_by("-id")[: size + 1])
    return Page(found[:size], found[size - 1].pk if len(found) > size else None)

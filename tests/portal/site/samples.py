"""One of everything that the pages show, in project MC."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from deployments.models import Deployment, Environment, PipelineStep, Service, Verdict
from portal.core.models import Rehearsal, WebProcess
from reviews.models import ActionItem, Check, Finding, Fingerprint, ImportRow, Occurrence, Review, Series
from tests.factories import World
from tickets.models import Attachment, Delivery, KeyAlias, Message, Ticket, TicketState, Turn, Workspace
from workers.models import Agent, AgentVersion, Attempt, AttemptOutput, Job, JobState, Worker


def one_of_each(world: World, n: int) -> None:

    now = datetime.now(UTC)
    agent = Agent.objects.create(name=f"agent-{n}")
    version = AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
    )
    for place, state in enumerate(TicketState):
        number = 100 * n + place + 1
        Ticket.objects.create(
            project=world.mc,
            number=number,
            key=f"MC-{number}",
            title=f"Ticket {number}",
            state=state,
            agent_version=version,
        )
    ticket = Ticket.objects.get(key=f"MC-{100 * n + 1}")
    Worker.objects.create(name=f"short@host.{n}", pool="short", host="host", pid=n + 1)
    _jobs(world, n, now)
    _conversation(world, n, ticket, version)
    _reviews(world, n)
    _deployment(world, n)
    _rehearsal(n)


def _rehearsal(n: int) -> None:
    Rehearsal.objects.create(
        version="0.1.0",
        commit="c0ffee" * 6 + "c0ff",
        fingerprint="0123456789ab",
        engine="sqlite",
        steps=[f"tickets.000{n + 1}_later", "core.0005_rehearsals_and_web_processes"],
        result="failed",
        faults=["Back, core_user.name has other values."],
        losses=[
            {"way": "back", "table": "tickets_question", "column": "kept_label", "rows": 12},
            {"way": "back", "table": "core_rehearsal", "column": "", "rows": 0},
        ],
        tables=80,
        rows=12_345,
        size_bytes=1_500_000,
        seconds=4.2,
    )
    WebProcess.objects.create(name=f"web@host:{n}:1", host="host", pid=n + 1, version="0.1.0", schema="0123456789ab")


def _jobs(world: World, n: int, now: datetime) -> None:

    for state in JobState:
        running = state == JobState.RUNNING
        ended = state in {JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED}
        job = Job.objects.create(
            kind="sample",
            pool="short",
            subject=f"ticket:MC-{n}",
            audience=world.mc.scope,
            state=state,
            fence=1,
            worker=f"short@host.{n}" if running else "",
            lease_until=now + timedelta(minutes=1) if running else None,
            finished_at=now if ended else None,
            error="first line\nlast line" if state == JobState.DEAD else "",
        )
        if state != JobState.QUEUED:
            attempt = Attempt.objects.create(
                job=job,
                fence=1,
                worker="short@host",
                outcome="running" if running else "failed",
                ended_at=None if running else now,
            )
            AttemptOutput.objects.create(attempt=attempt, offset=0, length=6, text="output")


def _conversation(world: World, n: int, ticket: Ticket, version: AgentVersion) -> None:

    attempt = Attempt.objects.get(job__subject=f"ticket:MC-{n}", job__state=JobState.SUCCEEDED)
    turn = Turn.objects.create(
        ticket=ticket,
        seq=1,
        attempt=attempt,
        agent_version=version,
        nonce="n",
        state="done",
        verdict="The door is oiled.",
    )
    said = Message.objects.create(
        ticket=ticket,
        number=1,
        author_kind="person",
        author=world.operator,
        author_label="Operator",
        body="Oil the **upper** hinge first.",
    )
    Ticket.objects.filter(pk=ticket.pk).update(last_message=1)
    Delivery.objects.create(message=said, turn=turn, state="acknowledged")
    Attachment.objects.create(
        ticket=ticket,
        message=said,
        name="hinge.log",
        media_type="text/plain",
        size_bytes=6,
        digest="0" * 64,
        stored_as=f"{n:040d}",
        uploader=world.operator,
        uploader_label="Operator",
    )
    KeyAlias.objects.create(project=world.mc, key=f"OLD-{n + 1}", ticket=ticket)
    Workspace.objects.create(ticket=ticket, host="host", path="/srv/w", branch="mc-1", base_commit="0" * 40)


def _reviews(world: World, n: int) -> None:

    series = Series.objects.create(project=world.mc, name=f"Series {n}")
    review = Review.objects.create(
        series=series,
        number=1,
        title=f"Review {n}",
        content=b"# Review\n\n## F-1: A hole\n\nSeverity: Critical\n",
        digest=hashlib.sha256(str(n).encode()).hexdigest(),
        state="planned",
    )
    finding = Finding.objects.create(
        series=series, identity=f"F-{n}", reference=f"F-{n}", title="A hole", severity="critical", state="open"
    )
    Occurrence.objects.create(finding=finding, review=review, line_start=3, line_end=5, severity_as_written="Critical")
    Fingerprint.objects.create(finding=finding, algorithm="title", algorithm_version=1, value=f"{n:064d}")
    ImportRow.objects.create(
        review=review,
        n=1,
        action="new",
        reason="Not yet in this series.",
        identity=f"F-{n}",
        item={"title": "A hole", "severity": "critical"},
        finding=finding,
    )
    Check.objects.create(review=review, n=1, name="make test", outcome="passed", line=7)
    ActionItem.objects.create(review=review, n=1, text="Close the hole.", section="Next", done=False, line=9)


def _deployment(world: World, n: int) -> None:

    service = Service.objects.create(project=world.mc, name=f"service-{n}")
    PipelineStep.objects.create(service=service, n=1, kind="command", name="Deploy", command=["true"])
    environment = Environment.objects.create(project=world.mc, name=f"place-{n}")
    verdict = Verdict.objects.create(project=world.mc, digest="0" * 64, go=False, blocking=[1])
    Deployment.objects.create(service=service, environment=environment, verdict=verdict, state="refused")

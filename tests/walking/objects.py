"""A world with one of everything in project MC, made through the functions that people's clicks end in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import quote
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments import holds, judging, places, step_jobs, webhooks
from deployments.commits import Commit
from deployments.intake import StepSpec
from deployments.models import (
    Approval,
    Environment,
    Freeze,
    Hold,
    Interruption,
    Release,
    Service,
    Step,
    Telling,
)
from portal.core import clock, notifications, secrets, tokens
from portal.core.access import Role
from portal.core.models import Notification, User
from portal.core.unit import unit_of_work
from reviews import answers, applying, decisions, documents, verifying
from reviews.models import ActionItem, Check, Council, Decision, Finding, ImportRow, Occurrence, SavedFilter, Vote
from reviews.transitions import REVIEW
from tests import factories
from tests.deployments import build as builder
from tests.factories import World
from tests.reviews import chambers
from tests.walking import frozen
from tickets import attachments, conversation, questions, work
from tickets.models import Attachment, Turn, TurnState, Workspace
from tickets.turn_jobs import TURN_KIND
from workers import claims, queue
from workers.models import Agent, AgentVersion, AttemptOutput, Job, Schedule

# Whose the notification is, and the stream of notifications.
TOLD = "viewer"
# In these addresses a key is a project's.
OF_PROJECTS = (
    "projects/",
    "api/v1/projects/",
    "deployments/policies/",
    "deployments/verdicts/",
    "deployments/freezes/new/",
)
# What an owner fills in for a service, and for an environment.
SERVICE = {"title": "walked", "step-0-kind": "command", "step-0-step": "Go", "step-0-command": "true"}
SERVICE |= {"step-0-wall_seconds": "0"}
ENVIRONMENT = {"title": "walked", "place": "0", "approvals_needed": "0", "on_failure": "ask", "wait_hours": "72"}
ENVIRONMENT |= {"approval_hours": "0", "soak_minutes": "0"}
DOCUMENT = b"# Security review\n\n## H1: The door squeaks\n\nSeverity: Medium\n\nOil it.\n"


@dataclass(frozen=True)
class Objects:
    """One of each thing that an address, an operation or a stream may name."""

    world: World
    people: dict[str, User | None]
    ticket: Any
    agent: Agent
    turn: Turn
    job: Job
    attempt: int
    review: Any
    finding: Finding
    row: ImportRow
    bare: Finding
    decision: Decision
    council: Council
    attachment: Attachment
    notification: Notification
    saved: SavedFilter
    service: Service
    environment: Environment
    deployment: Any
    step: Step
    release: Release
    hold: Hold
    freeze: Freeze
    approval: Approval
    interruption: Interruption
    telling: Telling

    def of(self, path: str) -> dict[str, object]:
        """The values of an address's parameters, by the part that it begins with."""
        found: dict[str, object] = {"key": self.ticket.key, "seq": self.turn.seq, "n": self.step.n}
        found |= {
            "commit": self.release.commit,
            "finding": self.finding.pk,
            "row": self.row.pk,
            "message_number": 1,
            "uidb36": "1",
            "item": 1,
            "saved": self.saved.pk,
            "turn": self.turn.seq,
            "member": self.council.members.earliest("pk").pk,
        }
        if path.startswith(OF_PROJECTS):
            found["key"] = self.world.mc.key
        elif path.startswith("accounts/"):
            found["key"] = "set-password"
        elif path.startswith("admin/"):
            found |= self.of_admin(path)
        numbers = {"reviews": self.review.pk, "deployments": self.deployment.pk, "workers": self.job.pk}
        numbers |= {"tickets": self.attachment.pk, "findings": self.finding.pk, "evidence": self.finding.pk}
        numbers |= {"notifications": self.notification.pk}
        numbers |= {"projects": self.turn.questions.get().pk}
        numbers |= {"services": self.service.pk, "environments": self.environment.pk}
        numbers |= {"decisions": self.decision.pk, "councils": self.council.pk}
        numbers |= {"webhooks": self.telling.webhook_id, "tellings": self.telling.pk}
        numbers |= {"releases": self.release.pk, "holds": self.hold.pk, "freezes": self.freeze.pk}
        found |= {"approval": self.approval.pk, "interruption": self.interruption.pk, "attempt": self.step.attempt_id}
        begins, _, rest = path.removeprefix("api/v1/").partition("/")
        if begins == "deployments" and rest.partition("/")[0] in numbers:
            begins = rest.partition("/")[0]
        for within in ("decisions", "councils"):
            begins = within if rest.startswith(f"{within}/") else begins
        if path.startswith("api/v1/reviews/"):
            found["n"] = self.row.n
        return found | {"number": numbers.get(begins, 0), "queue": "pool:short"}

    def of_admin(self, path: str) -> dict[str, object]:
        """The first row of the address's model, where there is one."""
        found: dict[str, object] = {"content_type_id": 1, "object_id": 1, "url": "nothing", "app_label": "core"}
        parts = path.split("/")
        if len(parts) > 2 and parts[2] and parts[1] in {app.label for app in apps.get_app_configs()}:
            row = apps.get_model(parts[1], parts[2])._default_manager.first()
            if row is not None:
                found["object_id"] = quote(row.pk)
        return found | {"id": self.world.viewer.pk}

    def missing(self, path: str) -> dict[str, object]:
        """Values of the same form that name nothing."""
        names = {"key": "NO" if path.startswith(OF_PROJECTS) else "NO-1"}
        return {name: names.get(name, 999_999_999) for name in self.of(path)}

    @property
    def streams(self) -> dict[str, str]:
        """A stream of each prefix."""
        return {
            "ticket": self.ticket.subject,
            "project": self.world.mc.scope,
            "review": self.review.subject,
            "council": self.council.subject,
            "deployment": self.deployment.subject,
            "output": f"output:{self.attempt}",
            "jobs": "jobs",
            "user": f"user:{self.notification.user_id}",
        }

    @property
    def bodies(self) -> dict[str, Any]:
        """What the writing operations of the API are sent."""
        return {
            "api.ticket.assign": {"agent": self.agent.name, "version": self.ticket.version},
            "api.ticket.review": {"agent": self.agent.name, "version": self.ticket.version},
            "api.ticket.stop": {"reason": "Walked."},
            "api.ticket.accept": {"version": self.ticket.version, "reason": "Walked."},
            "api.ticket.reopen": {"version": self.ticket.version, "reason": "Walked."},
            "api.ticket.take": {"version": self.ticket.version, "reason": "Walked."},
            "api.ticket.hand_back": {"version": self.ticket.version},
            "api.ticket.edit": {"version": self.ticket.version, "title": "Walked", "body": ""},
            "api.message.post": {"body": "Walked."},
            "api.question.answer": {"version": 1, "text": "Walked."},
            "api.question.keep": {"version": 1},
            "api.question.drop": {"version": 1},
            "api.project.change": {
                "version": self.world.mc.version,
                "name": "Walked",
                "repository": "/nonexistent/walked",
                "target_branch": "walked",
            },
            "api.attachment.attach": {"name": "walk.txt", "content_base64": "IyB4"},
            "api.attachment.remove": {"reason": "Walked."},
            "api.review.upload": {"series": "walk", "content_base64": "IyB4"},
            "api.review.apply": {"version": self.review.version},
            "api.review.revert": {"version": self.review.version, "reason": "Walked."},
            "api.review.discard": {"version": self.review.version},
            "api.review.read_again": {"version": self.review.version},
            "api.review.leave_out": {"version": self.review.version, "left_out": True},
            "api.review.dispose": {"version": self.review.version, "disposition": "still"},
            "api.review.dispose_rest": {"version": self.review.version, "disposition": "not_assessed"},
            "api.review.choose": {"version": self.review.version, "finding": None},
            "api.finding.answer": {"version": self.finding.version, "verb": "fix", "reason": "Walked."},
            "api.decision.give": {"version": self.decision.version},
            "api.decision.refuse": {"version": self.decision.version, "reason": "Walked."},
            "api.decision.end": {"version": self.decision.version, "reason": "Walked."},
            **self.councils,
            "api.findings.make_tickets": {"findings": [self.bare.pk]},
            "api.findings.answer": {"findings": [self.bare.pk], "verb": "fix", "reason": "Walked."},
            "api.action_item.tick": {"done": True},
            "api.action_item.own": {"owner": None},
            "api.check.allow": {"command": "make test", "allowed": True},
            "api.check.run": {"at": ""},
            "api.checks.run": {"at": ""},
            **self.door,
            "api.notification.read": None,
            "api.notifications.read_all": {"until": notifications.place_of(self.notification)},
        }

    @property
    def councils(self) -> dict[str, Any]:
        """What the operations of councils are sent."""
        version, member = {"version": self.council.version}, self.council.members.earliest("pk")
        return {
            "api.council.ask": {"about": "branch", "asked": "main", "agents": [self.agent.name]},
            "api.council.hand_in": {"text": "# Walked"},
            "api.council.vote": {"vote": "ship", "reason": "Walked."},
            "api.council.close": version,
            "api.council.void": version | {"reason": "Walked."},
            "api.council.ask_again": {"member": member.pk, "version": member.version},
            "api.council.take_in": {"member": member.pk},
        }

    @property
    def door(self) -> dict[str, Any]:
        """What the operations of deployments are sent."""
        version, reason = {"version": self.deployment.version}, {"reason": "Walked."}
        step = {"kind": "command", "name": "Walk", "command": ["true"]}
        return {
            "api.deployment.request": {"service": "web", "environment": "live", "asked": "main"},
            "api.deployment.approve": {"plan_digest": self.deployment.plan_digest},
            "api.deployment.withdraw": reason,
            "api.deployment.look_again": None,
            "api.deployment.cancel": version | reason,
            "api.deployment.stop": {"step": self.step.n} | reason,
            "api.deployment.end_wait": {"step": self.step.n} | reason,
            "api.deployment.waive": {"kind": "rehearsal", "plan_digest": self.deployment.plan_digest} | reason,
            "api.deployment.take": {"interruption": self.interruption.pk, "version": self.interruption.version},
            "api.deployment.answer": {"interruption": self.interruption.pk, "choice": "retry"},
            "api.deployment.roll_back": version | reason,
            "api.service.add": {"name": "walked", "steps": [step]},
            "api.service.change": {"version": self.service.version, "steps": [step]},
            "api.environment.add": {"name": "walked"},
            "api.environment.change": {"version": self.environment.version, "place": 2},
            "api.environment.hold": reason,
            "api.freeze.plan": {name: value for name, value in frozen.typed().items() if name != "environment"},
            "api.freeze.lift": {"version": self.freeze.version} | reason,
            "api.deployment.override": {"freeze": self.freeze.pk, "plan_digest": ""} | reason,
            "api.service.set_needs": {"version": self.service.version, "needs": []},
            "api.verdict.ask": {"asked": ""},
            "api.webhook.ping": None,
            "api.telling.again": None,
            "api.policy.set": {"number": 1, "severities": ["high"]},
            "api.release.hold": reason,
            "api.hold.lift": {"version": self.hold.version} | reason,
        }

    @property
    def chosen(self) -> dict[str, tuple[Role, dict[str, Any]]]:
        """Pages whose project is chosen on them: the role that it takes there, and a form that would go through."""
        mc = self.world.mc.key
        return {
            "tickets.new": (Role.OPERATOR, {"project": mc, "title": "Walked", "body": "x"}),
            "reviews.new": (Role.OPERATOR, {"project": mc, "series": "walked", "text": "# x"}),
            "councils.new": (
                Role.OPERATOR,
                {"project": mc, "about": "branch", "agents": self.agent.pk, "series": "walked"},
            ),
            "findings.make_tickets": (Role.OPERATOR, {"finding": self.bare.pk}),
            "findings.all_tickets": (Role.OPERATOR, {"expected": 1}),
            "deployments.new": (
                Role.RELEASER,
                {"service": self.service.pk, "environment": self.environment.pk, "asked": "abcdef1"},
            ),
            "deployments.new_service": (Role.OWNER, SERVICE),
            "deployments.new_environment": (Role.OWNER, ENVIRONMENT),
        }


def build() -> Objects:
    world = factories.world()
    theirs = factories.project("XX", "Another")
    stranger = factories.person("stranger@example.org", name="Stranger")
    factories.member(theirs, stranger, Role.OWNER)
    staff = factories.person("staff@example.org", name="Staff", is_staff=True)
    people: dict[str, User | None] = {
        "anonymous": None,
        "outsider": world.outsider,
        "stranger": stranger,
        "staff": staff,
    }
    people |= {role.label: getattr(world, role.label) for role in Role} | {"admin": world.admin}
    type(world.mc).objects.filter(pk=world.mc.pk).update(repository="/nonexistent")
    world.mc.refresh_from_db()
    ticket, agent, turn, job = _turned(world)
    review, finding = _reviewed(world)
    bare = Finding.objects.create(
        series=review.series, identity="title:window", title="The window rattles", severity="low", state="open"
    )
    attachment, _ = attachments.receive(ticket, SimpleUploadedFile("door.txt", b"squeak"), uploader=world.operator)
    secrets.store("deploy-key", "canary-of-the-walk")
    tokens.issue(world.viewer, name="laptop", days=1, may_write=False)
    queue.pause("kind:digest", reason="Walked.")
    queue.set_lane("kind:digest", 1)
    Schedule.objects.get_or_create(name="walked", defaults={"kind": "sweep", "every_seconds": 60})
    return Objects(
        world=world,
        people=people,
        ticket=ticket,
        agent=agent,
        turn=turn,
        job=job,
        attempt=turn.attempt_id,
        review=review,
        finding=finding,
        row=ImportRow.objects.get(review=review),
        bare=bare,
        decision=_asked(world, bare),
        council=_council(world, agent),
        attachment=attachment,
        notification=_told(world, ticket),
        saved=SavedFilter.objects.create(user=getattr(world, TOLD), name="walked", query="state=open", shared=True),
        **_deployed(world),
    )


def _council(world: World, agent: Agent) -> Council:
    """One with a member who did not answer, and a vote."""
    council = chambers.council(world.mc, [agent], [world.operator])
    member, person = chambers.members(council)
    chambers.hand_in(member, "", problem="It handed in no document.")
    Vote.objects.create(member=person, ballot="ship", reason="Walked.")
    return council


def _asked(world: World, finding: Finding) -> Decision:
    """A waiver that waits for a second person."""
    until = clock.now() + timedelta(days=7)
    return decisions.ask_waiver(finding, by=world.operator, reason="Until spring.", until=until)


def _deployed(world: World) -> dict[str, Any]:
    """A deployment that needs a person, in a step that a worker held; what holds its release; a policy."""
    service = places.add_service(world.mc, name="web", steps=[StepSpec("command", "Deploy", command=["true"])])
    environment = places.add_environment(world.mc, name="live", approvals_needed=1)
    places.set_policy(world.mc, severities=["critical"], valid_hours=24, expected_number=0)
    release = builder.release(service)
    judging.keep(world.mc, Commit(release.commit))
    deployment = builder.deployment(
        world.mc, "interrupted", service=service, environment=environment, release=release, commit=release.commit
    )
    step = builder.step(deployment, "failed", message="It hangs.")
    with unit_of_work():
        step_jobs.enqueue(step)
    (claim,) = claims.claim("steps", [step_jobs.STEP_KIND], worker="steps@walk", most=1)
    Step.objects.filter(pk=step.pk).update(attempt=claim.attempt_id)
    interruption = Interruption.objects.create(deployment=deployment, step=step, detail="It hangs.", state="open")
    approval = Approval.objects.create(
        deployment=deployment, approver=world.releaser, approver_label="Releaser", target_digest="0", state="given"
    )
    return {
        "service": service,
        "environment": environment,
        "deployment": deployment,
        "step": Step.objects.get(pk=step.pk),
        "release": release,
        "hold": holds.hold_release(release, reason="It hangs."),
        "freeze": frozen.made(world, environment, deployment),
        "approval": approval,
        "interruption": interruption,
        "telling": _told_outside(world),
    }


def _told_outside(world: World) -> Telling:
    """What an address was told, that did not take it."""
    secrets.store("told", "canary-of-the-walk-too")
    hook = webhooks.add(world.mc, form="generic", url="https://receiver.example/hook", secret="told")
    telling = webhooks.ping(hook)
    Telling.objects.filter(pk=telling.pk).update(state="failed", status=404, error="It was answered with status 404.")
    return Telling.objects.get(pk=telling.pk)


def _told(world: World, ticket: Any) -> Notification:
    told = getattr(world, TOLD)
    with unit_of_work():
        notifications.notify(
            [told.pk],
            verb="ticket.submit",
            subject=ticket.subject,
            scope=world.mc.scope,
            title=f"{ticket.key} waits to be accepted",
            url=ticket.get_absolute_url(),
        )
    return Notification.objects.get(user=told)


def _turned(world: World) -> tuple[Any, Agent, Turn, Job]:
    """A ticket with a turn that runs, of a job that a worker holds."""
    agent = Agent.objects.create(name="mender")
    version = AgentVersion.objects.create(
        agent=agent, number=1, adapter="plain", command=["true"], wall_seconds=60, silence_seconds=60
    )
    ticket = work.assign(work.create_ticket(world.mc, title="Mend the door", body="It squeaks."), agent)
    conversation.post(ticket, author=world.operator, body="At night, too.")
    (claim,) = claims.claim("turns", [TURN_KIND], worker="turns@walk", most=1)
    Workspace.objects.create(ticket=ticket, host="walk", path="/nonexistent", branch="x", base_commit="0" * 40)
    turn = Turn.objects.create(
        ticket=ticket,
        seq=1,
        attempt_id=claim.attempt_id,
        agent_version=version,
        nonce="n" * 32,
        state=TurnState.RUNNING,
    )
    AttemptOutput.objects.create(attempt_id=claim.attempt_id, offset=0, length=6, text="output")
    questions.ask(turn, {"question": "Which door?", "options": ["The front door", "All of them"], "default": 0})
    return ticket, agent, turn, Job.objects.get(pk=claim.job_id)


def _reviewed(world: World) -> tuple[Any, Finding]:
    """A review that was planned and applied, and its finding."""
    review, _ = documents.receive(world.mc, series_name="security", content=DOCUMENT, file_name="review.md")
    item = {
        "title": "The door squeaks",
        "severity": "medium",
        "ref": "H1",
        "line_start": 3,
        "line_end": 7,
        "body": "Oil it.",
    }
    row = {"action": ImportRow.Action.NEW, "reason": "Not yet in this series.", "identity": "title:door", "item": item}
    ImportRow.objects.create(review=review, n=1, **row)
    REVIEW.move(review, "plan", title="Security review")
    applying.apply(review)
    finding = Finding.objects.get()
    assert Occurrence.objects.filter(finding=finding).exists()
    answers.make_tickets([finding])
    ActionItem.objects.create(review=review, n=1, text="Buy oil", line=7)
    check = Check.objects.create(review=review, n=1, name="`make test`", outcome="passed", line=8)
    verifying.allow(check, command="make test", allowed=True, by=world.owner)
    return review, finding

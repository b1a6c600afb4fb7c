"""A world with one of everything in project MC, made through the functions that people's clicks end in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import quote
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments import rollout
from deployments.models import Environment, Service, Step, StepState
from portal.core import secrets, tokens
from portal.core.access import Role
from portal.core.models import User
from reviews import answers, applying, documents
from reviews.models import Finding, ImportRow, Occurrence
from reviews.transitions import REVIEW
from tests import factories
from tests.factories import World
from tickets import attachments, conversation, questions, work
from tickets.models import Attachment, Turn, TurnState, Workspace
from tickets.turn_jobs import TURN_KIND
from workers import claims
from workers.models import Agent, AgentVersion, AttemptOutput, Job, Schedule

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
    attachment: Attachment
    service: Service
    environment: Environment
    deployment: Any
    step: Step

    def of(self, path: str) -> dict[str, object]:
        """The values of an address's parameters, by the part that it begins with."""
        found: dict[str, object] = {"key": self.ticket.key, "seq": self.turn.seq, "n": self.step.n}
        found |= {
            "finding": self.finding.pk,
            "row": self.row.pk,
            "message_number": 1,
            "uidb36": "1",
            "turn": self.turn.seq,
        }
        if path.startswith(("projects/", "api/v1/projects/")):
            found["key"] = self.world.mc.key
        elif path.startswith("accounts/"):
            found["key"] = "set-password"
        elif path.startswith("admin/"):
            found |= self.of_admin(path)
        numbers = {"reviews": self.review.pk, "deployments": self.deployment.pk, "workers": self.job.pk}
        numbers |= {"tickets": self.attachment.pk, "findings": self.finding.pk}
        begins = path.removeprefix("api/v1/").partition("/")[0]
        if path.startswith("api/v1/reviews/"):
            found["n"] = self.row.n
        return found | {"number": numbers.get(begins, 0)}

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
        names = {"key": "NO" if path.startswith(("projects/", "api/v1/projects/")) else "NO-1"}
        return {name: names.get(name, 999_999_999) for name in self.of(path)}

    @property
    def streams(self) -> dict[str, str]:
        """A stream of each prefix."""
        return {
            "ticket": self.ticket.subject,
            "project": self.world.mc.scope,
            "review": self.review.subject,
            "deployment": self.deployment.subject,
            "output": f"output:{self.attempt}",
            "jobs": "jobs",
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
            "api.ticket.edit": {"version": self.ticket.version, "title": "Walked", "body": ""},
            "api.message.post": {"body": "Walked."},
            "api.question.answer": {"version": 1, "text": "Walked."},
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
            "api.finding.answer": {"version": self.finding.version, "verb": "waive", "reason": "Walked."},
            "api.findings.make_tickets": {"findings": [self.bare.pk]},
        }

    @property
    def chosen(self) -> dict[str, tuple[Role, dict[str, Any]]]:
        """Pages whose project is chosen on them: the role that it takes there, and a form that would go through."""
        mc = self.world.mc.key
        return {
            "tickets.new": (Role.OPERATOR, {"project": mc, "title": "Walked", "body": "x"}),
            "reviews.new": (Role.OPERATOR, {"project": mc, "series": "walked", "text": "# x"}),
            "findings.make_tickets": (Role.OPERATOR, {"finding": self.bare.pk}),
            "deployments.new": (
                Role.RELEASER,
                {"service": self.service.pk, "environment": self.environment.pk, "commit": "abcdef1"},
            ),
            "deployments.new_service": (Role.OWNER, {"title": "walked", "command": "true"}),
            "deployments.new_environment": (Role.OWNER, {"title": "walked"}),
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
    service = Service.objects.create(project=world.mc, name="web", command=["true"])
    environment = Environment.objects.create(project=world.mc, name="live")
    deployment = rollout.request(service, environment)
    (claim,) = claims.claim("turns", [rollout.STEP_KIND], worker="turns@walk", most=1)
    Step.objects.filter(deployment=deployment).update(state=StepState.RUNNING, attempt_id=claim.attempt_id)
    secrets.store("deploy-key", "canary-of-the-walk")
    tokens.issue(world.viewer, name="laptop", days=1, may_write=False)
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
        attachment=attachment,
        service=service,
        environment=environment,
        deployment=deployment,
        step=Step.objects.get(deployment=deployment),
    )


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
    return review, finding

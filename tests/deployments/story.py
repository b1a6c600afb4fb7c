"""What happens to a fix, event by event, through the functions that workers and people end in; no process, no git."""

from __future__ import annotations

from typing import Any

from deployments import releases, rollout
from deployments.models import Deployment, Environment, Phase, Placement, Release, Service, Step
from deployments.transitions import STEP
from portal.core.clock import Wall
from portal.core.models import User
from portal.core.unit import unit_of_work
from reviews import answers
from reviews.models import Finding, Series
from tests.deployments import build
from tests.tickets import build as tickets
from tickets import followers, merging, work
from tickets.landing import Landed
from tickets.models import Measurement, Merge, MergeState, Project, Ticket, Turn
from tickets.transitions import TICKET, TURN
from workers.kinds import Ending
from workers.models import Job, Outcome


class Story:
    """A project whose ``ticket`` has two findings; a service that goes to ``staging`` and to ``production``."""

    def __init__(self, project: Project, by: User) -> None:
        self.project, self.by = project, by
        self.ticket = work.create_ticket(project, title="Oil the door")
        self.other = work.create_ticket(project, title="Paint the door")
        series = Series.objects.create(project=project, name="Doors")
        self.series = series
        self.findings = [self.finding(f"D-{n}", self.other if n == 3 else self.ticket) for n in (1, 2, 3)]
        self.service: Service = build.service(project, "web")
        self.staging: Environment = build.environment(project, "staging", place=1)
        self.production: Environment = build.environment(project, "production", place=2)

    @property
    def fix(self) -> Finding:
        """The first finding, as it is now."""
        return Finding.objects.select_related("series__project", "ticket").get(pk=self.findings[0].pk)

    def finding(self, reference: str, ticket: Ticket | None, **fields: Any) -> Finding:
        fields = {"title": f"The door ({reference})", "severity": "critical", "state": "open", **fields}
        return Finding.objects.create(
            series=self.series, identity=reference, reference=reference, ticket=ticket, **fields
        )

    # Work ---------------------------------------------------------------------------

    def turn(self, ticket: Ticket | None = None, *, proven: bool = True) -> Turn:
        """A turn that says it is done."""
        ticket = self._now(ticket)
        Ticket.objects.filter(pk=ticket.pk).update(state="running")
        ticket = self._now(ticket)
        seq = ticket.turns.count() + 1
        made = tickets.turn(ticket, "running", seq=seq, head_commit=f"{ticket.pk:020x}{seq:020x}")
        reasons = [] if proven else ["The checks failed."]
        Measurement.objects.create(turn=made, proven=proven, reasons=reasons, commit_count=1)
        turn = Turn.objects.select_related("ticket", "agent_version__agent", "measurement").get(pk=made.pk)
        with unit_of_work():
            TURN.move(turn, "finish", ended_at=Wall())
            TICKET.move(ticket, "submit" if proven else "leave_unproven")
            followers.worked.tell(turn)
        return turn

    def merged(self, ticket: Ticket | None = None, *, commit: str = "") -> Merge:
        """The newest turn's work is accepted and in the target, as ``commit``."""
        ticket = self._now(ticket)
        if ticket.state not in {"in_review", "unproven"}:
            self.turn(ticket)
            ticket = self._now(ticket)
        work.accept(ticket, by=self.by, reason="I looked.")
        merge = Merge.objects.get(ticket=ticket, state=MergeState.QUEUED)
        landed = Landed(commit or f"{merge.pk:040x}", "a" * 40, bool(commit))
        Merge.objects.filter(pk=merge.pk).update(attempt=tickets.attempt(ticket.subject))
        with unit_of_work():
            merging.settle(Ending(0, None, ticket.subject, {"merge": merge.pk}, Outcome.SUCCEEDED, "", True, landed))
        Job.objects.filter(kind=merging.MERGE_KIND, subject=ticket.subject).delete()
        merge.refresh_from_db()
        return merge

    def reopened(self, ticket: Ticket | None = None) -> None:
        work.reopen(self._now(ticket), reason="It squeaks again.")

    def linked(self, reference: str, ticket: Ticket | None = None) -> Finding:
        """A finding that a document names this ticket for; the ticket may have done its work already."""
        ticket = self._now(ticket)
        found = self.finding(reference, None, ticket_key=ticket.key)
        answers.make_tickets([Finding.objects.select_related("series__project").get(pk=found.pk)])
        found.refresh_from_db()
        assert found.ticket_id == ticket.pk
        return found

    def _now(self, ticket: Ticket | None) -> Ticket:
        return Ticket.objects.select_related("project").get(pk=(ticket or self.ticket).pk)

    # Shipping -------------------------------------------------------------------------

    def release(self, *merges: Merge) -> Release:
        number = self.service.releases.count() + 1
        return build.release(self.service, f"{number:040x}", merges=sorted(merge.pk for merge in merges))

    def deployed(self, release: Release, to: Environment, *, verified: bool | None = True) -> Deployment:
        """It went there; ``verified`` None: no step asked the service for its health, False: that was skipped."""
        deployment = self._under_way(release, to)
        if verified is not None:
            state = "succeeded" if verified else "skipped"
            build.step(deployment, state, kind="health", name="Health", started_at=Wall())
        with unit_of_work():
            rollout.advance(deployment)
        return self._of(deployment)

    def failed(self, release: Release, to: Environment, *, touched: bool = True) -> Deployment:
        deployment = self._under_way(release, to, touched=touched)
        with unit_of_work():
            rollout.fail(deployment, reason="It would not go in.")
        return self._of(deployment)

    def rolled_back(self, to: Environment, *, verified: bool = True) -> Deployment:
        """What stands there goes; what stood there before comes back."""
        deployment = self._of(self.standing(to).deployment)
        if verified:
            build.step(deployment, phase="back", kind="health", name="Health", started_at=Wall())
        with unit_of_work():
            rollout.roll_back(deployment, reason="It creaks.")
        for step in Step.objects.filter(deployment=deployment, phase=Phase.BACK, state="waiting").order_by("n"):
            step.deployment = deployment
            with unit_of_work():
                STEP.move(step, "start", started_at=Wall())
                STEP.move(step, "succeed", ended_at=Wall())
        deployment = self._of(deployment)
        with unit_of_work():
            rollout.advance(deployment)
        return self._of(deployment)

    def can_go_back(self, to: Environment) -> bool:
        found = self.standing(to)
        return found is not None and found.deployment.state == "succeeded"

    def grown(self, release: Release, *merges: Merge) -> None:
        """More work is found in the release."""
        with unit_of_work():
            releases.measured(release, frozenset(merge.pk for merge in merges))

    def standing(self, there: Environment) -> Placement:
        rows = Placement.objects.filter(environment=there, service=self.service).select_related("deployment")
        return rows.first()  # type: ignore[return-value]

    def _under_way(self, release: Release, to: Environment, *, touched: bool = True) -> Deployment:
        standing = self.standing(to)
        deployment = build.deployment(
            self.project,
            "running",
            service=self.service,
            environment=to,
            release=release,
            previous=standing.release if standing else None,
            commit=release.commit,
        )
        began = {"started_at": Wall()} if touched else {}
        build.step(deployment, "succeeded" if touched else "skipped", name="Restart", kind="restart", **began)
        build.step(deployment, phase="back", name="Back")
        return self._of(deployment)

    def _of(self, deployment: Deployment) -> Deployment:
        rows = Deployment.objects.select_related("service__project", "environment", "release__service", "previous")
        return rows.get(pk=deployment.pk)

"""Deployments as pages meet them: asked for, planned and moved on by the functions that workers and people end in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments import plans, preparing, requesting, rollout, step_jobs
from deployments.commits import Commit
from deployments.models import Deployment, Environment, Release, Service, Step
from deployments.results import Result
from deployments.transitions import STEP
from portal.core.clock import Wall
from portal.core.models import User
from portal.core.unit import unit_of_work
from tests.deployments import build
from tickets.models import Project
from workers import claims, ending
from workers.claims import Claim
from workers.kinds import Ending
from workers.models import AttemptOutput, Job, Outcome

COMMIT = "9c41f7e" + "0" * 33
OLDER = "5be1c20" + "0" * 33
NEWEST = [
    {"commit": COMMIT, "author": "claude-dev", "title": "Send first, delete by id and fence"},
    {"commit": "8" * 40, "author": "codex-dev", "title": "Full jitter, and a cap of ten minutes"},
]


@dataclass
class Place:
    """A service with a pipeline of every kind of step, and an environment."""

    project: Project
    service: Service
    environment: Environment

    def ask(
        self,
        by: User,
        commit: str = COMMIT,
        *,
        asked: str = "main",
        merges: frozenset[int] = frozenset(),
        gone: int = 0,
        beside: dict[str, list[int]] | None = None,
    ) -> Any:
        """Asked for and planned, as a worker does it: it waits at its gate, or is queued where that is open."""
        deployment = requesting.request(self.service, self.environment, asked=asked, by=by)
        standing = plans.standing_release(deployment)
        over = standing.commit if standing else ""
        found = Commit(
            commit,
            "Send first, delete by id and fence",
            merges,
            0 if gone else 7,
            [] if gone else NEWEST,
            over,
            gone,
            [],
            beside or {},
        )
        job = Job.objects.filter(kind=step_jobs.PREPARE_KIND, subject=deployment.subject).latest("pk")
        with unit_of_work():
            preparing.settle(Ending(job.pk, None, deployment.subject, job.payload, Outcome.SUCCEEDED, "", True, found))
        Job.objects.filter(pk=job.pk).delete()
        return again(deployment)

    def put(self, by: User, commit: str = OLDER, **held: Any) -> Any:
        """It went there, and stands there now."""
        return walked(self.ask(by, commit, asked=commit, **held))


def place(of: Project, name: str = "web", to: str = "production", **environment: Any) -> Place:
    service = build.service(of, name, name="Build", command=["make", "build"])
    build.add_step(service, "migrate", "Migrate", command=["./manage.py", "migrate"], undo=["./manage.py", "back"])
    build.add_step(service, "restart", "Restart, one by one", command=["./restart", "--all"], probe=["./is-up"])
    build.add_step(service, "health", "Health", url="http://127.0.0.1:{PORT}/health")
    variables = environment.pop("variables", {"PORT": "8001"})
    return Place(of, service, build.environment(of, to, variables=variables, **environment))


def again(deployment: Deployment) -> Deployment:
    rows = Deployment.objects.select_related(
        "service__project", "environment", "release__service", "previous__service", "verdict"
    )
    return rows.get(pk=deployment.pk)


def begun(deployment: Deployment, output: str = "") -> Claim:
    """A worker took its next step up and runs it; what it wrote so far is ``output``."""
    (claim,) = claims.claim("steps", [step_jobs.STEP_KIND], worker="steps@build-1", most=1)
    step = Step.objects.select_related(
        "deployment__service__project", "deployment__environment", "deployment__release__service",
        "deployment__previous__service", "attempt",
    ).get(deployment=deployment, n=claim.payload["step"])  # fmt: skip
    with unit_of_work():
        if step.deployment.state == "queued":
            assert rollout.start(step.deployment, frozenset(step.deployment.release.merges))
        STEP.move(step, "start", attempt_id=claim.attempt_id, started_at=Wall(), ended_at=None, message="")
    if output:
        AttemptOutput.objects.create(attempt_id=claim.attempt_id, offset=0, length=len(output.encode()), text=output)
    return claim


def ended(claim: Claim, *, right: bool = True, message: str = "", code: int | None = 0, checks: Any = ()) -> None:
    result = Result(right, message, code, tuple(checks))
    assert ending.end_attempt(claim.job_id, claim.fence, Outcome.SUCCEEDED, result=result)


def walked(deployment: Deployment, *, steps: int = 100, output: str = "done\n") -> Deployment:
    """That many of its steps went well; without a number all that there are, either way."""
    for _ in range(steps):
        if again(deployment).state not in {"queued", "running", "rolling_back"}:
            break
        ended(begun(deployment, output))
    return again(deployment)


def interrupted(deployment: Deployment) -> Deployment:
    """Its last step, which asks for health, never heard the right answer."""
    walked(deployment, steps=3)
    answers = [
        {"n": n, "right": False, "status": 200 if n > 3 else 0, "reported": OLDER if n > 3 else "",
         "detail": f"reports {OLDER}" if n > 3 else "no answer: Connection refused", "milliseconds": 12,
         "at": f"2026-11-28T05:00:{n:02d}+00:00"}
        for n in range(1, 21)
    ]  # fmt: skip
    said = f"It never reported {COMMIT[:9]} 3 times in a row. At last: reports {OLDER}."
    ended(begun(deployment, "asking\nwrong\n"), right=False, message=said, code=None, checks=answers)
    return again(deployment)


def release_of(deployment: Deployment) -> Release:
    assert deployment.release is not None
    return deployment.release


__all__ = ["COMMIT", "OLDER", "Place", "again", "begun", "ended", "interrupted", "place", "release_of", "walked"]

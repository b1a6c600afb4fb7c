"""What becomes of a service after its deployment: the clock asks it for its health, and says where that changes.

What stands somewhere is asked at the addresses of the health steps that
brought it there, many at once and each but once a round. Equal answers are
one row. Wrong ones in a row make the placement degraded, right ones in a row
make it well again; evidence and people follow in the same transaction.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, QuerySet

from deployments import checkouts, placements, probing, proof, telling
from deployments.models import ACTIVE_STATES, Deployment, Observation, Placement, Step, StepKind
from portal.core import limits
from portal.core.clock import Wall
from portal.core.storable import storable
from portal.core.unit import Pointer, current
from workers import children
from workers.children import Command
from workers.claims import Claim

OBSERVE_KIND: Final = "deployment.observe"
# Of one placement: a pipeline may have many health steps.
_ADDRESSES: Final = 5


@dataclass(slots=True)
class Asked:
    """A placement, where it is asked, and what it answered."""

    placement: int
    # whatever has come there since is asked another time
    deployment: int
    commit: str
    addresses: list[str]
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any] | None:
        """The first that is wrong, or the last; None where one of them was not heard and none was wrong."""
        wrong = next((answer for answer in self.answers if not answer["right"]), None)
        return wrong or (self.answers[-1] if len(self.answers) == len(self.addresses) else None)


def run(claim: Claim) -> int:
    """The handler of kind "deployment.observe": ask those that were longest not asked; returns how many answered."""
    round_ = _due()
    if not round_:
        return 0
    _ask(claim, round_)
    heard = 0
    for asked in round_:
        with claim.fenced():
            heard += take(asked)
    return heard


def observed() -> QuerySet[Placement]:
    """What can be asked: it was brought by a deployment with a health step for its commit, and none is on its way."""
    steps = Step.objects.filter(
        deployment=OuterRef("deployment"), kind=StepKind.HEALTH, commit=OuterRef("release__commit")
    )
    return Placement.objects.filter(Exists(steps), ~Exists(_on_its_way()), release__isnull=False)


def _on_its_way() -> QuerySet[Deployment]:
    """While it goes on, the answers are its own steps' to judge."""
    return Deployment.objects.filter(
        service=OuterRef("service"), environment=OuterRef("environment"), state__in=ACTIVE_STATES
    )


def _due() -> list[Asked]:
    rows = observed().select_related("release").order_by(F("observed_at").asc(nulls_first=True), "pk")
    found = [
        Asked(row.pk, row.deployment_id, row.release.commit, [])
        for row in rows[: limits.value("OBSERVED_PLACEMENTS")]
        if row.release
    ]
    by_deployment = {asked.deployment: asked for asked in found}
    steps = Step.objects.filter(deployment__in=by_deployment, kind=StepKind.HEALTH).order_by("deployment", "n")
    for deployment, commit, url in steps.values_list("deployment", "commit", "url"):
        asked = by_deployment[deployment]
        if commit == asked.commit and url not in asked.addresses and len(asked.addresses) < _ADDRESSES:
            asked.addresses.append(url)
    return found


def _ask(claim: Claim, round_: list[Asked]) -> None:
    """All of them in one child, which does not outlive its time; what was not heard by then was not asked."""
    seconds = limits.value("OBSERVE_ANSWER_SECONDS")
    questions = [
        {"id": n, "url": url, "commit": asked.commit, "seconds": seconds}
        for n, asked in enumerate(round_)
        for url in asked.addresses
    ]
    command = Command(
        argv=(sys.executable, "-I", probing.__file__, "--once"),
        cwd=checkouts.folder(),
        env=children.allowed_environment([]),
        stdin=json.dumps(questions),
        wall_seconds=limits.value("OBSERVE_WALL_SECONDS"),
    )
    result = children.run(claim, command, name="observe", stored=False)
    try:
        for line in result.stdout.read_text("utf-8", "replace").splitlines():
            try:
                answer = json.loads(line)
            except ValueError:
                # cut by the end of its time
                continue
            round_[answer["id"]].answers.append(answer)
    finally:
        result.forget()


# What an answer changes ---------------------------------------------------------------


def take(asked: Asked) -> bool:
    """Keep the answer, and say what follows from it. Call it in the transaction of a claim."""
    rows = Placement.objects.filter(~Exists(_on_its_way()), pk=asked.placement, deployment=asked.deployment)
    # Under its lock: two rounds that overlap count one after the other.
    held = rows.select_for_update(of=("self",)).first()
    if held is None:
        return False
    answer = asked.answer
    if answer is None:
        # It comes last in the next round, so that it keeps no other from its turn.
        rows.update(observed_at=Wall())
        return False
    placement = Placement.objects.select_related(
        "service__project", "environment", "release__service", "deployment__service__project", "deployment__environment"
    ).get(pk=held.pk)
    newest = _keep(placement, answer)
    right = bool(answer["right"])
    rows.update(
        observed_at=Wall(),
        right_in_a_row=placement.right_in_a_row + 1 if right else 0,
        wrong_in_a_row=0 if right else placement.wrong_in_a_row + 1,
    )
    if right and placement.degraded_at and placement.right_in_a_row + 1 >= limits.value("RECOVERED_ANSWERS"):
        _recover(placement)
    elif not right and placement.wrong_in_a_row + 1 >= limits.value("DEGRADED_ANSWERS"):
        _degrade(placement, newest)
    return True


def _keep(placement: Placement, answer: dict[str, Any]) -> Observation:
    said = {
        "deployment_id": placement.deployment_id,
        "right": bool(answer["right"]),
        "status": answer["status"],
        "reported": storable(answer["reported"]),
        "detail": storable(answer["detail"]),
    }
    newest = Observation.objects.filter(placement=placement).order_by("-pk").first()
    if newest is None or any(getattr(newest, name) != value for name, value in said.items()):
        return Observation.objects.create(placement=placement, milliseconds=answer["milliseconds"], **said)
    slowest = max(newest.milliseconds, answer["milliseconds"])
    Observation.objects.filter(pk=newest.pk).update(last_at=Wall(), answers=F("answers") + 1, milliseconds=slowest)
    newest.answers += 1
    return newest


def is_replaced(observation: Observation) -> bool:
    """Whether something answers well, and reports another commit than the one that was deployed."""
    return not observation.right and 200 <= observation.status < 300 and bool(observation.reported)


def why_wrong(observation: Observation, short: str) -> str:
    """``short``: the commit that was deployed."""
    if is_replaced(observation):
        other = observation.reported[:9]
        return f"It reports {other}, and not {short}: somebody deployed by hand, or something else answers there."
    if not observation.status:
        return f"It gives {observation.detail}."
    if 200 <= observation.status < 300:
        return f"It reports no commit, and not {short}."
    return f"It answers with status {observation.status}."


def _degrade(placement: Placement, newest: Observation) -> None:
    """Once; and again where it has been wrong in another way for as long."""
    assert placement.release is not None
    why = why_wrong(newest, placement.release.short)
    rows = Placement.objects.filter(pk=placement.pk, deployment=placement.deployment_id)
    if placement.degraded_at is None:
        if rows.filter(degraded_at__isnull=True).update(degraded_at=Wall(), degraded_why=why, verified_at=None) != 1:
            return
        _say(placement, "placement.degraded", why)
        placements.remember(placement.deployment, placement.release, verified=False, reason=why)
        proof.stands(placement.deployment, verified=False, why=f"{placement}: {why}")
    elif why == placement.degraded_why or newest.answers < limits.value("DEGRADED_ANSWERS"):
        return
    else:
        rows.update(degraded_why=why)
        _say(placement, "placement.degraded", why)
    telling.degraded(placement, why, replaced=is_replaced(newest))


def _recover(placement: Placement) -> None:
    rows = Placement.objects.filter(
        pk=placement.pk, deployment=placement.deployment_id, degraded_at=placement.degraded_at
    )
    if rows.update(degraded_at=None, degraded_why="", verified_at=Wall()) != 1:
        return
    said = "It reports again what was deployed."
    _say(placement, "placement.recovered", said)
    placements.remember(placement.deployment, placement.release, verified=True, reason=said)
    proof.stands(placement.deployment, verified=True, why=f"{placement}: {said}")
    telling.recovered(placement)


def _say(placement: Placement, verb: str, why: str) -> None:
    environment, project = placement.environment, placement.service.project
    after = {
        "service": placement.service.name,
        "release": str(placement.release),
        "deployment": placement.deployment_id,
    }
    current().record(verb, environment.subject, after=after, reason=why, scope=project.scope)
    current().announce(project.scope, Pointer("environment", environment.subject, environment.version))

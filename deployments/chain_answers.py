"""Whether a fix is live in each place, and how that is known: computed here and nowhere else, and nobody sets it.

The edges of the finding say since when it stands there; what stands there says
why it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from deployments.chain_facts import Known
from deployments.models import Deployment, DeploymentState, Environment, Placement, Service
from reviews.models import Edge, Evidence, FindingState
from reviews.standing import LIVE, VERIFIED

PLACES_SHOWN: Final = 40
NOT_LIVE: Final = "not live"
MISSING: Final = "missing"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the fix is live in one place, and how that is known."""

    service: str
    environment: str
    # "verified live", "live" or "not live"
    word: str
    sentence: str
    # the deployment since which that is so, or that left what stands there
    deployment: Deployment | None
    since: datetime | None
    # on its way there with the fix, or still being prepared
    waiting: Deployment | None
    # what a rollback of the deployment that stands there would do to it, and whether it would end that
    rollback: str = ""
    cut: bool = False
    # what says that it is live: that it was brought there, and that the service itself reported it
    edges: tuple[Evidence, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.service} in {self.environment}"

    @property
    def proof(self) -> str:
        return {VERIFIED: "confirmed", LIVE: "measured"}.get(self.word, MISSING)


def answers(known: Known) -> tuple[list[Answer], int]:
    """Of each service in each environment, in the order of the environments; those beyond the bound are counted."""
    environments = list(Environment.objects.filter(project=known.project).order_by("place", "name"))
    services = list(Service.objects.filter(project=known.project).order_by("name"))
    places = [(service, environment) for environment in environments for service in services]
    shown = places[:PLACES_SHOWN]
    return [_answer(known, service, environment) for service, environment in shown], len(places) - len(shown)


def _answer(known: Known, service: Service, environment: Environment) -> Answer:
    placement = known.placements.get((service.pk, environment.pk))
    live = known.there(Edge.DEPLOYMENT, service, environment)
    seen = known.there(Edge.HEALTH, service, environment)
    counts = known.finding.state == FindingState.FIXED
    if live and counts and placement:
        since, edges = seen or live, (live, seen) if seen else (live,)
        word = VERIFIED if seen else LIVE
        asked = placement.degraded_why or "the service itself was not asked."
        said = f"since deployment {since.ref}" + (f". {seen.detail}" if seen else f"; {asked}")
        deployment = known.deployments[int(since.ref)]
        rollback, cut = _rollback(known, placement)
        return Answer(service.name, environment.name, word, said, deployment, since.at, None, rollback, cut, edges)
    said = _why_not(known, placement) if not live else "The finding is not fixed: what stands there is no fix of it."
    coming = (row for row in known.coming if (row.service_id, row.environment_id) == (service.pk, environment.pk))
    return Answer(
        service.name,
        environment.name,
        NOT_LIVE,
        said,
        placement.deployment if placement else None,
        placement.since if placement else None,
        next(coming, None) if known.commits and counts else None,
    )


def _why_not(known: Known, placement: Placement | None) -> str:
    if placement is None:
        return "Nothing stands there."
    release, last = placement.release, placement.deployment
    if release is not None:
        return f"{release} stands there, which does not hold {'it' if known.commits else 'any accepted fix of it'}."
    if last.state == DeploymentState.FAILED:
        return f"Not known: deployment {last.pk} failed, and what stands there since was not seen."
    return f"Nothing stands there since deployment {last.pk} was rolled back."


def _rollback(known: Known, placement: Placement) -> tuple[str, bool]:
    """What rolling back would do, where there is a way back, and whether it would end that the fix is live."""
    last = placement.deployment
    if last.state != DeploymentState.SUCCEEDED or last.pk not in known.can_go_back:
        return "", False
    if known.holds(last.previous):
        return f"A rollback of deployment {last.pk} brings back {last.previous}, which holds the fix too.", False
    back = f"{last.previous} does not hold the fix" if last.previous else "nothing stood there before it"
    return f"A rollback of deployment {last.pk} would cut the chain here: {back}.", True


def on_its_way(deployment: Deployment | None) -> str:
    """What a deployment that has not ended would bring, in words; "" without one."""
    if deployment is None:
        return ""
    state = deployment.get_state_display().lower()
    if deployment.release is None:
        return f"Deployment {deployment.pk} there is {state}."
    return f"Deployment {deployment.pk} would bring it: {state}."

"""The evidence of a finding: the chain from the document to production."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Schema

from deployments import chains
from deployments.chain_answers import Answer
from deployments.chain_links import ChainLink
from portal.api.doors import operation
from portal.api.operations.findings import find_finding
from portal.api.shapes import moment
from portal.core.access import Role, within


class LinkOut(Schema):
    # "Finding", "Ticket", "Turn", "Commit", "Release", "Deployment" or "Health"
    kind: str
    name: str
    # "stated", "claimed", "measured", "confirmed" or "missing"
    proof: str
    sentence: str
    by: str
    at: str | None
    # where its record is; empty where there is none
    url: str


class AnswerOut(Schema):
    service: str
    environment: str
    # "verified live", "live" or "not live"
    word: str
    sentence: str
    # since which that is so, or which left what stands there
    deployment: int | None
    since: str | None
    # the one that waits to bring it, or is on its way
    waiting: int | None
    # what a rollback would do to it; empty where it is not live, or there is no way back
    rollback: str


class ChainOut(Schema):
    finding: int
    # "open", "fix claimed", "fix present", "live" or "verified live"; empty where nobody means to fix it
    standing: str
    said: str
    # in the order of the environments; at most 40
    places: list[AnswerOut]
    places_more: int
    links: list[LinkOut]


def _link(link: ChainLink) -> dict[str, Any]:
    said = {name: getattr(link, name) for name in ("kind", "name", "proof", "sentence", "by", "url")}
    return said | {"at": moment(link.at)}


def _answer(answer: Answer) -> dict[str, Any]:
    said = {name: getattr(answer, name) for name in ("service", "environment", "word", "sentence", "rollback")}
    return said | {
        "deployment": answer.deployment.pk if answer.deployment else None,
        "since": moment(answer.since),
        "waiting": answer.waiting.pk if answer.waiting else None,
    }


@operation(
    "get",
    "/findings/{int:number}/evidence",
    "api.finding.evidence",
    within(Role.VIEWER),
    find=find_finding,
    response=ChainOut,
)
def evidence(request: HttpRequest, number: int) -> dict[str, Any]:
    """Whether the fix of a finding is live in each place, and the chain that says so."""
    chain = chains.chain_of(request.found)  # type: ignore[attr-defined]
    return {
        "finding": chain.finding.pk,
        "standing": chain.standing.word,
        "said": chain.said,
        "places": [_answer(answer) for answer in chain.answers],
        "places_more": chain.more,
        "links": [_link(link) for link in chain.links],
    }

"""What a deployment or a release brings over another, in the API's form."""

from __future__ import annotations

from typing import Any

from ninja import Schema

from deployments.changes import Changes, Commits, Cost, Work


class CommitOut(Schema):
    commit: str
    author: str
    title: str


class CostOut(Schema):
    turns: int
    # US dollars and tokens, as far as the agents told; null where none did
    usd: float | None
    tokens: int | None
    # turns that told no price
    untold: int


class FixOut(Schema):
    number: int
    reference: str
    title: str
    severity: str
    # "open", "fix claimed", "fix present", "live" or "verified live", as it is now
    standing: str


class WorkOut(Schema):
    # at most 50 of each; ``more`` says how many are not named
    tickets: list[str]
    tickets_more: int
    findings: list[FixOut]
    findings_more: int
    # whether there is more accepted work than was looked at
    cut: bool


class ChangesOut(Schema):
    # nothing was ever started there before; nothing is known of what stood there
    first: bool
    known: bool
    # since the release that stood there; null: not known. The newest are named
    commits: int | None
    newest: list[CommitOut]
    # that stood there, and would be taken away
    gone: int | None
    gone_newest: list[CommitOut]
    goes_back: bool
    # accepted work that it brings: what is fixed there by it, and what the work cost
    tickets: list[str]
    brings: WorkOut
    cost: CostOut
    # accepted work that it takes away: what is not fixed there any more
    takes: WorkOut
    # findings open in it that were not in what stood there
    found_since: int
    pipeline_changed: bool


def changes_shown(found: Changes | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        **_commits("commits", "newest", found.commits),
        **_commits("gone", "gone_newest", found.gone),
        **{name: getattr(found, name) for name in ("first", "known", "goes_back", "found_since")},
        "tickets": [ticket.key for ticket in found.brings.tickets],
        "brings": work_shown(found.brings),
        "cost": cost_shown(found.brings.cost),
        "takes": work_shown(found.takes),
        "pipeline_changed": found.pipeline,
    }


def _commits(number: str, newest: str, counted: Commits) -> dict[str, Any]:
    return {number: counted.number, newest: counted.newest}


def work_shown(work: Work) -> dict[str, Any]:
    findings: list[Any] = work.findings
    return {
        "tickets": [ticket.key for ticket in work.tickets],
        "tickets_more": work.tickets_more,
        "findings": [
            {
                "number": finding.pk,
                **{name: getattr(finding, name) for name in ("reference", "title", "severity")},
                "standing": finding.standing.word,
            }
            for finding in findings
        ],
        "findings_more": work.findings_more,
        "cut": work.cut,
    }


def cost_shown(cost: Cost) -> dict[str, Any]:
    usd = None if cost.usd is None else float(cost.usd)
    return {"turns": cost.turns, "usd": usd, "tokens": cost.tokens, "untold": cost.untold}

"""What the rail of a ticket says beside its conversation: its turns, what they cost, its diff, where its work is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Sum

from tickets.models import (
    CheckRun,
    Measurement,
    Merge,
    MergeStrategy,
    Ticket,
    TicketState,
    Turn,
    Workspace,
)
from tickets.turn_jobs import newest_work


@dataclass(frozen=True, slots=True)
class Spent:
    """Of all turns together; none where no agent told. ``budget``: what they may cost."""

    cost: Decimal | None
    tokens: int | None
    budget: Decimal | None


@dataclass(frozen=True, slots=True)
class Merging:
    """The newest merge, and what the portal's own checks said of its result."""

    merge: Merge
    checks: Sequence[CheckRun]


@dataclass(frozen=True, slots=True)
class Facts:
    """``newest``: the newest turn that was to do the work. ``will``: what accepting does with it, as a sentence."""

    turns: int
    newest: Turn | None
    spent: Spent
    measured: Measurement | None
    merging: Merging | None
    will: str


def of(ticket: Ticket, measured: Measurement | None) -> Facts:
    """Every fact of the rail; as many queries however many turns there are. ``measured``: what was measured last."""
    sums = ticket.turns.aggregate(
        number=Count("id"), cost=Sum("cost_usd"), read=Sum("input_tokens"), written=Sum("output_tokens")
    )
    told = [number for number in (sums["read"], sums["written"]) if number is not None]
    budget = ticket.agent_version.budget_usd if ticket.agent_version else None
    newest = newest_work(ticket)
    return Facts(
        turns=sums["number"],
        newest=newest,
        spent=Spent(sums["cost"], sum(told) if told else None, budget),
        measured=measured,
        merging=_merging(ticket),
        will=_will(ticket, newest),
    )


def _merging(ticket: Ticket) -> Merging | None:
    rows = Merge.objects.filter(ticket=ticket).select_related("turn", "accepted_by", "attempt")
    merge = rows.order_by("-id").first()
    if merge is None:
        return None
    return Merging(merge, list(CheckRun.objects.filter(attempt=merge.attempt_id or 0).order_by("n")))


def _will(ticket: Ticket, newest: Turn | None) -> str:
    if ticket.state not in {TicketState.IN_REVIEW, TicketState.UNPROVEN}:
        return ""
    why = "It is unproven, so it takes a reason. " if ticket.state == TicketState.UNPROVEN else ""
    begun = Workspace.objects.filter(ticket=ticket).values_list("base_commit", flat=True).first()
    if newest is None or not newest.head_commit or newest.head_commit == begun:
        return f"{why}There is no commit: nothing is merged, and the ticket is done at once."
    into = ticket.project.target_branch or "the branch that its repository has checked out"
    how = (
        "Rebases its branch onto" if ticket.project.merge_strategy == MergeStrategy.REBASE else "Merges its branch into"
    )
    return f"{why}{how} {into}, once the checks pass on the result."

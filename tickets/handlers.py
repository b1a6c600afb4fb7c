"""The kinds of job of this app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tickets import attachments, clearing, merging, questions, turns
from tickets.turn_jobs import MERGE_KIND, TURN_KIND
from workers import kinds, retention, schedules
from workers.models import Pool

if TYPE_CHECKING:
    from workers.claims import Claim

FILES_KIND: Final = "files"
WORKSPACES_KIND: Final = "workspaces"


def register() -> None:
    kinds.register(
        kinds.Kind(
            TURN_KIND,
            "Turn",
            Pool.TURNS,
            turns.run,
            turns.settle,
            requeued=turns.requeued,
            link=_page_of,
        )
    )
    kinds.register(
        # Its checks may take long: beside the turns, so that no short job waits behind them.
        kinds.Kind(
            MERGE_KIND,
            "Merge",
            Pool.TURNS,
            merging.run,
            merging.settle,
            requeued=merging.requeued,
            link=_page_of,
        )
    )
    kinds.register(kinds.Kind(FILES_KIND, "Clear files away", Pool.SHORT, _sweep_files))
    schedules.stand("clear-files-away", FILES_KIND, every_seconds=86_400)
    kinds.register(
        # Where turns are run the worktrees lie.
        kinds.Kind(WORKSPACES_KIND, "Clear worktrees away", Pool.TURNS, clearing.clear_workspaces, each_machine=True)
    )
    schedules.stand("clear-worktrees-away", WORKSPACES_KIND, every_seconds=86_400)
    _keep()
    kinds.register(kinds.Kind(questions.DEADLINE_KIND, "A question's deadline", Pool.SHORT, _answer_due, link=_page_of))


def _keep() -> None:
    work = ("Project", "Membership", "ProjectCounter", "Ticket", "KeyAlias", "Message", "Delivery", "Question")
    retention.keep("The work and its conversation.", *(f"tickets.{name}" for name in work))
    proof = ("Turn", "Measurement", "CheckRun", "Merge")
    retention.keep("What was done and what was measured: evidence.", *(f"tickets.{name}" for name in proof))
    retention.keep("A row for each ticket: where its worktree is made again.", "tickets.Workspace")
    retention.keep("Somebody attached it; bounded for each ticket.", "tickets.Attachment")


def _page_of(subject: str) -> str:
    """Of "ticket:MC-1", and of "question:MC-1/3"."""
    return f"/tickets/{subject.partition(':')[2].partition('/')[0]}/"


def _sweep_files(claim: Claim) -> int:
    return attachments.sweep_files()


def _answer_due(claim: Claim) -> int:
    return questions.answer_due(claim.fenced)

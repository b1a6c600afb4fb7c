"""The kinds of job of this app, and what it does when a ticket's work ends, lands or is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviews import answers, decisions, documents, evidence, expiring, premises
from tickets import followers
from workers import kinds, retention
from workers.models import Pool

if TYPE_CHECKING:
    from workers.claims import Claim


def register() -> None:
    kinds.register(
        kinds.Kind(
            documents.IMPORT_KIND,
            "Import",
            Pool.SHORT,
            documents.run,
            documents.settle,
            requeued=documents.requeued,
            link=lambda subject: f"/reviews/{subject.partition(':')[2]}/",
        )
    )
    kinds.register(
        kinds.Kind(decisions.DUE_KIND, "The end of a waiver or deferral", Pool.SHORT, _end_due, link=_decision_page)
    )
    # Where turns are run the clones lie.
    kinds.register(kinds.Kind(decisions.LOOK_KIND, "Code of a rejection", Pool.TURNS, _look, link=_decision_page))
    kinds.register(kinds.Kind(premises.COMPARE_KIND, "Code of rejections, again", Pool.TURNS, _compare))
    followers.worked.add(evidence.turn_ended)
    followers.merged.add(evidence.merged)
    followers.merged.add(premises.merged)
    followers.accepted.add(answers.ticket_accepted)
    followers.reopened.add(answers.ticket_reopened)
    followers.reopened.add(evidence.ticket_reopened)
    found = ("Series", "Review", "Finding", "Occurrence", "Fingerprint", "Evidence", "Decision")
    retention.keep("What was found, where it stands, and the documents that say so.", *(f"reviews.{n}" for n in found))
    retention.keep("A person's own names for lists of findings; they go with the person.", "reviews.SavedFilter")
    read = ("ImportRow", "Check", "ActionItem")
    retention.keep("What was read in a document: an import can be taken back.", *(f"reviews.{name}" for name in read))


def _decision_page(subject: str) -> str:
    return f"/findings/decisions/?decision={subject.partition(':')[2]}"


def _end_due(claim: Claim) -> int:
    return expiring.end_due(claim.fenced)


def _look(claim: Claim) -> int:
    return premises.look(_id(claim), claim.fenced)


def _compare(claim: Claim) -> int:
    return premises.compare(_id(claim), claim.fenced)


def _id(claim: Claim) -> int:
    return int(claim.subject.partition(":")[2])

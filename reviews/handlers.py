"""The kinds of job of this app, and what it does when a ticket's work ends, lands or is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviews import answers, decisions, documents, evidence, expiring, planning, premises, verifying
from reviews.councils import answering, asking
from tickets import followers, readers
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
    _councils()
    _verifications()
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


def _councils() -> None:
    kinds.register(
        # Its commit is looked up where the clones lie.
        kinds.Kind(
            asking.OPEN_KIND,
            "A council's commit",
            Pool.TURNS,
            asking.run,
            asking.settle,
            requeued=asking.requeued,
            link=_council_page,
        )
    )
    kinds.register(
        kinds.Kind(asking.CLOSE_KIND, "A council's deadline", Pool.SHORT, asking.end_due, link=_council_page)
    )
    kinds.register(
        kinds.Kind(answering.IMPORT_KIND, "Import for a council", Pool.SHORT, answering.run, link=_council_page)
    )
    readers.told_by(asking.reading_of)
    readers.answered.add(answering.by_agent)
    planning.planned.add(answering.planned)
    retention.keep("Who judged which commit, and why.", "reviews.Council", "reviews.Member", "reviews.Vote")


def _verifications() -> None:
    kinds.register(
        # Beside the turns, where the clones lie: it may take long.
        kinds.Kind(
            verifying.VERIFY_KIND,
            "Check of a document",
            Pool.TURNS,
            verifying.run,
            verifying.settle,
            requeued=verifying.requeued,
            link=verifying.page_of,
        )
    )
    kept = ("AllowedCommand", "Verification")
    retention.keep("What was allowed to run, and what came of it: evidence.", *(f"reviews.{name}" for name in kept))


def _council_page(subject: str) -> str:
    return f"/reviews/councils/{subject.partition(':')[2]}/"


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

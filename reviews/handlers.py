"""The kinds of job of this app, and what it does when a ticket's work ends, lands or is taken back."""

from __future__ import annotations

from reviews import answers, documents, evidence
from tickets import followers
from workers import kinds, retention
from workers.models import Pool


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
    followers.worked.add(evidence.turn_ended)
    followers.merged.add(evidence.merged)
    followers.accepted.add(answers.ticket_accepted)
    followers.reopened.add(answers.ticket_reopened)
    followers.reopened.add(evidence.ticket_reopened)
    found = ("Series", "Review", "Finding", "Occurrence", "Fingerprint", "Evidence")
    retention.keep("What was found, where it stands, and the documents that say so.", *(f"reviews.{n}" for n in found))
    read = ("ImportRow", "Check", "ActionItem")
    retention.keep("What was read in a document: an import can be taken back.", *(f"reviews.{name}" for name in read))

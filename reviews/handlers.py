"""The kinds of job of this app, and what it does when a ticket is accepted."""

from __future__ import annotations

from reviews import answers, documents
from tickets import work
from workers import kinds
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
    work.when_accepted(answers.ticket_accepted)
    work.when_reopened(answers.ticket_reopened)

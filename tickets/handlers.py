"""The kinds of job of this app."""

from __future__ import annotations

from tickets import turns
from tickets.work import TURN_KIND
from workers import kinds
from workers.models import Pool


def register() -> None:
    kinds.register(
        kinds.Kind(
            TURN_KIND,
            "Turn",
            Pool.TURNS,
            turns.run,
            turns.settle,
            requeued=turns.requeued,
            link=lambda subject: f"/tickets/{subject.partition(':')[2]}/",
        )
    )

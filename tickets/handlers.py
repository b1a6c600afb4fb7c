"""The kinds of job of this app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tickets import attachments, turns
from tickets.work import TURN_KIND
from workers import kinds, schedules
from workers.models import Pool

if TYPE_CHECKING:
    from workers.claims import Claim

FILES_KIND: Final = "files"


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
    kinds.register(kinds.Kind(FILES_KIND, "Clear files away", Pool.SHORT, _sweep_files))
    schedules.stand("clear-files-away", FILES_KIND, every_seconds=86_400)


def _sweep_files(claim: Claim) -> int:
    return attachments.sweep_files()

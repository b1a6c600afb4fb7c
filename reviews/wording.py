"""What was done, in a few words: for messages of pages, admin and commands."""

from __future__ import annotations

from collections.abc import Sequence

from reviews.applying import Applied, Reverted
from reviews.bulk_answers import VERBS, Came
from reviews.models import Finding
from tickets.models import Ticket


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def applied(done: Applied) -> str:
    said = [
        counted(done.new, "new finding") if done.new else "",
        f"{done.seen} seen again" if done.seen else "",
        f"{done.closed} closed" if done.closed else "",
        f"{done.reopened} open again" if done.reopened else "",
        f"{done.carried} carried" if done.carried else "",
        f"{done.linked} linked to {'its ticket' if done.linked == 1 else 'their tickets'}" if done.linked else "",
    ]
    return ", ".join(filter(None, said)) or "0 findings, nothing changed"


def reverted(done: Reverted) -> str:
    taken = f"{done.taken_back} taken back"
    return f"{taken}, {done.kept} kept because somebody has touched them since" if done.kept else taken


def tickets_made(made: Sequence[Ticket], left: int = 0) -> str:
    if not made:
        return "Nothing new: each of these findings has its ticket."
    names = made[0].key if len(made) == 1 else f"{made[0].key} to {made[-1].key}"
    said = f"Made {counted(len(made), 'ticket')}: {names}."
    return f"{said} {counted(left, 'more finding')} without a ticket: make them next." if left else said


def answer_given(finding: Finding, verb: str) -> str:
    if verb == "waive":
        return f"A waiver of {finding} is asked for. It counts when a second person gives it."
    return f"{finding} is {finding.get_state_display().lower()}."


def answered(verb: str, came: Came) -> str:
    said = f"{counted(came.done, 'finding')} {VERBS[verb].done}."
    said += f" {came.refused:,} could not be." if came.refused else ""
    return f"{said} {counted(came.left, 'more finding')} of the filter: answer them next." if came.left else said

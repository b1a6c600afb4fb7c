"""What every table of transitions must keep to, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.core.lifecycle import Lifecycle, NotAllowedNow
from portal.core.models import Activity


def every_verb_from_every_state(lifecycle: Lifecycle[Any], make: Callable[[str], Any]) -> None:
    """Allowed verbs move the row and leave one line of history; all others are refused and change nothing."""
    for verb, step in lifecycle.transitions.items():
        for state in lifecycle.states.values:
            row = make(state)
            before = Activity.objects.count()
            if state in step.sources:
                lifecycle.move(row, verb)
                row.refresh_from_db()
                assert (row.state, row.version) == (step.target, 2), (verb, state)
                (line,) = Activity.objects.order_by("-id")[: Activity.objects.count() - before]
                assert (line.verb, line.before["state"], line.after["state"]) == (
                    f"{lifecycle.kind}.{verb}",
                    state,
                    step.target,
                )
                assert line.subject == lifecycle.subject(row)
            else:
                with pytest.raises(NotAllowedNow):
                    lifecycle.move(row, verb)
                row.refresh_from_db()
                assert (row.state, row.version) == (state, 1), (verb, state)
                assert Activity.objects.count() == before

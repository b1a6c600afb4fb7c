"""A ticket at which one of the command lines works, and what can be seen of it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clis import profiles
from tests.clis.model_api import ModelApi, script
from tests.engines import children
from tests.engines.stack import Stack
from tests.tickets.workshop import Workshop
from tickets import work
from tickets.models import Ticket
from workers import children as kept
from workers.supervision.supervisor import MARKER_VARIABLE

_numbers = itertools.count(1)


@dataclass
class Bench:
    """One command line in one containment. ``given`` has it work at a ticket that scripts what its model says."""

    stack: Stack
    shop: Workshop
    api: ModelApi
    name: str
    boxed: bool
    tickets: list[Ticket] = field(default_factory=list)

    def given(self, turns: dict[int, list[list[Any]]], *, tools: bool = False, **changes: Any) -> Ticket:
        cli = profiles.CLIS[self.name]
        address = self.stack.base_url if tools else ""
        agent = profiles.create(cli, f"{self.name}-{next(_numbers)}", boxed=self.boxed, tools=address, **changes)
        text = f"It squeaks.\n\n{script(turns)}\n"
        ticket = work.create_ticket(self.shop.project, title="Oil the door", body=text)
        self.tickets.append(work.assign(ticket, agent))
        return self.tickets[-1]

    def put_away(self) -> None:
        """What a test that failed left at work would stand in the way of the next."""
        for ticket in self.tickets:
            ticket.refresh_from_db()
            if ticket.state in {"queued", "running"}:
                work.stop(ticket, reason="The test is over.")
                ended(ticket, seconds=20)


def ended(ticket: Ticket, *states: str, seconds: float = 60) -> Ticket:
    """The ticket, once it waits or runs no more, or is in one of these states."""

    def there() -> bool:
        ticket.refresh_from_db()
        return ticket.state in states if states else ticket.state not in {"queued", "running"}

    wait(f"{ticket.key} {states}", there, seconds)
    return ticket


def wait(what: str, ready: Callable[[], object], seconds: float = 30) -> float:
    began = time.monotonic()
    children.wait_for(what, ready, seconds=seconds)
    return time.monotonic() - began


def alive(mark: str) -> list[int]:
    """The processes that have this mark as an argument of their own."""
    return [pid for pid, words in _processes("cmdline") if mark.encode() in words]


def carried() -> list[int]:
    """What lives of any turn of this installation."""
    marker = str(kept._marker(0)).removesuffix("0")
    wanted = f"{MARKER_VARIABLE}={marker}".encode()
    return [pid for pid, words in _processes("environ") if any(word.startswith(wanted) for word in words)]


def _processes(name: str) -> Iterator[tuple[int, list[bytes]]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(entry.name), (entry / name).read_bytes().split(b"\0")


def output(ticket: Ticket, turn: int = 1) -> str:
    """What that turn's agent printed, as it is stored."""
    rows = ticket.turns.get(seq=turn).attempt.output.order_by("offset")
    return "".join(rows.values_list("text", flat=True))

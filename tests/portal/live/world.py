"""Streams for the tests of live pages; registered in the server's process alone.

Teams are Django groups: ``team:1:30`` is the role 30 in the scope ``team:1``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from channels.layers import InMemoryChannelLayer

from portal.core import access
from portal.core.access import SIGNED_IN, Role, within
from portal.live import streams

WIDTH = 10
SLOW_DOOR_SECONDS = 3.0
FLOOD = "x" * 50_000


class DroppingLayer(InMemoryChannelLayer):
    """Takes every message and hands on none."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        pass


def held(user: Any) -> dict[str, Role]:
    names = user.groups.filter(name__startswith="team:").values_list("name", flat=True)
    return {name.rpartition(":")[0]: Role(int(name.rpartition(":")[2])) for name in names}


def team_of(name: str) -> str | None:
    """``room:7.any`` belongs to ``team:7``; teams above 99 do not exist."""
    number = name.partition(":")[2].partition(".")[0]
    return f"team:{int(number)}" if number.isdecimal() and int(number) <= 99 else None


def _stream() -> Any:
    from portal.live.models import Stream

    return Stream.objects


def head(name: str) -> int:
    return int(_stream().filter(name=name).values_list("head", flat=True).first() or 0)


class Heads:
    """Rows made up from the head of the event stream of the same name: row n ends at n times its width."""

    def __init__(self, width: int) -> None:
        self.width = width

    def epoch(self, name: str) -> str:
        return "first"

    def head(self, names: Sequence[str]) -> dict[str, int]:
        heads = _stream().filter(name__in=names).values_list("name", "head")
        return {name: head * self.width for name, head in heads}

    def rows(self, name: str, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        head = self.head([name]).get(name, 0) // self.width
        first = after // self.width + 1
        return [(n * self.width, {"text": self.text(n)}) for n in range(first, min(head, first + limit - 1) + 1)]

    def text(self, n: int) -> str:
        return FLOOD if self.width == 1 else f"{n:09d}\n"


class Tally:
    def digest(self, name: str) -> str:
        return str(_stream().filter(name="room:1.tally").values_list("head", flat=True).first())


def everywhere(name: str) -> str | None:
    return ""


def slowly(name: str) -> str | None:
    """Whom it belongs to takes a while to find out."""
    time.sleep(SLOW_DOOR_SECONDS)
    return ""


def register() -> None:
    access.register_scopes("team", held)
    streams.register("room", within(Role.VIEWER), team_of)
    streams.register("vault", within(Role.OWNER), team_of)
    streams.register("text", SIGNED_IN, everywhere, Heads(WIDTH))
    streams.register("flood", SIGNED_IN, everywhere, Heads(1))
    streams.register("tally", SIGNED_IN, everywhere, Tally())
    streams.register("slow", SIGNED_IN, slowly)

"""Qwen Code: `qwen --output-format stream-json`, which speaks like Claude Code."""

from __future__ import annotations

from collections.abc import Iterable

from workers.agents.adapters.blocks import BlockAdapter
from workers.agents.adapters.events import Error, Event, Scope
from workers.agents.adapters.launches import QWEN
from workers.agents.adapters.parsing import Json, at, record, words


class QwenAdapter(BlockAdapter):
    """Its figures run on over the session. Without --bare a hidden call for its memory is among them."""

    launch = QWEN

    def system(self, subtype: str, said: Json) -> Iterable[Event]:
        """Read retries."""
        if subtype == "retry":
            yield Error(self.at, words(said, "data", "reason") or "The model API failed.", retry=True)

    def usage(self, said: Json) -> Iterable[Event]:
        """Read the one figure there is; it has no cost."""
        if isinstance(at(said, "usage"), dict):
            yield self.tokens(record(said, "usage"), Scope.SESSION)

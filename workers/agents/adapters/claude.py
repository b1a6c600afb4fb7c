"""Claude Code: `claude -p --output-format stream-json --verbose`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.agents.adapters.blocks import BlockAdapter
from workers.agents.adapters.events import Error, Event, Permission, Scope, Usage
from workers.agents.adapters.launches import CLAUDE
from workers.agents.adapters.parsing import Json, amount, at, count, name_of, record, words


class ClaudeAdapter(BlockAdapter):
    """Its models' figures count every call and run on over the session; its main loop's count this run."""

    launch = CLAUDE

    def system(self, subtype: str, said: Json) -> Iterable[Event]:
        """Read retries and refusals."""
        if subtype == "api_retry":
            status = count(said, "error_status")
            yield Error(self.at, words(said, "error") or "The model API failed.", status, retry=True)
        elif subtype == "permission_denied" and self.first(called := name_of(said, "tool_use_id")):
            yield Permission(self.at, called, {name: said.get(name) for name in ("tool_name", "message")})

    def usage(self, said: Json) -> Iterator[Event]:
        """Prefer the figures that hold side calls and sub-agents too; without them the cost has its own event."""
        cost = amount(said, "total_cost_usd")
        models = [model for model in record(said, "modelUsage").values() if isinstance(model, dict)]
        if isinstance(at(said, "modelUsage"), dict):
            names = ("inputTokens", "outputTokens", "cacheReadInputTokens")
            sums = (sum(count(model, name) or 0 for model in models) for name in names)
            yield self.usage_of(sums, cost, Scope.SESSION)
        elif isinstance(at(said, "usage"), dict):
            yield self.tokens(record(said, "usage"), Scope.RUN)
            if cost is not None:
                yield Usage(self.at, None, None, None, cost, Scope.SESSION)

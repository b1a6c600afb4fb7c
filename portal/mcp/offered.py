"""The tools that there are. None approves, waives, accepts, deploys, or names another ticket or project."""

from __future__ import annotations

from typing import Final

from portal.mcp import reading, writing
from portal.mcp.tools import Tool

TOOLS: Final[dict[str, Tool]] = {
    tool.name: tool
    for tool in (
        reading.get_ticket,
        reading.list_messages,
        writing.post_message,
        writing.ask,
        writing.attach,
        writing.report_progress,
        writing.finish,
        reading.list_findings,
        writing.propose_finding,
    )
}

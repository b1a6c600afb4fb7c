"""The protocol itself, by the official library: stateless, answered as JSON, each request by itself.

Imported with the first request that has a credential: the library is large,
and a web process should start without it.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any, Final

from asgiref.sync import sync_to_async
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from portal.core.bodies import Receive, Scope, Send
from portal.mcp.offered import TOOLS
from portal.mcp.tools import call
from tickets.models import Turn

INSTRUCTIONS: Final = (
    "Shiproom: the ticket that you work on. Every tool is about this one ticket, and works while your turn runs."
)
# It tells of each request that it began and ended.
logging.getLogger("mcp").setLevel(logging.WARNING)
_speaker: ContextVar[Turn] = ContextVar("shiproom_speaker")


async def serve(turn: Turn, most_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request as the agent of ``turn``."""
    manager = StreamableHTTPSessionManager(
        _SERVER, json_response=True, stateless=True, max_request_body_size=most_bytes
    )
    token = _speaker.set(turn)
    try:
        # A manager for each: there is nothing to keep between two requests, and nothing to end with the process.
        async with manager.run():
            await manager.handle_request(scope, receive, send)  # type: ignore[arg-type]
    finally:
        _speaker.reset(token)


async def _list(ctx: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(
        tools=[
            Tool(
                name=tool.name,
                description=tool.meaning,
                input_schema=tool.schema(),
                annotations=ToolAnnotations(read_only_hint=not tool.writes, destructive_hint=False),
            )
            for tool in TOOLS.values()
        ]
    )


async def _call(ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
    answer = await sync_to_async(call)(TOOLS, _speaker.get(), params.name, params.arguments or {})
    said = answer.said if isinstance(answer.said, str) else json.dumps(answer.said, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=said)], is_error=answer.refused)


_SERVER: Final = Server(
    "shiproom", version="1", title="Shiproom", instructions=INSTRUCTIONS, on_list_tools=_list, on_call_tool=_call
)

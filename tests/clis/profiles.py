"""The three command lines as an admin configures them, plain and in a box, with the portal's tools and without."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from portal.core import secrets
from workers.agents.adapters.launches import CLAUDE, CODEX, GOOSE, Launch
from workers.models import Agent, AgentVersion

PROGRAMS: Final = Path(__file__).resolve().parents[2] / "build" / "clis" / "node_modules"
BIN: Final = PROGRAMS / ".bin"
# What the worker has in its environment and the profiles name.
SETTINGS: Final = {
    **CLAUDE.environment,
    **GOOSE.environment,
    "ENABLE_TOOL_SEARCH": "false",
    "GOOSE_PROVIDER": "openai",
    "GOOSE_MODEL": "scripted",
}
Profile = dict[str, Any]


@dataclass(frozen=True)
class Cli:
    """``profile`` is asked with the portal's address, or nothing for no tools, and whether it is in a box."""

    name: str
    launch: Launch
    profile: Callable[[str, bool], Profile]


def create(cli: Cli, name: str, *, boxed: bool, tools: str = "", **changes: Any) -> Agent:
    """An agent of that name with a profile of its own, plain and trusted, or in a box with its network open."""
    around = {"containment": "bubblewrap", "network": "open"} if boxed else {"trusted": True}
    bounds = {"wall_seconds": 120, "silence_seconds": 90, "max_failures": 1}
    agent = Agent.objects.create(name=name, concurrency=2)
    fields = {**cli.profile(tools, boxed), **around, **bounds, **changes}
    AgentVersion.objects.create(agent=agent, number=1, adapter=cli.name, **fields)
    return agent


def keep_secrets(model_url: str, portal_url: str) -> None:
    """The model's address and key in the secret store, and what Goose is told of the portal's tools."""
    secrets.store("model-url", model_url)
    secrets.store("model-key", "sk-scripted-0123456789")
    secrets.store("goose-config", goose_config(portal_url))


def program(name: str) -> str:
    return str(BIN / name)


def claude(tools: str, boxed: bool) -> Profile:
    # Root may not skip the permissions: then its own settings list what it may.
    allowed = CLAUDE.unattended if boxed or os.geteuid() else ("--allowedTools", "Bash,mcp__shiproom")
    if tools:
        server = {
            "type": "http",
            "url": "${SHIPROOM_MCP_URL}",
            "headers": {"Authorization": "Bearer ${SHIPROOM_MCP_TOKEN}"},
        }
        allowed += ("--strict-mcp-config", "--mcp-config", json.dumps({"mcpServers": {"shiproom": server}}))
    return claude_with(*allowed)


def claude_with(*arguments: str) -> Profile:
    return {
        "command": [program("claude"), *CLAUDE.command[1:], *arguments],
        "resume": [program("claude"), *CLAUDE.resume[1:], *arguments],
        "environment": [*CLAUDE.environment, "ENABLE_TOOL_SEARCH"],
        "secrets": {"ANTHROPIC_BASE_URL": "model-url", "ANTHROPIC_API_KEY": "model-key"},
    }


def codex(tools: str, boxed: bool) -> Profile:
    url = secrets.reveal("model-url")
    provider = f'{{name="Scripted", base_url="{url}/v1", env_key="MODEL_KEY", wire_api="responses"}}'
    given = ["-c", f"model_providers.scripted={provider}", "-c", 'model_provider="scripted"', "-m", "scripted"]
    if tools:
        given += ["-c", f'mcp_servers.shiproom.url="{tools}/mcp"']
        given += ["-c", 'mcp_servers.shiproom.bearer_token_env_var="SHIPROOM_MCP_TOKEN"']
    commands = {"command": CODEX.command, "resume": CODEX.resume}
    return {
        **{name: [program("codex"), *_unattended(argv), *given, "-"] for name, argv in commands.items()},
        "secrets": {"MODEL_KEY": "model-key"},
    }


def _unattended(argv: tuple[str, ...]) -> list[str]:
    """Without Codex's own sandbox, in which no worktree of another repository can be committed in."""
    kept = [part for part in argv[1:-1] if part not in {"-s", "workspace-write"}]
    return [*kept, *CODEX.unattended]


def goose(tools: str, boxed: bool) -> Profile:
    left_out = {"--no-profile"} if tools else set[str]()
    commands = {"command": GOOSE.command, "resume": GOOSE.resume}
    return {
        **{
            name: [program("goose-binary-linux-x64"), *(part for part in argv[1:] if part not in left_out)]
            for name, argv in commands.items()
        },
        "environment": [*GOOSE.environment, "GOOSE_PROVIDER", "GOOSE_MODEL"],
        "secrets": {"OPENAI_HOST": "model-url", "OPENAI_API_KEY": "model-key"},
        "login": {".config/goose/config.yaml": "goose-config"} if tools else {},
    }


def goose_config(portal_url: str) -> str:
    return f"""extensions:
  shiproom:
    type: streamable_http
    name: shiproom
    description: the ticket
    enabled: true
    timeout: 60
    uri: {portal_url}/mcp
    env_keys: [SHIPROOM_MCP_TOKEN]
    headers: {{Authorization: "Bearer ${{SHIPROOM_MCP_TOKEN}}"}}
"""


CLIS: Final = {
    "claude": Cli("claude", CLAUDE, claude),
    "codex": Cli("codex", CODEX, codex),
    "goose": Cli("goose", GOOSE, goose),
}

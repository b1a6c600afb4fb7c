#!/usr/bin/env python3
"""An agent that speaks to the portal by its tools, over MCP, with nothing but Python's own library.

Reads SHIPROOM_MCP_URL and SHIPROOM_MCP_TOKEN from the environment. It looks at its ticket and at what was said,
reports its progress, notes its task in --file and commits, attaches the commit's diff, and ends by the tool finish.
With --ask it asks first, by the tool ask, and works once it is answered. --propose TITLE proposes a finding.
--pause waits so many seconds between two steps, for somebody who watches.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ANSWER = "Answer to turn "
TIMEOUT_SECONDS = 30


class Refused(Exception):
    """A tool refused; the message says why."""


def request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Send one request of the protocol and return its result; raise Refused for an error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {
        "Authorization": f"Bearer {os.environ['SHIPROOM_MCP_TOKEN']}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-06-18",
    }
    sent = urllib.request.Request(os.environ["SHIPROOM_MCP_URL"], body, headers)
    with urllib.request.urlopen(sent, timeout=TIMEOUT_SECONDS) as reply:
        said = json.load(reply)
    if "error" in said:
        raise Refused(said["error"]["message"])
    found: dict[str, Any] = said["result"]
    return found


def use(tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return what it gives; raise Refused with its sentence."""
    result = request("tools/call", {"name": tool, "arguments": arguments})
    text = result["content"][0]["text"]
    print(f"{tool}: {text[:200]}", flush=True)
    if result.get("isError"):
        raise Refused(text)
    given: dict[str, Any] = json.loads(text)
    return given


def answer_in(messages: list[dict[str, Any]]) -> str:
    """Return the newest answer among what people wrote; empty if there is none."""
    found = [message["body"] for message in messages if message["body"].startswith(ANSWER)]
    return found[-1] if found else ""


def work(options: argparse.Namespace, ticket: dict[str, Any], task: str) -> str:
    """Note the task, commit it, and attach what changed; return the commit."""
    # Beside this file: with -I its folder is not among those that are imported from.
    editing = runpy.run_path(str(Path(__file__).with_name("editing_agent.py")))
    editing["edit"](options.file, f"- {ticket['key']}: {task}")
    made: str = editing["commit"](
        options.file, f"{ticket['key']}: {ticket['title']}", "Tooling agent", "agent@shiproom.invalid"
    )
    use("attach", name=f"{ticket['key']}.diff", text=editing["git"]("show", made) + "\n")
    return made


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--file", default="WORKLOG.md", help="the file to edit or to create")
    parser.add_argument("--ask", action="store_true", help="ask a person before the work")
    parser.add_argument("--propose", metavar="TITLE", help="propose a finding of that title")
    parser.add_argument("--pause", type=float, default=0, metavar="SECONDS")
    return parser.parse_args()


def main() -> int:
    """Work by the tools; return the exit code."""
    options = parse()
    if not os.environ.get("SHIPROOM_MCP_URL") or not os.environ.get("SHIPROOM_MCP_TOKEN"):
        print("SHIPROOM_MCP_URL and SHIPROOM_MCP_TOKEN are not set", file=sys.stderr)
        return 2
    ticket = use("get_ticket")
    use("report_progress", text=f"Read {ticket['key']}; looking at what was said.")
    said = use("list_messages")["messages"]
    answer = answer_in(said)
    time.sleep(options.pause)
    if options.ask and not answer:
        use("ask", question="Where should the note go?", options=["At the end", "At the top"], default=0)
        return 0
    made = work(options, ticket, answer or ticket["title"])
    use("post_message", body=f"Committed {made}.", idempotency_key=made[:64])
    if options.propose:
        use("propose_finding", title=options.propose, severity="low", text="Seen beside the task.", file=options.file)
    use("finish", signal="DONE", payload=f"noted the task in {options.file}, in commit {made}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

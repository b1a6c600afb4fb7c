"""What a whole journey needs: a team's repository that ships itself, documents about it, and a service that runs.

The words of the documents are of our own, in the forms that people write.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engines import children, postgresql

EXAMPLES = Path(__file__).resolve().parent.parent / "workers" / "agents" / "examples"
DOCUMENT = b"""# Depot review

**Reviewer:** A. Reader

2 issues found. 1 CRITICAL, 1 MINOR.

| Ticket | Severity | Category | Title |
|---|---|---|---|
| MC-21 | CRITICAL | Race Condition | Two workers may take one parcel from the shelf |
| MC-22 | MINOR | Reliability | A lost label is printed without a warning |
"""
CRITICAL = "Two workers may take one parcel from the shelf"

# The repository's own way to ship: what it brings to life is what `live` says, and the service reads that.
SHIP = """\
set -eu
case "$1" in
  build) test -f ship.sh && echo "built $SHIPROOM_COMMIT" ;;
  migrate) echo "$SHIPROOM_COMMIT" >> "$DEPOT/schema"; echo "migrated" ;;
  undo) sed -i '$d' "$DEPOT/schema"; echo "the schema is as it was" ;;
  restart) test -e "$DEPOT/stuck" && echo "the old one stays up" || echo "$SHIPROOM_COMMIT" > "$DEPOT/live" ;;
esac
"""
# A service of its own process: it reports what is live, until it is ended.
SERVICE = """\
import http.server, json, pathlib, sys
live = pathlib.Path(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        commit = live.read_text().strip() if live.exists() else ""
        body = json.dumps({"status": "ok", "commit": commit}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
STEPS: list[dict[str, Any]] = [
    {"kind": "command", "name": "Build", "command": ["sh", "ship.sh", "build"]},
    {
        "kind": "migrate",
        "name": "Migrate",
        "command": ["sh", "ship.sh", "migrate"],
        "undo": ["sh", "ship.sh", "undo"],
    },
    {"kind": "restart", "name": "Restart", "command": ["sh", "ship.sh", "restart"]},
    {"kind": "health", "name": "Health", "url": "http://127.0.0.1:{PORT}/health", "wall_seconds": 8},
]


class Depot:
    """``repository`` is the team's, ``folder`` where the service lives; ``stick`` makes its restart change nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repository = folder / "depot", folder / "repository"
        self.folder.mkdir()
        self.port = postgresql.free_port()
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.repository)], check=True)
        (self.repository / "ship.sh").write_text(SHIP)
        self.git("add", "-A")
        self.git("-c", "user.name=Team", "-c", "user.email=team@example.org", "commit", "-q", "-m", "Begin")

    @property
    def variables(self) -> dict[str, str]:
        return {"PORT": str(self.port), "DEPOT": str(self.folder)}

    @property
    def head(self) -> str:
        return self.git("rev-parse", "main")

    @property
    def live(self) -> str:
        return (self.folder / "live").read_text().strip()

    @property
    def schema(self) -> list[str]:
        return (self.folder / "schema").read_text().split()

    def stick(self, stuck: bool) -> None:
        marker = self.folder / "stuck"
        marker.touch() if stuck else marker.unlink()

    def git(self, *arguments: str) -> str:
        argv = ["git", "-C", str(self.repository), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        argv = [sys.executable, "-I", "-c", SERVICE, str(self.port), str(self.folder / "live")]
        process = subprocess.Popen(argv)
        try:
            yield
        finally:
            children.end(process)


def asking_agent() -> list[str]:
    """The command of the example agent that asks before it works."""
    return [sys.executable, "-I", str(EXAMPLES / "asking_agent.py")]

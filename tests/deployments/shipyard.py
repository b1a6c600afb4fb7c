"""A project with a real repository, a service that reports a commit over HTTP, and steps that write what they did."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deployments import requesting
from deployments.models import Deployment, Environment, Service
from tests.deployments import build
from tests.tickets.workshop import Workshop
from tickets.models import Project

# Appends a line to a file: what it was told to do, and for which commit.
_NOTE = (
    "import os,sys;"
    "open(sys.argv[1],'a').write(sys.argv[2]+' '+os.environ['SHIPROOM_COMMIT'][:7]+'\\n');"
    "print('did',sys.argv[2])"
)


class Reporter:
    """A service whose /health reports whatever its file says."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "live"
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                commit = outer.file.read_text().strip() if outer.file.exists() else ""
                body = json.dumps({"status": "ok", "commit": commit}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    @contextlib.contextmanager
    def running(self) -> Iterator[Reporter]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


class Shipyard(Workshop):
    """``service`` has the steps build, migrate (with an undo), restart and health; ``done`` is what they noted."""

    def __init__(self, project: Project, folder: Path, reporter: Reporter, **environment: Any) -> None:
        super().__init__(project, folder)
        self.folder, self.reporter = folder, reporter
        self.notes = folder / "notes"
        self.service = build.service(project, "web", name="Build", command=self.note("build"))
        build.add_step(self.service, "migrate", "Migrate", command=self.note("migrate"), undo=self.note("undo"))
        build.add_step(self.service, "restart", "Restart", command=self.restart())
        build.add_step(self.service, "health", "Health", url="http://127.0.0.1:{PORT}/health", wall_seconds=3)
        variables = {"PORT": str(reporter.port)}
        self.environment = build.environment(project, "production", variables=variables, **environment)

    def note(self, word: str) -> list[str]:
        return [sys.executable, "-I", "-c", _NOTE, str(self.notes), word]

    def restart(self, report: str = "") -> list[str]:
        """Makes the service report the commit that goes there, or ``report``."""
        script = "import os,sys;open(sys.argv[1],'w').write(sys.argv[2] or os.environ['SHIPROOM_COMMIT'])"
        return [sys.executable, "-I", "-c", script, str(self.reporter.file), report]

    def set_step(self, n: int, **fields: Any) -> None:
        self.service.pipeline.filter(n=n).update(**fields)

    @property
    def done(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    @property
    def head(self) -> str:
        return self.git("rev-parse", "main")

    def ask(self, asked: str = "", by: Any = None, to: Environment | None = None) -> Deployment:
        """A deployment, prepared, judged, and run as far as it goes."""
        deployment = requesting.request(self.service, to or self.environment, asked=asked, by=by)
        return self.run(deployment)

    def run(self, deployment: Deployment) -> Deployment:
        self.drain("steps")
        return again(deployment)


def again(deployment: Deployment) -> Deployment:
    """The row as it is now, with what it refers to."""
    rows = Deployment.objects.select_related(
        "service__project", "environment", "release__service", "previous__service", "verdict"
    )
    return rows.get(pk=deployment.pk)


def steps_of(deployment: Deployment) -> list[tuple[str, str]]:
    return list(deployment.steps.order_by("n").values_list("name", "state"))


__all__ = ["Reporter", "Service", "Shipyard", "again", "steps_of"]

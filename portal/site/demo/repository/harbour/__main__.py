"""One process of the service: ``python -m harbour [--port N | --port-file FILE]``.

It listens on 127.0.0.1. With --port-file it takes a free port and writes it there.
"""

from __future__ import annotations

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from . import board, health, lights, notices


class Handler(BaseHTTPRequestHandler):
    # Seconds without a byte: a silent client does not keep its thread.
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, "application/json", json.dumps(health.report()))
        elif self.path == "/":
            said = f"Commit {health.commit()[:9]}, process {os.getpid()}."
            found = notices.current(os.environ.get("HARBOUR_DATABASE", ""))
            self.answer(200, "text/html; charset=utf-8", board.page(lights.LIGHTS, found, said))
        else:
            self.answer(404, "text/plain", "There is no such page.\n")

    def answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the proxy in front knows of each request."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the board of the harbour's lights.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    if options.port_file:
        draft = options.port_file.with_suffix(".draft")
        draft.write_text(str(server.server_address[1]), encoding="ascii")
        draft.replace(options.port_file)
    else:
        print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A model's API on 127.0.0.1 that answers as the ticket says: Anthropic's messages, OpenAI's responses and chat.

A ticket's text holds a line ``SCRIPT {"1": [...], "2": [...]}``: for each turn
its steps, one for each answer of the model. Which turn it is, its nonce and the
ticket are read from the newest prompt of the conversation; how many steps are
behind it, from the results of tools since.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.clis import dialects
from tests.clis.dialects import Call, Fault, Reply, Said

_SCRIPT = re.compile(r"^SCRIPT (\{.*\})$", re.MULTILINE)
_TURN = re.compile(r"MC_TICKET_TURN:\d+:(\d+):[0-9a-f]{32}")
_TICKET = re.compile(r"You work on ticket (\S+) ")
SHELLS = ("Bash", "exec_command", "shell")
Json = dict[str, Any]


class Request(NamedTuple):
    """What a command line sent: the whole of its conversation as text, the tools it offered, what it was answered."""

    ticket: str
    turn: int
    text: str
    tools: tuple[str, ...]
    answered: str


@dataclass
class ModelApi:
    """``seen`` are the requests of scripted turns, in order; ``asides`` counts those without a prompt of ours."""

    port: int = 0
    seen: list[Request] = field(default_factory=list)
    asides: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, ticket: str, turn: int = 0) -> list[Request]:
        return [found for found in self.seen if found.ticket == ticket and turn in {0, found.turn}]

    def answer(self, said: list[Said], tools: list[Json]) -> Reply:
        found = _newest_prompt(said)
        if found is None or not tools:
            self.asides += 1
            return Reply("Noted.")
        place, prompt = found
        nonce = list(_TURN.finditer(prompt))[-1]
        key = _TICKET.findall(prompt)[-1]
        steps = json.loads(_SCRIPT.findall(prompt)[-1]).get(nonce[1], [])
        behind = sum(1 for each in said[place + 1 :] if each.role == "result")
        step = steps[behind] if behind < len(steps) else ["say", "That is all."]
        reply = _reply(step, tools, key, nonce[0])
        whole = "\n".join(f"{each.role}: {each.text}" for each in said)
        names = tuple(str(tool["name"]) for tool in tools)
        self.seen.append(Request(key, int(nonce[1]), whole, names, json.dumps(step)))
        return reply


def script(turns: dict[int, list[list[Any]]]) -> str:
    """The line of a ticket's text.

    ["shell", command], ["tool", name, arguments], ["say", text], ["signal", word, payload], ["fail", status]
    """
    return "SCRIPT " + json.dumps(turns)


def _newest_prompt(said: list[Said]) -> tuple[int, str] | None:
    for place in range(len(said) - 1, -1, -1):
        if said[place].role == "user" and _SCRIPT.search(said[place].text) and _TURN.search(said[place].text):
            return place, said[place].text
    return None


def _reply(step: list[Any], tools: list[Json], key: str, nonce: str) -> Reply:
    match step:
        case ["shell", command]:
            tool = next(tool for name in SHELLS for tool in tools if tool["name"] == name)
            named = next(name for name in ("command", "cmd") if name in tool["schema"].get("properties", {}))
            return Reply("I use the shell.", Call(tool["name"], {named: command}, tool.get("namespace", "")))
        case ["tool", name, arguments]:
            served = [tool for tool in tools if tool["name"].endswith(name)]
            if not served:
                return Reply(f"There is no tool {name}.")
            return Reply(f"I use {name}.", Call(served[0]["name"], arguments, served[0].get("namespace", "")))
        case ["signal", word, payload]:
            line = {"mc_signal": word, "ticket": key, "nonce": nonce, "payload": payload}
            return Reply(f"That is my answer.\n{json.dumps(line)}")
        case ["fail", status]:
            return Reply("", fault=Fault(int(status)))
        case ["say", text]:
            return Reply(str(text))
    raise ValueError(f"no step: {step}")


@contextlib.contextmanager
def serving() -> Iterator[ModelApi]:
    """The API, on a port of its own."""
    api = ModelApi()
    handler = type("Handler", (_Handler,), {"api": api})
    server = _Server(("127.0.0.1", 0), handler)
    api.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A command line that was ended hangs up in the middle of a word."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ModelApi

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self._json(200, {})

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith("/models"):
            models = [{"id": "scripted", "object": "model", "type": "model", "display_name": "scripted", "created": 1}]
            self._json(200, {"object": "list", "data": models, "models": [], "has_more": False})
        else:
            self._json(404, {"error": {"type": "not_found_error", "message": "There is nothing here."}})

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = self._body()
        if path.endswith("/count_tokens"):
            self._json(200, {"input_tokens": 1000})
            return
        dialect = dialects.of(path)
        if dialect is None:
            self._json(404, {"error": {"type": "not_found_error", "message": "There is nothing here."}})
            return
        reply = self.api.answer(*dialect.read(body))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if reply.fault is not None:
                self._json(reply.fault.status, dialect.fault(reply.fault))
            elif body.get("stream"):
                self._stream(dialect.stream(reply, str(body.get("model", "scripted"))))
            else:
                self._json(200, dialect.whole(reply, str(body.get("model", "scripted"))))

    def _body(self) -> Json:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            raw = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        found: Json = json.loads(raw or b"{}")
        return found

    def _json(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Iterator[tuple[str, Json | str]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name, event in events:
            data = event if isinstance(event, str) else json.dumps(event)
            part = (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


__all__ = ["ModelApi", "Request", "script", "serving"]

"""The portal's doors, as a client sees them that goes on asking: an answer, a refusal, or no answer."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from tests.engines.visitor import Page, Visitor

ANSWER_SECONDS = 15


class NoAnswer(Exception):
    """Nobody knows whether it was done: the door was closed, broke off, or said 5xx."""


class Refusal(Exception):
    """The portal said no, and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


class Api:
    """JSON over HTTP with one token."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url, self.token = base_url, token

    def get(self, path: str) -> Any:
        return self._ask(path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base_url}/api/v1{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise _verdict(error.code, text) from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise NoAnswer(type(problem).__name__) from None


class Person:
    """A person with a session: pages and forms."""

    def __init__(self, base_url: str, email: str, password: str) -> None:
        self.visitor, self.email, self.password = Visitor(base_url), email, password

    def sign_in(self) -> None:
        self.visitor.sign_in(self.email, self.password)

    def open_ticket(self, project: str, title: str) -> str:
        """The key of the ticket; the same words within a minute are the same one."""
        if not self.visitor.token:
            self._page(lambda: self.visitor.get("/tickets/new/"))
        fields = {"project": project, "title": title, "body": "It is there to be done."}
        page = self._page(lambda: self.visitor.post("/tickets/new/", fields))
        return page.path.strip("/").split("/")[1]

    def _page(self, ask: Any) -> Page:
        try:
            page: Page = ask()
        except (OSError, http.client.HTTPException) as problem:
            raise NoAnswer(type(problem).__name__) from None
        if page.status >= 400:
            raise _verdict(page.status, page.text)
        return page


def _verdict(status: int, text: str) -> Exception:
    return NoAnswer(str(status)) if status >= 500 else Refusal(status, text)


class Pace:
    """Pauses of a client, longer after each time that nobody answered; ``over`` once nobody should begin anything."""

    def __init__(self, seed: int, over: threading.Event) -> None:
        self.chance, self.over = random.Random(seed), over

    def rest(self, seconds: float) -> None:
        time.sleep(seconds * self.chance.uniform(0.5, 1.5))

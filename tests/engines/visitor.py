"""A person at the door of a running web process: pages, forms, and the live socket. No browser, nothing mocked."""

from __future__ import annotations

import json
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html import unescape
from http.cookiejar import CookieJar
from typing import Any

from websockets.sync.client import ClientConnection, connect

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    url: str
    text: str

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.url).path

    def hidden(self, name: str, *, form: str = "") -> str:
        """A hidden field's value; ``form`` is text of the form's action that it lies in."""
        scope = self.text
        if form:
            found = re.search(rf'<form[^>]*action="[^"]*{re.escape(form)}[^"]*".*?</form>', self.text, re.DOTALL)
            if found is None:
                raise AssertionError(f"no form for {form} on {self.url}")
            scope = found[0]
        for field_name, value in _HIDDEN.findall(scope):
            if field_name == name:
                return unescape(value)
        raise AssertionError(f"no hidden field {name} on {self.url}")


@dataclass(slots=True)
class Visitor:
    base_url: str
    cookies: CookieJar = field(default_factory=CookieJar)
    token: str = ""

    def get(self, path: str) -> Page:
        return self._open(urllib.request.Request(self.base_url + path))

    def post(self, path: str, data: dict[str, Any], files: dict[str, tuple[str, bytes]] | None = None) -> Page:
        """Send a form with the CSRF token of the last page; redirects are followed."""
        fields = {"csrfmiddlewaretoken": self.token, **data}
        if files is None:
            body, kind = urllib.parse.urlencode(fields, doseq=True).encode(), "application/x-www-form-urlencoded"
        else:
            body, kind = _multipart(fields, files)
        headers = {"Content-Type": kind, "Referer": self.base_url + path, "Origin": self.base_url}
        return self._open(urllib.request.Request(self.base_url + path, data=body, headers=headers))

    def sign_in(self, email: str, password: str) -> Page:
        first = self.get("/accounts/login/")
        assert self.token, f"no form to sign in: {first.status}\n{first.text[:2000]}"
        page = self.post("/accounts/login/", {"login": email, "password": password})
        assert page.path != "/accounts/login/", "the sign-in was refused"
        return page

    def socket(self) -> ClientConnection:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)
        address = self.base_url.replace("http", "ws", 1) + "/ws/live/"
        return connect(address, origin=self.base_url, additional_headers={"Cookie": cookies})  # type: ignore[arg-type]

    def _open(self, request: urllib.request.Request) -> Page:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        try:
            with opener.open(request, timeout=30) as response:
                page = Page(response.status, response.url, response.read().decode())
        except urllib.error.HTTPError as error:
            page = Page(error.code, error.url or request.full_url, error.read().decode(errors="replace"))
        found = _TOKEN.search(page.text)
        if found:
            self.token = found[1]
        return page


def _multipart(fields: dict[str, Any], files: dict[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    mark = secrets.token_hex(12)
    parts: list[bytes] = []
    for name, value in fields.items():
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, (file_name, content) in files.items():
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        parts += [head.encode(), b"Content-Type: text/plain\r\n\r\n", content, b"\r\n"]
    return b"".join([*parts, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"


def frames(socket: ClientConnection, *, until: Any, seconds: float) -> list[dict[str, Any]]:
    """Read frames until ``until(frame)`` is true. Raises ``TimeoutError``."""
    import time

    seen: list[dict[str, Any]] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        frame = json.loads(socket.recv(timeout=left))
        seen.append(frame)
        if until(frame):
            return seen
    raise TimeoutError(f"after {len(seen)} frames")

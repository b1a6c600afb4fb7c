"""One POST over HTTPS to an address that somebody else chose: to whom it may go, and for how long.

The host's addresses are looked up once, each is looked at, and the connection
goes to the very one that was: a name that answers otherwise the second time
leads nowhere else. No redirect is followed, no proxy is used, the certificate
is that of the host's name, and the answer is read up to a bound and a moment.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from portal.core.storable import storable
from tickets.addresses import place_problem

SECONDS: Final = 10.0
ANSWER_BYTES: Final = 2000
URL_CHARS: Final = 500
_PRINTED: Final = re.compile(r"[!-~]+")


class NotSent(Exception):
    """There is no answer; the message is for people. ``final`` where another try would end no otherwise."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Answer(NamedTuple):
    status: int
    # its beginning
    text: str


def problem(url: str) -> str:
    """A sentence where nothing may be sent to ``url``, whoever its host is; else empty. Asked again at each use."""
    if not _PRINTED.fullmatch(url) or "\\" in url or len(url) > URL_CHARS:
        return f"An address is written in at most {URL_CHARS} letters of ASCII, without spaces and backslashes."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "This address cannot be read."
    if parts.scheme != "https":
        return "The address begins with https://: what is told is for nobody on the way."
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "The address has no user and no password in it: name a secret of the store as its token."
    if parts.fragment:
        return "The address has no fragment."
    if not host:
        return "The address names no host."
    return place_problem(url)


def allowed(address: str, *, private: bool) -> bool:
    """Whether an address of the network may be spoken to. Those of the machine's own link are nobody's."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if (
        found.is_multicast
        or found.is_unspecified
        or found.is_link_local
        or (found.is_reserved and not found.is_loopback)
    ):
        return False
    return private or found.is_global


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False) -> Answer:
    """Send ``body`` and read how it was answered. Raises ``NotSent``."""
    if said := problem(url):
        raise NotSent(said, final=True)
    parts, until = urlsplit(url), time.monotonic() + SECONDS
    host, port = parts.hostname or "", parts.port or 443
    connection, inner = http.client.HTTPSConnection(host, port, timeout=SECONDS), None
    try:
        inner = _connected(host, port, until, private=private)
        connection.sock = _Wire(inner, until)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return Answer(answer.status, storable(answer.read(ANSWER_BYTES).decode("utf-8", "replace")))
    except TimeoutError:
        raise NotSent(f"{host} did not answer within {SECONDS:.0f} s.") from None
    except ssl.SSLError as error:
        raise NotSent(
            f"The certificate of {host} is not one that is trusted for it: {error.reason or error}."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(f"{host} gave no answer: {error or type(error).__name__}.") from None
    finally:
        if inner is not None:
            inner.close()


def _connected(host: str, port: int, until: float, *, private: bool) -> ssl.SSLSocket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotSent(f"No address of {host} is known.") from None
    places = list(dict.fromkeys(str(one[4][0]) for one in found))
    # One that may not be is enough: which of them is taken is the sender's luck.
    if not all(allowed(place, private=private) for place in places):
        raise NotSent(
            f"{host} is an address of a private network, to which nothing is told unless an admin allows it.",
            final=True,
        )
    plain = socket.create_connection((places[0], port), timeout=_left(until))
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Wire:
    """A connection with one end for all of it: who answers a byte at a time is not waited for longer."""

    def __init__(self, inner: ssl.SSLSocket, until: float) -> None:
        self._inner, self._until = inner, until

    def sendall(self, data: Any) -> None:
        self._inner.settimeout(_left(self._until))
        self._inner.sendall(data)

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._inner, self._until))

    def close(self) -> None:
        """Called once the head of an answer is read; its body still comes, and whoever connected closes."""


class _Reading(io.RawIOBase):
    def __init__(self, inner: ssl.SSLSocket, until: float) -> None:
        self._inner, self._until = inner, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._inner.settimeout(_left(self._until))
        return self._inner.recv_into(buffer)

"""Is an address free, does an engine answer: asked before and while things start."""

from __future__ import annotations

import errno
import http.client
import socket
from urllib.parse import urlsplit

from django.db import connection
from django.db.utils import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from portal.core.redaction import redact

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Refused(Exception):
    """This machine does not grant what a setting asks for; the message names the variable."""

    def __init__(self, variable: str, sentence: str) -> None:
        super().__init__(f"{variable}: {sentence}")


def check_free(host: str, port: int) -> None:
    """Raise ``Refused`` unless a server could listen on ``host:port`` now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise Refused("HOST", f"{host!r} is no address of this machine.") from None
    try:
        with socket.socket(family, kind, protocol) as listener:
            # As uvicorn does: connections of an earlier run that are closing do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused("PORT", f"{port} is taken on {host}; choose another or stop what listens there.") from None
        if error.errno == errno.EACCES:
            raise Refused("PORT", f"{port} may only be listened on by root.") from None
        raise Refused("HOST", f"{host!r} cannot be listened on ({error.strerror}).") from None


def http_status(host: str, port: int, path: str, host_header: str) -> int:
    """The status of a GET, or 0 where nothing answers within two seconds."""
    client = http.client.HTTPConnection(_EVERYWHERE.get(host, host), port, timeout=2)
    try:
        client.request("GET", path, headers={"Host": host_header})
        return client.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        client.close()


def ask_database() -> None:
    """Raise ``Refused`` unless the database takes a connection."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        # The driver's text names host and reason, never the password.
        raise Refused("DATABASE_URL", f"the database does not answer: {_one_line(error)}") from None


def ask_store(url: str) -> None:
    """Raise ``Refused`` unless the store at ``url`` answers."""
    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as store:
            store.ping()
    except (RedisError, OSError, ValueError) as error:
        raise Refused("REDIS_URL", f"the store does not answer: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return redact(" ".join(str(error).split()))[:300]


def host_header(base_url: str) -> str:
    return urlsplit(base_url).netloc

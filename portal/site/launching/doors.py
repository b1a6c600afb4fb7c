"""Is an address free, does a server answer: asked before and while things start."""

from __future__ import annotations

import errno
import http.client
import socket
from urllib.parse import urlsplit

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class AddressRefused(Exception):
    """The address cannot be listened on: ``variable`` says which setting to change."""

    def __init__(self, variable: str, sentence: str) -> None:
        super().__init__(sentence)
        self.variable = variable
        self.sentence = sentence


def check_free(host: str, port: int) -> None:
    """Raise ``AddressRefused`` unless a server could listen on ``host:port`` now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError:
        raise AddressRefused("HOST", f"{host!r} is no address of this machine.") from None
    try:
        with socket.socket(family, kind, protocol) as listener:
            # As uvicorn does: connections of an earlier run that are closing do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressRefused("PORT", f"{port} is taken on {host}; choose another or stop what listens there.") from None
        if error.errno == errno.EACCES:
            raise AddressRefused("PORT", f"{port} may only be listened on by root.") from None
        raise AddressRefused("HOST", f"{host!r} cannot be listened on ({error.strerror}).") from None


def http_status(host: str, port: int, path: str, host_header: str) -> int:
    """The status of a GET, or 0 where nothing answers within two seconds."""
    connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host), port, timeout=2)
    try:
        connection.request("GET", path, headers={"Host": host_header})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def host_header(base_url: str) -> str:
    return urlsplit(base_url).netloc

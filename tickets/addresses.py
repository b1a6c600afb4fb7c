"""What the address of a repository tells: how it is reached, and at which host.

It is read more strictly than git and ssh read it: what could be taken for
another host by one of them is no address here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.conf import settings

SCHEMES: Final = ("https", "http", "ssh", "git", "file", "git+ssh", "ssh+git")
# What git calls the way there, by the scheme.
_PROTOCOLS: Final = {"git+ssh": "ssh", "ssh+git": "ssh"}
_DEFAULT_PORTS: Final = {"ssh": 22, "https": 443, "http": 80, "git": 9418}
# host:path and user@host:path, as ssh has them; never helper::address.
_SHORT: Final = re.compile(r"(?:(?P<user>\w[\w.-]*)@)?(?P<host>\w[\w.-]*):(?!:|//).+", re.ASCII)
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^@/\\?#]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{0,5}))?(?:/.*)?",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Address:
    """``protocol`` is git's word (file, ssh, https, http, git); a local one has no host."""

    protocol: str
    host: str = ""
    port: int = 0

    @property
    def local(self) -> bool:
        return self.protocol == "file"

    @property
    def place(self) -> str:
        """Host and port as known_hosts and URLs of https name them; the port only where it is another."""
        if self.port == _DEFAULT_PORTS.get(self.protocol):
            return self.host
        if self.protocol == "ssh":
            return f"[{self.host.strip('[]')}]:{self.port}"
        return f"{self.host}:{self.port}"


def address_of(repository: str) -> Address | None:
    """The parts of ``repository``; None where it is neither an absolute path nor an address that can be read."""
    scheme, separator, _ = repository.partition("://")
    if repository.startswith("/") or (separator and scheme.lower() == "file"):
        return Address("file")
    if not separator:
        short = _SHORT.fullmatch(repository)
        return Address("ssh", short["host"].lower(), _DEFAULT_PORTS["ssh"]) if short else None
    found = _URL.fullmatch(repository)
    if found is None or found["scheme"].lower() not in SCHEMES:
        return None
    protocol = _PROTOCOLS.get(found["scheme"].lower(), found["scheme"].lower())
    return Address(protocol, found["host"].lower(), int(found["port"] or _DEFAULT_PORTS[protocol]))


def place_problem(repository: str) -> str:
    """A sentence where this installation has no repositories there; else empty. Asked again at each use."""
    found = address_of(repository)
    if found is None:
        return (
            "No host can be read in this address, so nothing is fetched from it." if settings.REPOSITORY_HOSTS else ""
        )
    if found.local:
        return "" if settings.REPOSITORY_LOCAL else "This installation has no repositories on its own machines."
    if settings.REPOSITORY_HOSTS and found.host not in settings.REPOSITORY_HOSTS:
        return f"This installation has repositories of these hosts only: {', '.join(settings.REPOSITORY_HOSTS)}."
    return ""

"""Who a host of repositories is: its public keys as an admin has confirmed them, in lines of known_hosts."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import subprocess
from typing import Final

from portal.core import limits
from tickets import git
from tickets.addresses import Address

MOST_CHARS: Final = 20_000
_MARKERS: Final = frozenset({"@cert-authority", "@revoked"})
_ASKED: Final = "ed25519,ecdsa,rsa"
_SCAN_SECONDS: Final = 5


def lines_problem(text: str, address: Address) -> str:
    """A sentence where these lines cannot tell who ``address`` is; else empty."""
    lines = _lines(text)
    for n, line in lines:
        fields = _fields(line)
        if len(fields) < 3:
            return f"Line {n}: a line has a host, the kind of its key, and the key."
        if fields[0].startswith("@") or not _blob(fields):
            return f"Line {n}: {git.printable(fields[1])[:40]} is followed by no key of that kind."
    if lines and not is_known(text, address):
        return f"None of these lines is about {address.place}."
    return ""


def is_known(text: str, address: Address) -> bool:
    """Whether a line is about the host and not about a key that was taken back."""
    return any(
        not line.startswith("@revoked") and _is_about(_fields(line)[0], address.place)
        for _, line in _lines(text)
        if _fields(line)
    )


def unconfirmed(address: Address) -> str:
    """That nobody has confirmed who the host is, and what it says itself, for somebody to compare."""
    said = _scanned(address)
    if not said:
        return f"Nobody has confirmed the host keys of {address.place}, and it gave none when it was asked now."
    shown = ", ".join(f"{_fingerprint(line)} ({_fields(line)[1]})" for line in said)
    return (
        f"Nobody has confirmed the host keys of {address.place}. Asked now, it shows {shown}. Compare that with what"
        f" those who run it publish; where it is the same, an admin stores these lines as the project's host keys:\n"
        + "\n".join(said)
    )


def _scanned(address: Address) -> list[str]:
    argv = ["ssh-keyscan", "-T", str(_SCAN_SECONDS), "-t", _ASKED, "-p", str(address.port), address.host.strip("[]")]
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=4 * _SCAN_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    told = [line for _, line in _lines(done.stdout[: limits.value("ERROR_TEXT_CHARS")].decode("ascii", "replace"))]
    return [line for line in told if len(_fields(line)) >= 3 and _blob(_fields(line))]


def _lines(text: str) -> list[tuple[int, str]]:
    stripped = ((n, line.strip()) for n, line in enumerate(text.splitlines(), start=1))
    return [(n, line) for n, line in stripped if line and not line.startswith("#")]


def _fields(line: str) -> list[str]:
    fields = line.split()
    return fields[1:] if fields[0] in _MARKERS else fields


def _blob(fields: list[str]) -> bytes:
    """The key itself, which begins with the name of its kind; empty where it is none."""
    try:
        found = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return b""
    kind = fields[1].encode()
    return found if found[4 : 4 + len(kind)] == kind and found[:4] == len(kind).to_bytes(4, "big") else b""


def _fingerprint(line: str) -> str:
    digest = hashlib.sha256(_blob(_fields(line))).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _is_about(names: str, place: str) -> bool:
    """By the rules of known_hosts: several names with wildcards, one of them may say no, or one that is hashed."""
    if names.startswith("|1|"):
        return _is_hash_of(names, place)
    own = [name.lower() for name in names.split(",")]
    if any(name.startswith("!") and _matches(place, name[1:]) for name in own):
        return False
    return any(_matches(place, name) for name in own)


def _matches(place: str, name: str) -> bool:
    # Brackets are of an address here, and no class of characters.
    return fnmatch.fnmatchcase(place, name.replace("[", "[[]"))


def _is_hash_of(names: str, place: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in names.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, place.encode(), hashlib.sha1).digest(), digest)

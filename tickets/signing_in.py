"""How git signs in at a project's repository: for one command, and by nothing that outlives it.

A key or a token is held in memory of this process that has no name in any
folder; what git starts for the command opens it there. It stands in no
argument, no variable, no file and no setting, and none of the children that an
agent gets can look there from a box.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from portal.core import redaction, secrets
from tickets import host_keys
from tickets.addresses import Address
from tickets.git import Access
from tickets.models import Project
from workers.failures import BadInput

USER: Final = "x-access-token"
TOKEN_LEAST_CHARS: Final = 8
# What holds for every connection by ssh; a connection that stays would keep what it inherits from us.
_SSH: Final = "ssh -o BatchMode=yes -o ControlMaster=no -o ControlPath=none -o ConnectTimeout=20"


@contextmanager
def signed_in(project: Project, address: Address) -> Iterator[Access]:
    """What a git command that talks to ``address`` is given, good within the block.

    No other protocol than that of the address, and no redirect to another
    place. Raises ``BadInput`` where the project's credential cannot be used.
    """
    environment = {"GIT_ALLOW_PROTOCOL": address.protocol}
    settings = {"http.followRedirects": "false", "http.sslVerify": "true"}
    with ExitStack() as held:
        if address.protocol == "ssh":
            environment["GIT_SSH_COMMAND"] = _ssh(project, address, held)
        elif project.access_token:
            settings |= _token(project, address, held)
        yield Access(environment, settings)


def key_problem(text: str) -> str:
    """A sentence where this is no private key that can be used without anybody there; else empty."""
    key = _as_lines(text).encode()
    is_ssh = key.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    load = serialization.load_ssh_private_key if is_ssh else serialization.load_pem_private_key
    locked = "has a passphrase, and nobody is there to type it. Store one without"
    try:
        if is_ssh and _is_sealed(key):
            return locked
        load(key, None)
    except TypeError:
        return locked
    except UnsupportedAlgorithm:
        return "is of a kind that is not known here; an Ed25519 key is"
    except ValueError:
        return "is no private key of SSH: its text begins with -----BEGIN and is whole"
    return ""


def _is_sealed(key: bytes) -> bool:
    """Whether a key of OpenSSH's own form names a cipher. Raises ``ValueError`` where it has not that form."""
    body = base64.b64decode(b"".join(key.splitlines()[1:-1]), validate=True).removeprefix(b"openssh-key-v1\0")
    return body[4 : 4 + int.from_bytes(body[:4], "big")] != b"none"


def token_problem(text: str) -> str:
    """The same of an access token."""
    if len(text) < TOKEN_LEAST_CHARS or not text.isascii() or not text.isprintable() or " " in text:
        return f"is no access token: {TOKEN_LEAST_CHARS} or more printable characters without a blank"
    return ""


def credential_problem(text: str, address: Address | None, *, by_key: bool) -> str:
    """A sentence where the secret named ``text`` cannot sign in at ``address``; else empty."""
    if address is not None and address.protocol != ("ssh" if by_key else "https"):
        other = "An access token is for https://" if not by_key else "A deploy key is for ssh"
        return f"{other}, and the repository is reached by {'path' if address.local else address.protocol}."
    try:
        value = secrets.reveal(text)
    except secrets.SecretUnreadable as missing:
        return str(missing)
    problem = key_problem(value) if by_key else token_problem(value)
    return f"The secret {text} {problem}." if problem else ""


def _ssh(project: Project, address: Address, held: ExitStack) -> str:
    """Without a deploy key it is as the worker's user has it."""
    found = _SSH
    if project.deploy_key:
        if problem := credential_problem(project.deploy_key, address, by_key=True):
            raise BadInput(f"The deploy key of {project.key} cannot be used. {problem}")
        if not host_keys.is_known(project.host_keys, address):
            raise BadInput(host_keys.unconfirmed(address))
        value = _as_lines(secrets.reveal(project.deploy_key))
        # Without a person's settings: no other key, no agent of keys, no other way there.
        redaction.learn(line for line in value.splitlines() if "-----" not in line)
        found += f" -F none -i {held.enter_context(_held(value))} -o IdentitiesOnly=yes -o IdentityAgent=none"
        found += " -o PreferredAuthentications=publickey"
    if project.host_keys:
        known = held.enter_context(_held(f"{project.host_keys.strip()}\n"))
        found += f" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=/dev/null"
        found += " -o UpdateHostKeys=no"
    return found


def _token(project: Project, address: Address, held: ExitStack) -> dict[str, str]:
    if problem := credential_problem(project.access_token, address, by_key=False):
        raise BadInput(f"The access token of {project.key} cannot be used. {problem}")
    value = secrets.reveal(project.access_token)
    told = held.enter_context(_held(f"username={project.access_user or USER}\npassword={value}\n"))
    # Asked by git for this one host alone; what git would have it store or erase is not heard.
    return {f"credential.https://{address.place}.helper": f'!f() {{ if [ "$1" = get ]; then cat {told}; fi; }}; f'}


@contextmanager
def _held(text: str) -> Iterator[str]:
    """A path at which children of this process read ``text`` within the block.

    It is memory of this process, which is gone with it where it is killed.
    """
    descriptor = os.memfd_create("shiproom", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _as_lines(key: str) -> str:
    """A key with its line ends, which a field of one line took away."""
    text = key.strip().replace("\r\n", "\n")
    if "\n" not in text and text.startswith("-----BEGIN ") and text.endswith("-----"):
        begin, _, rest = text.removeprefix("-----").partition("-----")
        body, _, end = rest.removesuffix("-----").partition("-----")
        packed = "".join(body.split())
        pieces = [packed[at : at + 70] for at in range(0, len(packed), 70)]
        text = "\n".join([f"-----{begin}-----", *pieces, f"-----{end}-----"])
    return f"{text}\n"

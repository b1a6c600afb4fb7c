"""An agent's own login: files of the secret store, written into the home that its turn gets.

The home is the agent's, so whatever lies in it may be a trap: each folder on
the way is opened by itself and no link is followed. What was written is noted
beside the home, where the agent writes nothing: a file that the agent's program
refreshed is kept until the secret is another one.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import re
import secrets as randomness
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from portal.core import redaction, secrets
from workers.failures import BadInput

MOST_FILES: Final = 20
MOST_BYTES: Final = 262_144
PATH_CHARS: Final = 200
DEEPEST: Final = 8
_TOKEN: Final = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[^\s@]{16,}")
_NO_TOKEN: Final = re.compile(r"https?://.*|[\dTZ:.+-]+")
_READ_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def fault(path: str) -> str:
    """Why this cannot be a path below a home; empty where it can."""
    if not path or len(path) > PATH_CHARS or not path.isprintable():
        return f"A path has 1 to {PATH_CHARS} printable characters."
    parts = path.split("/")
    if path.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        return f"{path!r} is no path below HOME: it begins with no /, and holds no empty part, no . and no .. ."
    return f"{path!r} is more than {DEEPEST} folders deep." if len(parts) > DEEPEST else ""


def write(login: Mapping[str, str], home: Path) -> None:
    """Put the files there that are missing, or of which the secret changed. Raises ``BadInput``.

    What they hold is cut from everything that is written down, from here on.
    """
    if not login:
        return
    noted = _noted(home)
    for path, name in login.items():
        if wrong := fault(path):
            raise BadInput(f"The login cannot be written: {wrong}")
        content = _revealed(name)
        seal = _seal(name, content)
        try:
            with _folder(home, path) as (folder, last):
                if noted.get(path) == seal and (kept := _kept(folder, last)) is not None:
                    _learn(kept.decode("utf-8", "replace"))
                    continue
                _replace(folder, last, content)
        except OSError as problem:
            why = "a link stands in its way" if problem.errno in {errno.ELOOP, errno.ENOTDIR} else problem.strerror
            raise BadInput(f"The login file {path} cannot be written into the agent's home: {why}.") from problem
        noted[path] = seal
    _note(home, {path: seal for path, seal in noted.items() if path in login})


def _revealed(name: str) -> bytes:
    try:
        value = secrets.reveal(name)
    except secrets.SecretUnreadable as missing:
        raise BadInput(str(missing)) from None
    content = value.encode()
    if len(content) > MOST_BYTES:
        raise BadInput(f"The secret {name} has {len(content):,} bytes; a login file has at most {MOST_BYTES:,}.")
    _learn(value)
    return content


def _learn(text: str) -> None:
    """Of a file of JSON, each value that looks like a token is a secret by itself."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        redaction.learn([text.strip()])
        return
    redaction.learn([text.strip(), *_tokens(found)])


def _tokens(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as inner:
                pending += inner.values()
            case list() as inner:
                pending += inner
            case str() as text if _TOKEN.fullmatch(text) and not _NO_TOKEN.fullmatch(text):
                yield text


@contextmanager
def _folder(home: Path, path: str) -> Iterator[tuple[int, str]]:
    """The folder of that file, made where it is missing, and the file's name in it."""
    *parts, last = path.split("/")
    here = os.open(home, _READ_FOLDER)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=here)
            inner = os.open(part, _READ_FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        yield here, last
    finally:
        os.close(here)


def _kept(folder: int, name: str) -> bytes | None:
    """What lies there, the begin of it; None where there is no plain file."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            return None
        raise
    with open(opened, "rb") as file:
        return file.read(MOST_BYTES) if stat.S_ISREG(os.fstat(opened).st_mode) else None


def _replace(folder: int, name: str, content: bytes) -> None:
    """By renaming: who looks meanwhile sees the one or the other, and a link of that name is no more."""
    half = f".{randomness.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(half, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(content)
    try:
        os.rename(half, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(half, dir_fd=folder)
        raise


def _seal(name: str, content: bytes) -> str:
    """Says whether it is the same secret, and nothing about it to who has no key."""
    key = settings.SECRETS_KEY.encode()
    return hmac.new(key, name.encode() + b"\0" + content, hashlib.sha256).hexdigest()


def _notes(home: Path) -> Path:
    return home.with_name(f"{home.name}.login")


def _noted(home: Path) -> dict[str, str]:
    try:
        found = json.loads(_notes(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(home: Path, noted: Mapping[str, str]) -> None:
    half = home.with_name(f"{home.name}.login.half")
    half.write_text(json.dumps(noted), encoding="utf-8")
    half.rename(_notes(home))

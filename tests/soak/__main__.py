"""``python -m tests.soak --minutes M --seed S --engine sqlite|postgres``: one verdict on standard output, as JSON.

Exit code 0 only where it is ok. What the run says of itself goes to standard
error. Its folder is kept where it was not ok, and named in the verdict.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tests.engines import postgresql, template, valkey
from tests.soak import servers


def main(argv: list[str]) -> int:
    options = _read(argv)
    signal.signal(signal.SIGTERM, _end)
    # Short: a socket's path has room for 103 bytes.
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    began = time.monotonic()
    try:
        found = _run(options, folder)
    except Exception as problem:
        # A run that did not come to its end proves nothing.
        traceback.print_exc()
        found = {"ok": False, "void": f"{type(problem).__name__}: {problem}"[:500]}
    head = {"engine": options.engine, "seed": options.seed, "minutes": options.minutes}
    found = head | found | {"seconds": round(time.monotonic() - began)}
    if found["ok"]:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        found["folder"] = str(folder)
    print(json.dumps(found, indent=1), flush=True)
    return 0 if found["ok"] else 1


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with _ground(options.engine, folder) as (store, database):
        import django

        django.setup()
        from tests.soak import running

        return running.soak(options.minutes, options.seed, folder, store, database)


def _read(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Break the whole portal, and check it.")
    parser.add_argument("--minutes", type=float, default=2.0, help="of breaking; start and settling come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="postgres")
    options = parser.parse_args(argv)
    if not 0.2 <= options.minutes <= 24 * 60:
        parser.error("--minutes is 0.2 to 1440")
    return options


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _ground(engine: str, folder: Path) -> Iterator[tuple[servers.Store, servers.Database | None]]:
    """Servers of our own, a migrated database, and this process's settings."""
    with contextlib.ExitStack() as stack:
        store = servers.Store(valkey.start())
        stack.callback(lambda: store.server.stop())
        url, server = f"sqlite:///{folder / 'soak.sqlite3'}", None
        if engine == "postgres":
            server = postgresql.start()
            database = servers.Database(server, postgresql.database_url(server.url, "soak"))
            stack.callback(lambda: _put_away(database, folder))
            url = database.url
        (folder / "data" / "static").mkdir(mode=0o700, parents=True)
        for name in [name for name in os.environ if name.startswith(("DJANGO_", "CELERY_", "TEST_", "DATABASE_"))]:
            del os.environ[name]
        os.environ.update(servers.environment(folder, store.url, url))
        template.make(url, server.url if server else url, os.environ)
        yield store, database if server else None


def _put_away(database: servers.Database, folder: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.copy(database.server.directory / "log", folder / "postgresql.log")
    database.server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write the schema guard's manifest of each engine: ``python -m tests.manifests``, after a migration."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.engines import postgresql

ROOT = Path(__file__).resolve().parent.parent


def write(database_url: str, folder: Path) -> None:
    environment = {**os.environ, "DATA_DIR": str(folder / "data"), "DATABASE_URL": database_url}
    for arguments in (["migrate", "--no-input", "-v", "0"], ["schema_guard", "--write-manifest"]):
        subprocess.run([sys.executable, str(ROOT / "manage.py"), *arguments], env=environment, cwd=ROOT, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sr-") as name:
        folder = Path(name)
        write(f"sqlite:///{folder / 'manifest.sqlite3'}", folder)
        server = postgresql.start()
        try:
            write(server.url, folder)
        finally:
            server.stop()


if __name__ == "__main__":
    main()

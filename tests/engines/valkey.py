"""A Valkey of our own, in a temporary folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from portal.site.launching import valkey
from tests.engines import children


@dataclass(slots=True)
class Valkey:
    url: str
    directory: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        children.end(self.process, seconds=5)
        shutil.rmtree(self.directory, ignore_errors=True)


def start() -> Valkey:
    # A short folder: a socket's path has room for 103 bytes.
    directory = Path(tempfile.mkdtemp(prefix="srv-", dir="/tmp"))
    socket_path = directory / "valkey.sock"
    process = children.start(valkey.arguments(directory, socket_path), log=directory / "log")
    children.wait_for("Valkey", lambda: valkey.answers(socket_path), seconds=10, process=process)
    return Valkey(f"unix://{socket_path}", directory, process)

"""The host as the rest of the demo sees it: how it is started, and how it is asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from portal.site.demo import folders

SECONDS: Final = 120


class HostFailed(Exception):
    """The host said no, or a script of the service did; the message is what it said."""


def command() -> list[str]:
    """The host's command line, for ``manage.py up``."""
    places = (folders.socket(), folders.state(), folders.lock())
    return [sys.executable, "-m", "portal.site.demo.host", *(str(path) for path in places)]


def ask(**request: Any) -> bool:
    """Have the host do something; false where none runs. Raises ``HostFailed``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        try:
            connection.connect(str(folders.socket()))
        except OSError:
            return False
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            said = [json.loads(line) for line in connection.makefile(encoding="utf-8")]
        except (OSError, ValueError) as problem:
            raise HostFailed(f"The demo's host did not answer to the end: {problem}") from problem
    if not said or said[-1].get("ended") != "well":
        raise HostFailed(" ".join(str(line["said"]) for line in said if "said" in line) or "It went away.")
    return True


def run(environment: str, commit: str, folder: str, port: int) -> None:
    """Have a built commit run; where no host runs, the next one begins with it. Raises ``HostFailed``."""
    wanted = {"commit": commit, "before": [], "folder": folder, "port": port}
    if ask(do="run", environment=environment, commit=commit, folder=folder, port=port):
        return
    state = folders.state()
    known = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    state.write_text(json.dumps(known | {environment: wanted}, indent=1), encoding="utf-8")


def run_script(name: str, environment: dict[str, str]) -> None:
    """Run a script of the demo's repository to its end, as a deployment's step does. Raises ``HostFailed``."""
    script: Path = folders.repository() / "deploy" / name
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "-I", str(script)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        raise HostFailed(f"{name} failed: {done.stderr.strip()[-500:]}")

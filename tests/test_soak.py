"""A short soak of the whole portal on PostgreSQL: broken in every way, it loses nothing and does nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portal.core.failpoints import Failpoint

ROOT = Path(__file__).resolve().parent.parent
MINUTES = "1.1"
SEED = "1"
# Nobody waits for so long but a test that would else hang: a busy machine takes its time.
MOST_SECONDS = 780
pytestmark = [pytest.mark.postgresql, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(MOST_SECONDS + 60)]


def test_a_portal_that_is_broken_in_every_way_keeps_what_it_promised(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.soak", "--minutes", MINUTES, "--seed", SEED, "--engine", "postgres"]
    log = tmp_path / "soak.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            said, _ = process.communicate(timeout=MOST_SECONDS)
        finally:
            if process.poll() is None:
                # It ends what it has started.
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
    assert said, log.read_text(errors="replace")[-4000:]
    verdict = json.loads(said)
    print(json.dumps(verdict, indent=1))
    assert process.returncode == (0 if verdict["ok"] else 1)
    assert verdict["void"] == "", (verdict, log.read_text(errors="replace")[-4000:])
    assert {name: verdict[name] for name in ("lost", "doubled", "orphans", "deadlocks", "broken")} == dict.fromkeys(
        ("lost", "doubled", "orphans", "deadlocks", "broken"), 0
    ), verdict
    assert verdict["ok"]
    assert set(verdict["failpoints"]) == {point.name for point in Failpoint}
    assert min(verdict["failpoints"].values()) >= 1
    assert "database restarted at once" in verdict["faults"]
    assert min(verdict["faults"].values()) >= 1
    assert verdict["acknowledged"] > 50


def _environment() -> dict[str, str]:
    """Without what this run of pytest has chosen for itself: the soak has servers and settings of its own."""
    chosen = {"DATABASE_URL", "REDIS_URL", "DATA_DIR", "BASE_URL", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in chosen}

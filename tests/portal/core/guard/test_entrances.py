"""No entrance misses the guard: real processes on a database that a hand has changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils import timezone
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from portal.core.guard.commands import EXEMPT
from tests.engines import children
from tests.engines.postgresql import free_port
from tests.portal.core.guard.databases import ROOT, Database, Ground

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.postgresql]
DRIFT = "ALTER TABLE tickets_membership DROP COLUMN role"
REFUSED = "tickets_membership.role"


@pytest.fixture
def drifted(ground: Ground, unblocked: None) -> Database:
    made = ground.migrated()
    made.execute(DRIFT)
    return made


@pytest.fixture
def web(drifted: Database) -> Iterator[Callable[..., str]]:
    """Starts uvicorn on the drifted database; returns its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> str:
        port = free_port()
        argv = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
        argv += ["--ws", "websockets-sansio"]
        environment = drifted.environment | {"BASE_URL": f"http://127.0.0.1:{port}"} | more
        log = drifted.folder / "web.log"
        process = children.start(argv, log=log, env=environment, cwd=ROOT)
        started.append(process)
        children.wait_for("uvicorn", lambda: b"Uvicorn running" in log.read_bytes(), process=process)
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        children.end(process)


def asked(address: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(address, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def test_web_serves_the_refusal_on_every_path(web: Callable[..., str], drifted: Database) -> None:
    address = web()
    for path in ("/", "/admin/", "/api/v1/tickets", "/static/portal/css/shiproom.css", "/no/such/page"):
        status, headers, page = asked(address + path)
        assert (status, headers["retry-after"], headers["cache-control"]) == (503, "5", "no-store"), path
        assert "the database is not what the code expects" in page and REFUSED in page
        assert "<script" not in page and "unsafe-inline" not in headers["content-security-policy"]
    assert asked(address + "/", "POST")[0] == 503
    assert asked(address + "/", "HEAD")[2] == ""
    assert asked(address + "/livez")[::2] == (200, json.dumps({"status": "alive"}))
    status, _, body = asked(address + "/readyz")
    assert (status, json.loads(body)["missing"], json.loads(body)["code"]) == (503, ["schema"], "schema_drift")
    status, _, body = asked(address + "/status.json")
    assert (status, json.loads(body)["schema"]["answer"]) == (503, "refuse")
    status, _, body = asked(address + "/api/v1/tickets", Accept="application/json")
    assert (status, json.loads(body)["error"]["code"]) == (503, "schema_drift")
    with pytest.raises(InvalidStatus) as refused, connect(address.replace("http", "ws") + "/live"):
        pass
    assert refused.value.response.status_code == 403
    log = (drifted.folder / "web.log").read_text()
    assert REFUSED in log
    assert log.count("web does not start") == 1, "said once, not at every look"


def test_web_serves_by_itself_once_the_schema_is_right(web: Callable[..., str], drifted: Database) -> None:
    address = web()
    assert asked(address + "/livez")[0] == 200
    assert asked(address + "/")[0] == 503
    drifted.execute(
        "ALTER TABLE tickets_membership ADD COLUMN role smallint NOT NULL",
        *[f"ALTER TABLE tickets_membership ADD CONSTRAINT {row}" for row in _constraints_of_role()],
    )
    children.wait_for("the real application", lambda: asked(address + "/accounts/login/")[0] != 503, seconds=20)
    assert "503 on every page" not in asked(address + "/accounts/login/")[2]


def _constraints_of_role() -> list[str]:
    from portal.core.guard import manifest

    rows = manifest.load("postgresql").structure.tables["tickets_membership"].constraints
    return [f'"{name}" {row.definition}' for name, row in rows.items() if "role" in row.definition]


def test_an_override_opens_web_and_says_so(web: Callable[..., str], drifted: Database) -> None:
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    address = web(SCHEMA_GUARD_OVERRIDE=f"mending by hand until {until}")
    assert asked(address + "/livez")[0] == 200
    children.wait_for("the log", lambda: "overridden at web" in (drifted.folder / "web.log").read_text())


@pytest.mark.parametrize("role", ["worker", "beat"])
def test_worker_and_beat_end_with_the_report(drifted: Database, role: str) -> None:
    done = drifted.run(sys.executable, "-m", "celery", "-A", "portal", role)
    assert done.returncode == 3, done.stderr
    assert f"{role} does not start" in done.stderr and REFUSED in done.stderr


def test_the_migrate_step_makes_no_admin_on_a_schema_that_it_did_not_mend(drifted: Database, own: Database) -> None:
    done = drifted.manage("prepare")
    assert done.returncode == 3, done.stderr
    assert "prepare does not start" in done.stderr and REFUSED in done.stderr
    assert not (drifted.folder / "first-admin.txt").exists()
    assert own.manage("prepare").returncode == 0
    assert (own.folder / "first-admin.txt").exists()


def test_a_worker_without_a_database_says_that_instead(drifted: Database) -> None:
    gone = drifted.url.rpartition("/")[0] + "/nowhere_at_all"
    done = drifted.run(sys.executable, "-m", "celery", "-A", "portal", "worker", DATABASE_URL=gone)
    assert done.returncode == 4, done.stderr
    assert "The database does not answer" in done.stderr and "Code expects" not in done.stderr


# manage.py's own main() for each command line, in a fork of one interpreter that has Django loaded already.
EVERY_COMMAND = """
import os, sys
import manage
import django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()
for line in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        sys.argv = ["manage.py", *line.split()]
        try:
            manage.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            code = 99
        sys.stderr.flush()
        os._exit(code)
    print(f"\\n{line}: {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}", flush=True)
"""


def in_forks(database: Database, *lines: str) -> tuple[dict[str, int], str]:
    """The exit code of each command line, and what all said on stderr."""
    done = database.run(sys.executable, "-c", EVERY_COMMAND, *lines)
    said = [line.rpartition(": ") for line in done.stdout.splitlines()]
    codes = {line: int(code) for line, _, code in said if line in lines}
    assert set(codes) == set(lines), done.stderr[-2000:]
    return codes, done.stderr


def test_every_command_that_is_not_exempt_refuses(drifted: Database) -> None:
    names = sorted(set(get_commands()) - EXEMPT)
    assert {"flush", "loaddata", "shell", "createsuperuser", "runserver"} <= set(names)
    results, stderr = in_forks(drifted, *names)
    assert {name: code for name, code in results.items() if code != 3} == {}
    assert [name for name in names if f"command {name} does not start" not in stderr] == []


def test_other_command_lines_refuse_too(drifted: Database, tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import django.core.management as m\nm.execute_from_command_line(['mine', 'flush', '--noinput'])\n"
    )
    admin = Path(sys.executable).with_name("django-admin")
    for argv in (
        [str(admin), "flush", "--noinput"],
        [sys.executable, "-m", "django", "flush", "--noinput"],
        [sys.executable, str(script)],
    ):
        done = drifted.run(*argv)
        assert done.returncode == 3, (argv, done.stderr)
        assert "command flush does not start" in done.stderr


def test_exempt_commands_run_on_a_wrong_schema(drifted: Database) -> None:
    exempt = ("showmigrations", "migrate --plan", "help flush", "flush --help", "diffsettings", "check")
    codes, stderr = in_forks(drifted, *exempt, "no_such_command")
    assert codes == {**dict.fromkeys(exempt, 0), "no_such_command": 1}, stderr


def test_the_command_prints_and_ends_with_its_code(drifted: Database, own: Database, empty: Database) -> None:
    done = drifted.manage("schema_guard")
    assert done.returncode == 3 and REFUSED in done.stdout
    done = drifted.manage("schema_guard", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (3, "schema_drift")
    assert own.manage("schema_guard").returncode == 0
    assert "run migrate" in empty.manage("schema_guard").stdout


@pytest.mark.parametrize(("hours", "code"), [(1, 0), (-1, 3)])
def test_an_override_lets_a_command_through_until_its_end(drifted: Database, hours: int, code: int) -> None:
    until = (timezone.now() + timedelta(hours=hours)).isoformat()
    override = f"mending by hand until {until}"
    done = drifted.manage("shell", "-v", "0", "-c", "print('ran')", SCHEMA_GUARD_OVERRIDE=override)
    assert done.returncode == code, done.stderr
    assert ("ran" in done.stdout) is (code == 0)
    assert "mending by hand" in done.stderr, "an override is never silent"


def test_two_migrate_steps_run_one_after_the_other(empty: Database) -> None:
    # A few of all: how long a step takes is not what is asked.
    argv = [sys.executable, str(ROOT / "manage.py"), "migrate", "live", "--noinput"]
    processes = [
        subprocess.Popen(
            argv, cwd=ROOT, env=empty.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted("No migrations to apply" in out for out, _ in outputs) == [False, True]


def test_a_killed_migrate_step_leaves_no_lock(empty: Database) -> None:
    argv = [sys.executable, str(ROOT / "manage.py"), "migrate", "--noinput"]
    process = subprocess.Popen(argv, cwd=ROOT, env=empty.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    while b"workers" not in process.stdout.readline() and process.poll() is None:
        time.sleep(0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert empty.manage("migrate", "--noinput").returncode == 0
    assert empty.manage("schema_guard").returncode == 0

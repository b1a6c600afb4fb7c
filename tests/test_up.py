"""``manage.py up``: really started, really stopped, really killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.site.launching import doors
from tests.engines import children, leaks, postgresql
from tests.engines.template import Template

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("launching.web", "worker -Q turns", "worker -Q short", " beat ")


@dataclass
class Up:
    """A started ``manage.py up`` with a data folder of its own."""

    data: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = children.start([*command(), "up"], env=self.environment, cwd=ROOT, log=self.log)
        try:
            children.wait_for("up", self.answers, seconds=90, process=self.process)
            children.wait_for("its processes", lambda: all(self.pids(text) for text in PROGRAMS), process=self.process)
        except RuntimeError as error:
            raise AssertionError(f"{error}; it wrote:\n{self.log.read_text()[-4000:]}") from None

    @property
    def log(self) -> Path:
        return self.data.parent / "up.log"

    def answers(self) -> bool:
        return doors.http_status("127.0.0.1", self.port, "/livez", f"localhost:{self.port}") == 200

    def pids(self, text: str) -> list[int]:
        """Processes of this installation whose command line has ``text``, keepers left out."""
        found = leaks.carrying("DATA_DIR", str(self.data)).items()
        return [pid for pid, line in found if text in line and "keeper.py" not in line]

    def signal(self, number: int) -> int:
        """The exit code, within the time that a stop may take."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


def command() -> list[str]:
    return [sys.executable, str(ROOT / "manage.py")]


def plain_environment(**more: str) -> dict[str, str]:
    """What a login shell has; nothing of the suite's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "HEARTBEAT_SECONDS": "5", "GRACEFUL_STOP_SECONDS": "10", **more}


def run(*, arguments: tuple[str, ...] = ("up",), **environment: str) -> subprocess.CompletedProcess[str]:
    """One start that is expected to end by itself."""
    argv = [*command(), *arguments]
    return subprocess.run(
        argv, env=plain_environment(**environment), cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def refusal(done: subprocess.CompletedProcess[str], variable: str) -> str:
    """The one line of a refusal; asserts its form."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"shiproom: {variable}: "), lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def make_up(engine: str, database_url: str, valkey_url: str, migrated: Template) -> Iterator[Callable[..., Up]]:
    """Installations on the engine of this run: the embedded default, or servers by URL.

    Each starts as a later start does, on a migrated database; ``new`` ones have an empty one.
    """
    with contextlib.ExitStack() as stack:

        def make(*, new: bool = False) -> Up:
            folder = Path(tempfile.mkdtemp(prefix="sr-up-", dir="/tmp"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            port = postgresql.free_port()
            environment = plain_environment(DATA_DIR=str(folder / "data"), PORT=str(port))
            if engine == "postgresql":
                name = f"up_{os.getpid()}_{port}"
                url = postgresql.database_url(database_url, name)
                stack.callback(postgresql.drop_database, database_url, name)
                environment |= {"DATABASE_URL": url, "REDIS_URL": valkey_url}
                if new:
                    postgresql.create_database(database_url, name)
            else:
                (folder / "data").mkdir(mode=0o700)
                url = f"sqlite:///{folder / 'data' / 'shiproom.sqlite3'}"
            if not new:
                migrated.copy_to(url)
            found = Up(folder / "data", port, environment)
            stack.callback(end, found)
            return found

        yield make


def end(up: Up) -> None:
    if up.process is not None:
        children.end(up.process)


@pytest.fixture(scope="module")
def running(make_up: Callable[..., Up]) -> Iterator[Up]:
    up = make_up(new=True)
    up.start()
    yield up
    assert up.signal(signal.SIGTERM) == 0
    leaks.expect_none("DATA_DIR", str(up.data))


@pytest.mark.processes
@pytest.mark.slow
class TestRunning:
    def test_the_address_is_printed(self, running):
        assert f"Shiproom is at http://localhost:{running.port}\n" in running.log.read_text()

    def test_the_embedded_store_runs_where_no_other_is_named(self, running, engine):
        assert len(running.pids("valkey-server")) == (1 if engine == "sqlite" else 0)

    def test_the_first_admins_link_is_private_and_not_printed_without_a_terminal(self, running):
        path = running.data / "first-admin.txt"
        email, link = path.read_text().splitlines()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert email == "admin@localhost"
        assert link.startswith(f"http://localhost:{running.port}/accounts/password/reset/key/")
        printed = running.log.read_text()
        assert str(path) in printed
        assert link not in printed

    def test_a_second_start_on_the_same_data_is_refused(self, running):
        done = run(DATA_DIR=str(running.data), PORT=str(postgresql.free_port()))
        assert f"process {running.process.pid}" in refusal(done, "DATA_DIR")

    def test_a_killed_process_is_started_again(self, running):
        for text in ("launching.web", "worker -Q short"):
            [before] = running.pids(text)
            os.kill(before, signal.SIGKILL)
            children.wait_for(text, lambda text=text, before=before: running.pids(text) not in ([], [before]))
        children.wait_for("web", running.answers)
        assert "web ended (signal 9); starting it again in " in running.log.read_text()

    def test_a_killed_keeper_takes_its_program_along_and_both_come_back(self, running):
        [before] = running.pids(" beat ")
        os.kill(parent(before), signal.SIGKILL)
        children.wait_for("beat", lambda: running.pids(" beat ") not in ([], [before]))
        assert before not in running.pids(" beat ")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.once
@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["TERM", "INT", "KILL"],
)
def test_no_process_is_left(make_up, number, code):
    up = make_up()
    up.start()
    began = time.monotonic()
    assert up.signal(number) == code
    leaks.expect_none("DATA_DIR", str(up.data), seconds=15 if number == signal.SIGKILL else 1)
    print(f"{signal.Signals(number).name}: gone after {time.monotonic() - began:.1f} s")


@pytest.mark.once
@pytest.mark.processes
def test_a_signal_during_the_start_leaves_nothing(make_up):
    up = make_up(new=True)
    up.process = children.start([*command(), "up"], env=up.environment, cwd=ROOT, log=up.log)
    children.wait_for("prepare", lambda: up.pids("manage.py prepare"), process=up.process)
    assert up.signal(signal.SIGTERM) == 0
    leaks.expect_none("DATA_DIR", str(up.data), seconds=1)


@pytest.mark.once
def test_a_taken_port_is_refused_before_anything_starts(short_folder):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        assert port in refusal(run(DATA_DIR=str(short_folder / "data"), PORT=port), "PORT")
    assert not (short_folder / "data" / "run").exists()


@pytest.mark.once
def test_a_folder_that_cannot_be_written_is_refused(short_folder):
    (short_folder / "file").write_text("")
    refusal(run(DATA_DIR=str(short_folder / "file" / "data")), "DATA_DIR")
    refusal(run(DATA_DIR="/proc/shiproom"), "DATA_DIR")


@pytest.mark.once
def test_a_folder_too_deep_for_a_socket_is_refused_unless_the_store_is_elsewhere(short_folder):
    deep = str(short_folder / ("d" * 90))
    assert "too deep" in refusal(run(DATA_DIR=deep), "DATA_DIR")
    assert run(arguments=("check",), DATA_DIR=deep, REDIS_URL="redis://127.0.0.1:1/0").returncode == 0


CLOSED = "127.0.0.1:1"
BAD_VALUES = [
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("HOST", "no.such.host.invalid"),
    ("HOST", "192.0.2.1"),
    ("DEBUG", "maybe"),
    ("TURN_WORKERS", "-1"),
    ("SHORT_WORKERS", "many"),
    ("LOG_LEVEL", "LOUD"),
    ("BASE_URL", "shiproom.example"),
    ("BASE_URL", "https://shiproom.example/path"),
    ("BASE_URL", "http://[::1"),
    ("BASE_URL", "http://u:hunter2pass@localhost"),
    ("ALLOWED_HOSTS", "*"),
    ("SECRET_KEY", "short"),
    ("SECRETS_KEY", "short"),
    ("SECRET_KEY_FILE", "/nonexistent/key"),
    ("DATABASE_URL", "mysql://u:hunter2pass@localhost/x"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "oracel://u:hunter2pass@localhost/x"),
    ("DATABASE_URL", "postgres://u:hunter2pass@[::1/x"),
    ("DATABASE_URL", "postgres://u:hunter2pass@localhost:port/x"),
    ("DATABASE_URL", f"postgres://u:hunter2pass@{CLOSED}/x"),
    ("REDIS_URL", "http://localhost"),
    ("REDIS_URL", "redis://u:hunter2pass@localhost:99999/0"),
    ("REDIS_URL", f"redis://u:hunter2pass@{CLOSED}/0"),
    ("EMAIL_URL", "carrier-pigeon://u:hunter2pass@x"),
    ("ADMIN_EMAIL", "nobody"),
    ("LEASE_SECONDS", "1"),
    ("HEARTBEAT_SECONDS", "50"),
    ("SETUP_LINK_HOURS", "0"),
    ("SCHEMA_GUARD_OVERRIDE", "because"),
]


@pytest.mark.once
@pytest.mark.parametrize(("variable", "value"), BAD_VALUES)
def test_a_bad_value_is_named_in_one_line(short_folder, variable, value):
    environment = {"DATA_DIR": str(short_folder / "data"), "PORT": str(postgresql.free_port()), variable: value}
    done = run(**environment)
    refusal(done, variable)
    assert "hunter2pass" not in done.stderr
    leaks.expect_none("DATA_DIR", environment["DATA_DIR"], seconds=1)

"""The demo's host: processes behind a proxy that are replaced without a lost request, and none left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from portal.site.demo import history
from tests.engines import children, leaks, postgresql

pytestmark = [pytest.mark.processes, pytest.mark.once]
ROOT = Path(__file__).resolve().parents[3]
EVERY_SECONDS = 0.05
FAULTY, MENDED = "4 of 5 lights are lit", "3 of 5 lights are lit"


@dataclass
class Machine:
    """A host with a folder of its own, and one environment that a deployment's scripts bring commits to."""

    folder: Path
    repository: Path
    port: int
    hosts: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def commits(self) -> dict[str, str]:
        said = git(self.repository, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split(" ") for line in said.splitlines())

    def start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "portal.site.demo.host"]
        argv += [str(self.folder / name) for name in ("host.sock", "live.json", "host.lock")]
        self.hosts.append(children.start(argv, cwd=ROOT, log=self.folder / "host.log"))
        children.wait_for("the host", (self.folder / "host.sock").exists, process=self.hosts[-1])
        return self.hosts[-1]

    def step(self, script: str, commit: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A script of the repository, as a step of a deployment calls it."""
        environment = {
            "PATH": os.environ["PATH"],
            "SHIPROOM_COMMIT": commit,
            "SHIPROOM_ENVIRONMENT": "staging",
            "SHIPROOM_REPOSITORY": str(self.repository),
            "DEPLOY_FOLDER": str(self.folder / "staging"),
            "HOST_SOCKET": str(self.folder / "host.sock"),
            "PORT": str(self.port),
        }
        argv = [sys.executable, "-I", str(self.repository / "deploy" / script), *options]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)

    def deploy(self, commit: str) -> str:
        return "".join(self.must(script, commit) for script in ("build.py", "migrate.py", "restart.py"))

    def must(self, script: str, commit: str, *options: str) -> str:
        done = self.step(script, commit, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nothing answered."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            client.close()

    def commit(self) -> str:
        status, body = self.get("/health")
        return str(json.loads(body)["commit"]) if status == 200 else ""

    def processes(self) -> list[int]:
        found = leaks.carrying("PYTHONPATH", str(self.folder))
        return [pid for pid, line in found.items() if "-m harbour" in line and "keeper.py" not in line]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Started once; a test that ends its host starts another."""
    # Short: it has a socket in it.
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    history.make(folder / "repository")
    found = Machine(folder, folder / "repository", postgresql.free_port())
    found.start()
    yield found
    for host in found.hosts:
        children.end(host)
    leaks.expect_none("PYTHONPATH", str(folder))
    shutil.rmtree(folder)


class Visitors:
    """Twenty requests a second, each by itself, until told to stop."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.answers: list[tuple[int, str]] = []
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._main = threading.Thread(target=self._come)

    def __enter__(self) -> Visitors:
        self._main.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._main.join()
        for thread in self._threads:
            thread.join()

    def _come(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self._threads.append(threading.Thread(target=self._ask))
            self._threads[-1].start()

    def _ask(self) -> None:
        self.answers.append(self.machine.get("/"))


def test_a_rolling_restart_under_twenty_requests_a_second_loses_none(machine: Machine) -> None:
    main, hurried = machine.commits["main"], machine.commits["hurried"]
    machine.deploy(main)
    before = set(machine.processes())
    assert len(before) == 2
    with Visitors(machine) as visitors:
        time.sleep(0.5)
        said = machine.deploy(hurried)
        machine.deploy(main)
        time.sleep(0.5)
    assert "process 2 of 2" in said
    assert len(visitors.answers) > 20
    assert [status for status, _ in visitors.answers if status != 200] == []
    pages = [page for _, page in visitors.answers]
    assert {text for text in (FAULTY, MENDED) if any(text in page for page in pages)} == {FAULTY, MENDED}
    assert len(machine.processes()) == 2
    assert not before & set(machine.processes()), "every process is a new one"


def test_a_process_ends_what_it_was_given_before_it_is_replaced(machine: Machine) -> None:
    main = machine.commits["main"]
    machine.deploy(main)
    # One in each process, begun and not yet asked to the end.
    begun = [socket.create_connection(("127.0.0.1", machine.port), timeout=10) for _ in range(2)]
    for client in begun:
        client.sendall(b"GET / HTTP/1.0\r\n")
    with ThreadPoolExecutor(1) as pool:
        restart = pool.submit(machine.must, "restart.py", main)
        with pytest.raises(TimeoutError):
            restart.result(3)
        assert machine.get("/")[0] == 200, "others are answered meanwhile"
        for client in begun:
            with client:
                client.sendall(b"\r\n")
                assert client.recv(12) == b"HTTP/1.0 200"
        assert "process 2 of 2" in restart.result(20)


def test_the_service_names_its_commit_and_the_hurried_one_names_another(machine: Machine) -> None:
    main, hurried = machine.commits["main"], machine.commits["hurried"]
    machine.deploy(main)
    assert machine.commit() == main
    assert FAULTY in machine.get("/")[1]
    assert "Dredging" in machine.get("/")[1], "the migration has brought its notice"
    machine.deploy(hurried)
    assert machine.commit() == main
    assert MENDED in machine.get("/")[1]
    assert "Took back: 002_tides" in machine.must("migrate.py", hurried, "--undo")
    assert "Took back: nothing" in machine.must("migrate.py", hurried, "--undo")
    assert main[:9] in machine.must("restart.py", hurried, "--back")
    assert FAULTY in machine.get("/")[1]
    assert "does not run here" in machine.must("restart.py", hurried, "--back"), "going back twice is going back once"
    assert [machine.step(name, hurried, "--probe").returncode for name in ("build.py", "migrate.py", "restart.py")] == [
        *(0, 1, 1)
    ]


def test_each_way_back_leads_one_further(machine: Machine) -> None:
    main, hurried = machine.commits["main"], machine.commits["hurried"]
    mended = git(machine.repository, "rev-parse", "hurried~1").strip()
    for commit in (main, mended, hurried):
        machine.deploy(commit)
    machine.must("restart.py", hurried, "--back")
    assert machine.commit() == mended
    machine.must("restart.py", mended, "--back")
    assert FAULTY in machine.get("/")[1], "and not to the hurried one, which ran last before it"


def test_a_commit_that_does_not_start_leaves_what_runs(machine: Machine) -> None:
    main = machine.commits["main"]
    machine.deploy(main)
    running = machine.processes()
    broken = "b" * 40
    folder = machine.folder / "staging" / "releases" / broken / "harbour"
    folder.mkdir(parents=True)
    (folder / "__main__.py").write_text("raise SystemExit('no')\n")
    done = machine.step("restart.py", broken)
    assert done.returncode == 1
    assert "ended by itself" in done.stdout
    assert "is not built" in machine.step("restart.py", "c" * 40).stdout
    assert sorted(machine.processes()) == sorted(running)
    assert machine.commit() == main


def test_a_process_that_dies_is_started_again(machine: Machine) -> None:
    machine.deploy(machine.commits["main"])
    died = machine.processes()[0]
    os.kill(died, signal.SIGKILL)
    children.wait_for("another process", lambda: died not in machine.processes() and len(machine.processes()) == 2)
    children.wait_for("its answer", lambda: machine.get("/")[0] == 200)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_host_and_the_next_one_runs_what_ran(machine: Machine, number: signal.Signals) -> None:
    main = machine.commits["main"]
    machine.deploy(main)
    machine.hosts[-1].send_signal(number)
    machine.hosts[-1].wait(20)
    leaks.expect_none("PYTHONPATH", str(machine.folder), seconds=15)
    assert machine.get("/")[0] == 0
    done = machine.step("restart.py", main)
    assert (done.returncode, "The host does not answer" in done.stderr) == (1, True)
    (machine.folder / "host.sock").unlink(missing_ok=True)
    machine.start()
    assert machine.commit() == main

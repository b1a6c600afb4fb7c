"""The whole suite, on both engines: ``python -m tests.run [--engine NAME] [arguments of pytest]``.

PostgreSQL is started once, or taken from TEST_DATABASE_URL. The tests of an
engine are shared by several runs of pytest, each with a database and a Valkey
of its own. What needs no engine is run on SQLite alone, and what a page shows on
PostgreSQL alone; ``--engine NAME`` runs all of them there. All go on side by side;
their output follows as they end, then the numbers of each engine, and one line
for the whole. With CI=1 a test that is skipped fails the run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.engines import postgresql, template
from tests.engines.chromium import PROGRAMS, program

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("sqlite", "postgresql")
# How many share the tests of an engine to begin with. Much of the time is waiting: five keep two cores at work, and
# more only stand in each other's way.
RUNS = {"sqlite": 2, "postgresql": 3}
# From then on nobody begins another run: its start would take as long as it could help.
LATEST_SECONDS = 1500
SLOWEST = 10
SHARED_ABSENT = "shared/ is absent"


@dataclass(slots=True)
class Result:
    """What the runs of one engine reported."""

    engine: str
    began: float = field(default_factory=time.time)
    seconds: float = 0
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[float, str]] = field(default_factory=list)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.run", description="The suite, on both engines.")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="only this engine")
    options, rest = parser.parse_known_args(argv)
    engines = tuple(options.engine or ENGINES)
    strict = os.environ.get("CI", "") not in {"", "0"}
    signal.signal(signal.SIGTERM, _stop)
    if strict:
        _ensure_chromium()
        _ensure_bubblewrap()
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="sr-reports-") as reports:
        environment = stack.enter_context(_servers(engines))
        templates = stack.enter_context(_templates(engines, environment))
        starters = {
            engine: Starter(engine, engines, rest, environment | templates[engine], Path(reports)) for engine in engines
        }
        results = _finish([starters[engine].start() for engine in engines for _ in range(RUNS[engine])], starters)
    for result in results:
        if strict:
            result.failed += [f"{name} (skipped: {reason})" for name, reason in result.skipped if not _allowed(reason)]
        _print(result)
    _print_tables(min(result.began for result in results))
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failed) for result in results)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _servers(engines: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The environment that names the servers of this run; what was started is ended."""
    environment = dict(os.environ)
    # Named here, it would have the settings read before the engine of a run is chosen.
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    # What one of the many processes has compiled, the next need not.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with contextlib.ExitStack() as stack:
        if "postgresql" in engines and not environment.get("TEST_DATABASE_URL"):
            server = postgresql.start()
            stack.callback(server.stop)
            environment["TEST_DATABASE_URL"] = server.url
        yield environment


@contextlib.contextmanager
def _templates(engines: tuple[str, ...], environment: dict[str, str]) -> Iterator[dict[str, dict[str, str]]]:
    """For each engine, what names the migrated database that its runs copy; gone afterwards, unless it was given."""
    if len(engines) == 1 and environment.get(template.VARIABLE):
        yield {engine: {} for engine in engines}
        return
    folder = Path(tempfile.mkdtemp(prefix="sr-t-", dir="/tmp"))
    servers = {"sqlite": "sqlite:///", "postgresql": environment.get("TEST_DATABASE_URL", "")}
    urls = {engine: template.place(servers[engine], folder, f"template_{os.getpid()}") for engine in engines}
    settings = environment | {"DATA_DIR": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    try:
        with ThreadPoolExecutor() as together:
            list(together.map(lambda engine: template.make(urls[engine], servers[engine], settings), engines))
        yield {engine: {template.VARIABLE: url} for engine, url in urls.items()}
    finally:
        for url in urls.values():
            template.drop(url)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Run:
    """A pytest that goes on, and where it writes."""

    name: str
    engine: str
    process: subprocess.Popen[bytes]
    report: Path
    log: Path


class Starter:
    """Starts runs that share the tests of one engine."""

    def __init__(
        self, engine: str, engines: tuple[str, ...], rest: list[str], environment: dict[str, str], folder: Path
    ) -> None:
        self.engine, self._rest, self._environment, self._folder = engine, rest, environment, folder
        taken = folder / engine
        taken.mkdir()
        part = "all" if len(engines) == 1 else {"postgresql": "engine", "sqlite": "embedded"}[engine]
        self._argv = [sys.executable, "-m", "pytest", "-q", "--engine", engine, "--part", part, f"--taken={taken}"]
        self._started = 0

    def start(self) -> Run:
        self._started += 1
        name = f"{self.engine} {self._started}"
        report, log = self._folder / f"{name}.xml", self._folder / f"{name}.log"
        argv = [*self._argv, f"--junitxml={report}", "-o", "junit_family=xunit1", *self._rest]
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        print(f"{name}: begun", flush=True)
        return Run(name, self.engine, process, report, log)


def _finish(runs: list[Run], starters: dict[str, Starter]) -> list[Result]:
    """Wait for all; print what each has said, whole, when it has ended. One of the other engine takes its place."""
    results = {run.engine: Result(run.engine) for run in runs}
    began, going_on = time.monotonic(), list(runs)
    # Who comes to the end of its tests has found that none is left to take.
    left = set(starters)
    try:
        while going_on:
            for run in [run for run in going_on if run.process.poll() is not None]:
                going_on.remove(run)
                _ended(run, results[run.engine])
                left.discard(run.engine)
                if left and run.process.returncode in {0, 1} and time.monotonic() - began < LATEST_SECONDS:
                    runs.append(starters[min(left)].start())
                    going_on.append(runs[-1])
            time.sleep(0.2)
    except BaseException:
        for run in runs:
            # SIGINT lets pytest tear down what its tests have started.
            run.process.send_signal(signal.SIGINT)
        for run in runs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(60)
            run.process.kill()
        raise
    return list(results.values())


def _ended(run: Run, result: Result) -> None:
    print(f"\n=== {run.name} ===\n{run.log.read_text(encoding='utf-8', errors='replace')}", flush=True)
    result.seconds = time.time() - result.began
    failed = len(result.failed)
    _read(run, result)
    # 5: nothing was collected, which a narrow selection may do to one of two engines.
    if run.process.returncode not in {0, 5} and len(result.failed) == failed:
        result.failed.append(f"{run.name}: pytest ended with code {run.process.returncode}")


def _read(run: Run, result: Result) -> None:
    if not run.report.exists():
        result.failed.append(f"{run.name}: pytest left no report")
        return
    for case in ElementTree.parse(run.report).getroot().iter("testcase"):
        name = "::".join(part for part in (case.get("file") or case.get("classname"), case.get("name")) if part)
        result.times.append((float(case.get("time", "0")), name))
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed.append(name)
        elif (skip := case.find("skipped")) is not None:
            result.skipped.append((name, skip.get("message") or ""))
        else:
            result.passed += 1


def _allowed(reason: str) -> bool:
    """A clone has nothing beside it; where the folder is there, its tests have to run."""
    shared = Path(os.environ.get("SHIPROOM_SHARED") or ROOT.parent / "shared")
    return SHARED_ABSENT in reason and not shared.is_dir()


def _print(result: Result) -> None:
    print(
        f"\n{result.engine}: {result.passed} passed, {len(result.failed)} failed, "
        f"{len(result.skipped)} skipped in {result.seconds:.1f} s"
    )
    for name in result.failed:
        print(f"  failed  {name}")
    for name, reason in result.skipped:
        print(f"  skipped {name}: {reason}")
    print(f"  the slowest {SLOWEST}:")
    for seconds, name in sorted(result.times, reverse=True)[:SLOWEST]:
        print(f"  {seconds:7.2f} s  {name}")


def _print_tables(since: float) -> None:
    """What the walk and the drift test wrote in this run."""
    for path in sorted((ROOT / "test-results").glob("*.txt")):
        if path.stat().st_mtime >= since:
            print(f"\n{path.stem}:\n{path.read_text(encoding='utf-8')}")


def _ensure_chromium() -> None:
    """Browser tests need a Chromium; a fresh machine gets Debian's: the shell, or where there is none the whole."""
    if shutil.which(PROGRAMS[0]) or os.environ.get("CHROMIUM") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    _apt("update", "-qq")
    for package in PROGRAMS[:2]:
        said = _apt("install", "-y", "-qq", "--no-install-recommends", package)
        if not said or program():
            return
    print(f"apt-get failed: {said}", flush=True)


def _ensure_bubblewrap() -> None:
    """Boxes of agents are tested for real: no test is skipped where it is missing."""
    if shutil.which("bwrap") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    _apt("update", "-qq")
    if said := _apt("install", "-y", "-qq", "--no-install-recommends", "bubblewrap"):
        print(f"apt-get failed: {said}", flush=True)


def _apt(*arguments: str) -> str:
    """What went wrong; empty where nothing did."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *arguments], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    return done.stderr.strip()[-300:] if done.returncode else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

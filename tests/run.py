"""The whole suite, on both engines: ``python -m tests.run [--engine NAME] [arguments of pytest]``.

PostgreSQL is started once, or taken from TEST_DATABASE_URL; each engine's run
has a Valkey of its own, and what needs no engine has a third run, on SQLite.
They go on side by side, each in order; their output follows when they have
ended, then the numbers of each, and one line for the whole. With CI=1 a test that is skipped fails the run.
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
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.engines import postgresql

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("sqlite", "postgresql")
SLOWEST = 10
SHARED_ABSENT = "shared/ is absent"


@dataclass(slots=True)
class Result:
    """What one run of pytest reported."""

    name: str
    engine: str
    began: float
    seconds: float
    exit_code: int
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
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="sr-reports-") as reports:
        environment = stack.enter_context(_servers(engines))
        results = _finish([_start(part, rest, environment, Path(reports)) for part in _parts(engines)])
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
    with contextlib.ExitStack() as stack:
        if "postgresql" in engines and not environment.get("TEST_DATABASE_URL"):
            server = postgresql.start()
            stack.callback(server.stop)
            environment["TEST_DATABASE_URL"] = server.url
        yield environment


@dataclass(frozen=True, slots=True)
class Part:
    """What one pytest runs. Most of the time is waiting, so three use two cores better than two."""

    name: str
    engine: str
    part: str


def _parts(engines: tuple[str, ...]) -> list[Part]:
    if len(engines) == 1:
        return [Part(engines[0], engines[0], "all")]
    return [Part("no engine", "sqlite", "once"), *(Part(engine, engine, "engine") for engine in engines)]


@dataclass(slots=True)
class Run:
    """A pytest that goes on, and where it writes."""

    name: str
    engine: str
    process: subprocess.Popen[bytes]
    report: Path
    log: Path
    began: float = field(default_factory=time.monotonic)
    began_at: float = field(default_factory=time.time)


def _start(part: Part, rest: list[str], environment: dict[str, str], folder: Path) -> Run:
    report, log = folder / f"{part.name}.xml", folder / f"{part.name}.log"
    argv = [sys.executable, "-m", "pytest", "-q", "--engine", part.engine, "--part", part.part]
    argv += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    print(f"{part.name}: begun", flush=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*argv, *rest], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    return Run(part.name, part.engine, process, report, log)


def _finish(runs: list[Run]) -> list[Result]:
    """Wait for all; print what each has said, whole, when it has ended."""
    results: dict[str, Result] = {}
    try:
        while len(results) < len(runs):
            for run in runs:
                if run.name not in results and run.process.poll() is not None:
                    results[run.name] = _ended(run)
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
    return [results[run.name] for run in runs]


def _ended(run: Run) -> Result:
    print(f"\n=== {run.name} ===\n{run.log.read_text(encoding='utf-8', errors='replace')}", flush=True)
    result = Result(run.name, run.engine, run.began_at, time.monotonic() - run.began, run.process.returncode)
    _read(run.report, result)
    # 5: nothing was collected, which a narrow selection may do to one of two engines.
    if result.exit_code not in {0, 5} and not result.failed:
        result.failed.append(f"pytest ended with code {result.exit_code}")
    return result


def _read(report: Path, result: Result) -> None:
    if not report.exists():
        result.failed.append("pytest left no report")
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
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
        f"\n{result.name}: {result.passed} passed, {len(result.failed)} failed, "
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
    """Browser tests need a Chromium; a fresh machine gets Debian's."""
    if shutil.which("chromium") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            ["apt-get", *arguments], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            print(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-300:]}", flush=True)
            return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What ``up`` runs, in the order of the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from portal.site.demo import folders, hosting
from portal.site.launching import commands, doors, valkey
from portal.site.launching.processes import Program


def store() -> Program | None:
    """The embedded store, unless REDIS_URL names one."""
    if not settings.EMBEDDED_REDIS:
        return None
    directory = settings.DATA_DIR / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    socket_path = settings.REDIS_SOCKET
    valkey.end_leftover(socket_path)
    argv = valkey.arguments(directory, socket_path, pidfile=socket_path.with_name("valkey.pid"))
    return _program("valkey", argv, ready=lambda: valkey.answers(socket_path))


def preparation() -> Program:
    return _program("prepare", commands.manage("prepare"))


def demo() -> Program:
    return _program("load the demo", commands.manage("demo"))


def web() -> Program:
    header = doors.host_header(settings.BASE_URL)

    def ready() -> bool:
        return 200 <= doors.http_status(settings.HOST, settings.PORT, "/livez", header) < 500

    # uvicorn ends with 3 whenever its application cannot start, and that may pass;
    # a refused schema does not end web, which answers with the reason.
    program = _program("web", commands.web(), ready=ready)
    grace = program.grace + settings.LIMITS["WEB_DRAIN_SECONDS"]
    return replace(program, final=frozenset({2}), grace=grace)


def background() -> list[Program]:
    """Workers, beat, the demo's machine: nobody waits for them, so they start once the pages answer."""
    counts = {"turns": settings.TURN_WORKERS, "steps": settings.STEP_WORKERS, "short": settings.SHORT_WORKERS}
    workers = [
        _program(f"worker {pool}{number}", commands.worker(pool, number))
        for pool in commands.POOLS
        for number in range(1, counts[pool] + 1)
    ]
    hosts = [_program("demo host", hosting.command())] if folders.folder().is_dir() else []
    return [*workers, _program("beat", commands.beat()), *hosts]


def _program(name: str, argv: list[str], ready: Callable[[], bool] = lambda: True) -> Program:
    role = name.split()[0]
    return Program(name, argv, commands.environment(role), float(settings.LIMITS["GRACEFUL_STOP_SECONDS"]), ready)

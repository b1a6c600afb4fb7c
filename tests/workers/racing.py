"""Races between processes: forks that start at one moment, each with connections of its own."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any

_inherited: list[Any] = []


def race(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], *, seconds: float = 60) -> list[Any]:
    """Run ``function`` once per tuple, each in a process of its own; returns the results in order.

    What one of them raises is raised here, with its traceback.
    """
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(len(arguments))
    runners = []
    for values in arguments:
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=_run, args=(start, theirs, function, values))
        process.start()
        theirs.close()
        runners.append((process, ours))
    results = []
    try:
        for _, answers in runners:
            if not answers.poll(seconds):
                raise TimeoutError(f"a racer did not end within {seconds:g} s")
            failed, value = answers.recv()
            if failed:
                raise AssertionError(f"a racer failed:\n{value}")
            results.append(value)
    finally:
        for process, answers in runners:
            if len(results) < len(runners):
                process.kill()
            process.join()
            process.close()
            answers.close()
    return results


def _run(start: Any, answers: Any, function: Callable[..., Any], values: tuple[Any, ...]) -> None:
    from django.db import connections

    # The parent's sessions stay the parent's: kept, never used, never closed.
    _inherited.extend(connections[alias] for alias in connections)
    for alias in connections:
        del connections[alias]
    try:
        start.wait(30)
        # Nor is what the parent has bound (an actor, a guard) bound here.
        answers.send((False, Context().run(function, *values)))
    except BaseException:
        answers.send((True, traceback.format_exc()))
    finally:
        connections.close_all()
        answers.close()
        # Nothing of the test run that was forked is torn down here.
        os._exit(0)

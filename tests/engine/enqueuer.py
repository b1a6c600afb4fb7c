"""A process that enqueues when told: each line on standard input is one job; the answer is how long it took."""

from __future__ import annotations

import sys
import time

import django


def main() -> None:
    django.setup()
    import tests.engine.kinds  # noqa: F401
    from portal.core.unit import unit_of_work
    from workers import queue

    print("ready", flush=True)
    for line in sys.stdin:
        began = time.monotonic()
        try:
            with unit_of_work():
                queue.enqueue("test.short")
                if line.strip() == "roll back":
                    raise ZeroDivisionError
                if line.strip() == "slowly":
                    print("inserted", flush=True)
                    sys.stdin.readline()
        except ZeroDivisionError:
            pass
        print(f"{time.monotonic() - began:.3f}", flush=True)


main()

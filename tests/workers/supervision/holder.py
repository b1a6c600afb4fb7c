"""A worker for tests: starts one child and holds its control pipe until it is killed.

Arguments: directory, marker, how often to renew in seconds (0: never), lease, then the child's command line.
"""

import os
import sys
import time
from pathlib import Path

from workers.supervision.child import Child, ChildSpec

directory, marker, every, lease, *argv = sys.argv[1:]
spec = ChildSpec(
    argv=tuple(argv),
    cwd=Path("/"),
    env={"PATH": os.environ["PATH"]},
    marker=marker,
    lease=float(lease),
    grace=30.0,
)
child = Child.start(spec, Path(directory))
if os.environ.get("FORK_A_COPY") and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(child.pid, flush=True)
while True:
    if float(every):
        child.renew(float(lease))
    time.sleep(float(every) or 60)

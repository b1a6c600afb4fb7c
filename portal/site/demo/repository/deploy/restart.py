"""Have the machine's host run a built commit in an environment, one process after the other.

The host outlives this script: it starts and stops the processes, and the proxy in front of them. With --back it
goes back to what ran before this commit, if this commit runs; with --probe: does this commit run?
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> int:
    what = {"--back": "back", "--probe": "probe"}.get(sys.argv[-1], "run")
    request = {
        "do": what,
        "environment": os.environ["SHIPROOM_ENVIRONMENT"],
        "commit": os.environ["SHIPROOM_COMMIT"],
        "folder": os.environ["DEPLOY_FOLDER"],
        "port": int(os.environ["PORT"]),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(120)
        try:
            connection.connect(os.environ["HOST_SOCKET"])
        except OSError as error:
            print(f"The host does not answer ({error.strerror}). It runs while `manage.py up` does.", file=sys.stderr)
            return 1
        connection.sendall(json.dumps(request).encode() + b"\n")
        for line in connection.makefile(encoding="utf-8"):
            said = json.loads(line)
            if "ended" in said:
                return 0 if said["ended"] == "well" else 1
            print(said["said"], flush=True)
    print("The host went away in the middle.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

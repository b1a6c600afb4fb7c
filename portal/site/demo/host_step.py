"""A deployment's step that has the demo's host do something with a built commit: ``host_step.py run|back|probe|once``.

It needs nothing but Python's own library. ``once`` takes what is to be run with
the files of the commit, such as ``once prepare``: the host has the settings
and the secrets of the installation, and this step has none.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(arguments: list[str]) -> int:
    request = {
        "do": arguments[0],
        "arguments": arguments[1:],
        "runs": os.environ["RUNS"],
        "environment": os.environ["SHIPROOM_ENVIRONMENT"],
        "commit": os.environ["SHIPROOM_COMMIT"],
        "folder": os.environ["DEPLOY_FOLDER"],
        "port": int(os.environ["PORT"]),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(os.environ["HOST_SOCKET"])
        except OSError as error:
            print(f"The host does not answer ({error.strerror}). It runs while `manage.py up` does.", file=sys.stderr)
            return 1
        # No limit of its own: the step has one.
        connection.sendall(json.dumps(request).encode() + b"\n")
        for line in connection.makefile(encoding="utf-8"):
            answer = json.loads(line)
            if "ended" in answer:
                return 0 if answer["ended"] == "well" else 1
            print(answer["said"], flush=True)
    print("The host went away in the middle.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

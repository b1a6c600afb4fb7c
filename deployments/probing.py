"""Asks a service for its health until it reports the commit, again and again in a row: a program of its own.

    probing.py URL COMMIT RIGHT_IN_A_ROW PAUSE_SECONDS RECORDS

It needs nothing but Python's own library, so that it starts at once. Each
answer is a line for people on stdout and a line of JSON in RECORDS. It ends
with 0 once enough answers in a row were right, and goes on until it is ended
otherwise: whoever starts it sets the time.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 65_536
NAMES = ("commit", "version", "revision", "sha")


class Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: it is not followed to another place."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(opener: urllib.request.OpenerDirector, url: str, commit: str) -> dict[str, Any]:
    """One answer: whether it is right, its status, what it reports, and why it is wrong."""
    began = time.monotonic()
    status, reported, detail = 0, "", ""
    try:
        with opener.open(url, timeout=ANSWER_SECONDS) as answer:
            status, body = answer.status, answer.read(ANSWER_BYTES)
        reported = reported_in(body)
    except urllib.error.HTTPError as error:
        status = error.code
        with error:
            reported = reported_in(error.read(ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = f"no answer: {getattr(error, 'reason', None) or error or type(error).__name__}"
    right = 200 <= status < 300 and same(reported, commit)
    if status and not right:
        detail = f"reports {reported[:9] or 'no commit'}" if 200 <= status < 300 else f"status {status}"
    taken = int((time.monotonic() - began) * 1000)
    return {"right": right, "status": status, "reported": reported, "detail": detail[:200], "milliseconds": taken}


def reported_in(body: bytes) -> str:
    """The commit that an answer names: a JSON object's ``commit`` (version, revision, sha), or the text itself."""
    text = body.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text if re.fullmatch(r"[0-9A-Fa-f]{7,64}", text) else ""
    if isinstance(found, dict):
        found = next((found[name] for name in NAMES if isinstance(found.get(name), str)), "")
    return found.strip()[:64].replace("\x00", "") if isinstance(found, str) else ""


def same(reported: str, commit: str) -> bool:
    """A short form of at least seven digits is enough; nothing else is."""
    return len(reported) >= 7 and commit.startswith(reported.lower())


def main(arguments: list[str]) -> int:
    url, commit, row, pause, records = arguments
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stays())
    in_a_row = 0
    with open(records, "a", encoding="utf-8") as file:
        print(f"asking {url} for {commit[:9]}", flush=True)
        while True:
            answer = ask(opener, url, commit) | {"at": datetime.now(UTC).isoformat()}
            file.write(json.dumps(answer) + "\n")
            file.flush()
            in_a_row = in_a_row + 1 if answer["right"] else 0
            said = f"right, {in_a_row} of {row} in a row" if answer["right"] else f"wrong: {answer['detail']}"
            print(f"{said} ({answer['milliseconds']} ms)", flush=True)
            if in_a_row >= int(row):
                return 0
            time.sleep(float(pause))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

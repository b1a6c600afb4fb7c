"""Asks an address until its answers are right for long enough: a program of its own.

    probing.py QUESTION RECORDS
    probing.py --once

QUESTION is a JSON object: ``url``, and ``commit`` (the answer must report it)
or ``statuses`` and ``contains`` (the answer must be so); ``method``; ``row``,
the right answers in a row that are enough, ``soak``, the seconds over which
they must reach, and ``pause``, the seconds between two questions.

It needs nothing but Python's own library, so that it starts at once. Each
answer is a line for people on stdout and a line of JSON in RECORDS. It ends
with 0 once the answers were right for long enough, and goes on until it is
ended otherwise: whoever starts it sets the time.

With ``--once``, stdin is a JSON list of such questions, each with an ``id``
and all with the same ``seconds``. Many are asked at once, each once, and each
answer is a line of JSON on stdout as it comes.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import Any

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 65_536
NAMES = ("commit", "version", "revision", "sha")
AT_ONCE = 16


class Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: it is not followed to another place."""

    def redirect_request(self, *_: Any) -> None:
        return None


def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), Stays())


def ask(asking: urllib.request.OpenerDirector, question: dict[str, Any]) -> dict[str, Any]:
    """One answer: whether it is right, its status, what it reports, and why it is wrong."""
    began = time.monotonic()
    seconds = float(question.get("seconds", ANSWER_SECONDS))
    status, body, detail = 0, b"", ""
    try:
        request = urllib.request.Request(question["url"], method=question.get("method") or "GET")
        with asking.open(request, timeout=seconds) as answer:
            status, body = answer.status, _body(answer, began + seconds)
    except urllib.error.HTTPError as error:
        status = error.code
        try:
            with error:
                body = _body(error, began + seconds)
        except (OSError, http.client.HTTPException) as cut:
            detail = f"its answer was cut: {cut or type(cut).__name__}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        status = 0
        detail = f"no answer: {getattr(error, 'reason', None) or error or type(error).__name__}"
    reported = reported_in(body) if question.get("commit") else ""
    detail = detail or _wrong(question, status, body, reported)
    taken = int((time.monotonic() - began) * 1000)
    found = {"right": not detail, "status": status, "reported": reported, "detail": detail[:200], "milliseconds": taken}
    return found | {"at": datetime.now(UTC).isoformat()}


def _body(answer: Any, until: float) -> bytes:
    """The begin of it; one that comes in drops is not waited for."""
    body = b""
    while len(body) < ANSWER_BYTES:
        piece = answer.read1(ANSWER_BYTES - len(body))
        if not piece:
            break
        body += piece
        if time.monotonic() > until:
            raise TimeoutError("it did not come to its end")
    return body


def _wrong(question: dict[str, Any], status: int, body: bytes, reported: str) -> str:
    """Why an answer is not the one that was asked for; empty where it is."""
    if question.get("commit"):
        if not 200 <= status < 300:
            return f"status {status}"
        return "" if same(reported, question["commit"]) else f"reports {reported[:9] or 'no commit'}"
    wanted = question.get("statuses") or [200]
    if status not in wanted:
        return f"status {status}, and not {' or '.join(map(str, wanted))}"
    text = question.get("contains", "")
    if text and text.encode() not in body:
        return f"status {status}, and its first {ANSWER_BYTES} bytes do not contain the text"
    return ""


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


def until_right(question: dict[str, Any], records: str) -> int:
    asking, in_a_row, since = opener(), 0, 0.0
    row, soak = int(question["row"]), float(question.get("soak", 0))
    wanted = question.get("commit", "")[:9] or "the answer that is expected"
    with open(records, "a", encoding="utf-8") as file:
        print(f"asking {question['url']} for {wanted}", flush=True)
        while True:
            began = time.monotonic()
            answer = ask(asking, question)
            file.write(json.dumps(answer) + "\n")
            file.flush()
            # a wrong one begins it anew
            since = since if in_a_row else began
            in_a_row = in_a_row + 1 if answer["right"] else 0
            lasted = time.monotonic() - since if in_a_row else 0.0
            said = f"right, {in_a_row} of {row} in a row" if answer["right"] else f"wrong: {answer['detail']}"
            for_long = f", for {lasted:.0f} of {soak:.0f} s" if soak and answer["right"] else ""
            print(f"{said}{for_long} ({answer['milliseconds']} ms)", flush=True)
            if in_a_row >= row and lasted >= soak:
                return 0
            time.sleep(float(question["pause"]))


def once(questions: list[dict[str, Any]]) -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {pool.submit(ask, opener(), question): question["id"] for question in questions}
        for done in as_completed(asked):
            print(json.dumps({"id": asked[done], **done.result()}), flush=True)
    return 0


def main(arguments: list[str]) -> int:
    if arguments == ["--once"]:
        return once(json.load(sys.stdin))
    question, records = arguments
    return until_right(json.loads(question), records)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A child that speaks Claude's protocol: for each prompt it does the steps of its one argument, then says a result.

ask TOOL INPUT (waits for the answer and says it) | ask_all [[TOOL, INPUT], ...] (at once) | say TEXT | sleep SECONDS
| mark PATH | signal KIND PAYLOAD (with what it was told) | shut PATH STEPS (those, unless PATH was there)
| deaf (reads nothing more, and says a result) | keep PATH (each line that it was given, there)
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

kept: Path | None = None


def out(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def read() -> dict[str, Any] | None:
    line = sys.stdin.readline()
    if line and kept:
        with kept.open("a", encoding="utf-8") as file:
            file.write(line)
    return json.loads(line) if line else None


class Interrupted(Exception):
    pass


class Session:
    """One process: prompts that came while it was busy wait for their round."""

    def __init__(self) -> None:
        self.prompts: list[dict[str, Any]] = []
        self.asked = 0
        self.answers: dict[str, Any] = {}

    def take(self) -> bool:
        """One line of the input; False at its end."""
        said = read()
        if said is None:
            return False
        if said["type"] == "user":
            self.prompts.append(said)
        elif said["type"] == "control_request" and said["request"]["subtype"] == "interrupt":
            raise Interrupted
        elif said["type"] == "control_response":
            self.answers[said["response"]["request_id"]] = said["response"]["response"]
        return True

    def request(self, tool: str, given: Any) -> str:
        self.asked += 1
        name = f"request-{os.getpid()}-{self.asked}"
        asked = {"subtype": "can_use_tool", "tool_name": tool, "input": given, "tool_use_id": f"use-{name}"}
        out(type="control_request", request_id=name, request=asked)
        return name

    def wait(self, name: str) -> None:
        while name not in self.answers:
            if not self.take():
                sys.exit(3)
        self.say(f"told {json.dumps(self.answers[name])}")

    def say(self, text: str) -> None:
        out(type="assistant", message={"content": [{"type": "text", "text": text}]})

    def act(self, steps: list[list[Any]], text: str) -> None:
        global kept
        for verb, *values in steps:
            if verb == "ask":
                self.wait(self.request(*values))
            elif verb == "ask_all":
                for name in [self.request(*one) for one in values[0]]:
                    self.wait(name)
            elif verb == "say":
                self.say(values[0])
            elif verb == "sleep":
                time.sleep(values[0])
            elif verb == "mark":
                with open(values[0], "a", encoding="utf-8") as file:
                    file.write(f"{os.getpid()}\n")
            elif verb == "keep":
                kept = Path(values[0])
                with kept.open("a", encoding="utf-8") as file:
                    file.write(f"{text}\n")
            elif verb == "signal":
                turn = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
                self.say(json.dumps({"mc_signal": values[0], **turn, "payload": values[1]}))
            elif verb == "once":
                path = Path(values[0])
                if not path.exists():
                    path.touch()
                    self.act(values[1], text)
            elif verb == "deaf":
                out(type="result", subtype="success", is_error=False, result="")
                sys.exit(0)

    def run(self, steps: list[list[Any]]) -> int:
        while True:
            try:
                while not self.prompts:
                    if not self.take():
                        return 0
                prompt = self.prompts.pop(0)
                out(type="system", subtype="init", session_id="asking-session", model="none")
                self.act(steps, prompt["message"]["content"][0]["text"])
                out(type="result", subtype="success", is_error=False, result="")
            except Interrupted:
                out(type="result", subtype="error_during_execution", is_error=True, errors=["interrupted"])


if __name__ == "__main__":
    sys.exit(Session().run(json.loads(sys.argv[1])))

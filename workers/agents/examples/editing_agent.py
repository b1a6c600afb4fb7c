#!/usr/bin/env python3
"""An agent that does a small piece of real work: it notes its task in the git repository it is in.

Reads the prompt from --prompt or standard input, and SHIPROOM_TICKET and SHIPROOM_NONCE from the environment.
Appends a line to --file, runs the check command given after `--`, commits that file alone, and signals DONE;
it signals FAILED where the check fails, and exits with code 2 where it was started wrongly.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def say(text: str) -> None:
    """Print one progress line at once."""
    print(text, flush=True)


def signal(kind: str, payload: str) -> None:
    """Print the line that ends the turn."""
    fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
    say(json.dumps({"mc_signal": kind, **fields, "payload": payload}))


def git(*arguments: str) -> str:
    """Run git in the current directory and return what it prints; raise CalledProcessError."""
    done = subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def read_task(prompt: Path | None) -> str:
    """Return the ticket's title, which follows its mark, or the first line of the prompt that says something."""
    text = prompt.read_text(encoding="utf-8", errors="replace") if prompt else sys.stdin.read()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marks = [n for n, line in enumerate(lines[:-1]) if line.startswith("<<<TICKET-")]
    return lines[marks[0] + 1 if marks else 0] if lines else "no task was given"


def edit(name: str, line: str) -> None:
    """Append the line to a file of this repository; refuse one outside it."""
    top = Path(git("rev-parse", "--show-toplevel")).resolve()
    path = Path(name).resolve()
    if not path.is_relative_to(top) or ".git" in path.relative_to(top).parts:
        raise SystemExit(f"{name} is not a file of this repository")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def commit(name: str, message: str, author: str, email: str) -> str:
    """Commit that file alone, under an explicit name whatever git is configured to; return the commit."""
    identity = ("-c", f"user.name={author}", "-c", f"user.email={email}", "-c", "commit.gpgsign=false")
    git("add", "--", name)
    git(*identity, "commit", "--quiet", f"--message={message}", "--", name)
    return git("rev-parse", "HEAD")


def parse() -> argparse.Namespace:
    """Read the command line; what follows `--` is the check command."""
    name = os.environ.get("SHIPROOM_AUTHOR_NAME", "Editing agent")
    email = os.environ.get("SHIPROOM_AUTHOR_EMAIL", "agent@shiproom.invalid")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prompt", type=Path, help="a file with the prompt; without it, standard input")
    parser.add_argument("--file", default="WORKLOG.md", help="the file to edit or to create")
    parser.add_argument("--author-name", default=name)
    parser.add_argument("--author-email", default=email)
    parser.add_argument("check", nargs="*", help="a command that must succeed before the commit")
    return parser.parse_args()


def main() -> int:
    """Do the work and signal; return the exit code."""
    if not os.environ.get("SHIPROOM_TICKET") or not os.environ.get("SHIPROOM_NONCE"):
        print("SHIPROOM_TICKET and SHIPROOM_NONCE are not set", file=sys.stderr)
        return 2
    options = parse()
    task = read_task(options.prompt)
    ticket = os.environ["SHIPROOM_TICKET"]
    say(f"Working on {ticket}: {task}")
    edit(options.file, f"- {ticket}: {task}")
    say(f"Edited {options.file}")
    if options.check:
        say(f"Checking: {' '.join(options.check)}")
        if code := subprocess.run(options.check, check=False).returncode:
            signal("FAILED", f"the check ended with code {code}; nothing was committed")
            return 0
    made = commit(options.file, f"{ticket}: {task}", options.author_name, options.author_email)
    say(f"Committed {made}")
    signal("DONE", f"edited {options.file} in commit {made}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a project's settings may be: commands, patterns, a branch, a repository; and as lines that people type.

Nothing here is run. A command is split into its arguments as data; no shell
ever sees it. Each function that ends in ``_problem`` says in a sentence what
is wrong, and "" where nothing is.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from portal.core import limits
from portal.core.unseen import is_unseen
from tickets import changes
from tickets.addresses import SCHEMES, place_problem
from tickets.models import Project

# of one command
COMMAND_CHARS: Final = 1000
PROBLEMS_SHOWN: Final = 5
SECRET: Final = (
    "This holds a password or a token, or has a place for one, and settings are no place for secrets. Leave it out:"
    " an admin names a stored secret for the project, or git has its own ways of signing in on the machine of the"
    " workers, such as an SSH key."
)
_NOT_IN_BRANCHES: Final = frozenset(" ~^:?*[\\\x7f")
Item = TypeVar("Item")


class Unfit(ValueError):
    """``problems``: a sentence for each line that cannot be taken."""

    def __init__(self, problems: list[str]) -> None:
        more = len(problems) - PROBLEMS_SHOWN
        self.problems = problems[:PROBLEMS_SHOWN] + ([f"And {more} more lines."] if more > 0 else [])
        super().__init__(" ".join(self.problems))


# Commands ---------------------------------------------------------------------


def commands_of(text: str) -> list[list[str]]:
    """One command a line, split as a shell would split it. Raises ``Unfit``."""
    commands, problems = [], []
    for n, line in _lines(text):
        try:
            command = shlex.split(line)
        except ValueError as error:
            command, problem = [], _unbalanced(error)
        else:
            problem = command_problem(command)
        commands.append(command)
        problems += [f"Line {n}: {problem}"] if problem else []
    problems = [*filter(None, [_too_many(len(commands), "CHECKS_MAX", "commands")]), *problems]
    if problems:
        raise Unfit(problems)
    return commands


def commands_text(commands: list[list[str]]) -> str:
    """The lines that ``commands_of`` reads as these commands."""
    return "\n".join(map(shlex.join, commands))


def checks_problem(commands: list[list[str]]) -> str:
    return _first_problem(commands, command_problem, "CHECKS_MAX", "commands")


def command_problem(command: list[str]) -> str:
    if not command or is_unseen(command[0]):
        return "no program is named."
    if any(unicodedata.category(letter) == "Cc" and letter != "\t" for word in command for letter in word):
        return "it contains a line break or another control character."
    written = len(shlex.join(command))
    return (
        f"a command has at most {COMMAND_CHARS:,} characters, and this one {written:,}."
        if written > COMMAND_CHARS
        else ""
    )


def _unbalanced(error: ValueError) -> str:
    if "quotation" in str(error):
        return "a quote is opened and not closed."
    return "it ends in a backslash that escapes nothing."


# Patterns ---------------------------------------------------------------------


def patterns_of(text: str) -> list[str]:
    """One pattern a line. Raises ``Unfit``."""
    found = [(n, line.strip()) for n, line in _lines(text)]
    problems = [f"Line {n}: {problem}" for n, pattern in found if (problem := pattern_problem(pattern))]
    problems = [*filter(None, [_too_many(len(found), "ALLOWED_PATHS_MAX", "patterns")]), *problems]
    if problems:
        raise Unfit(problems)
    return [pattern for _, pattern in found]


def paths_problem(patterns: list[str]) -> str:
    return _first_problem(patterns, pattern_problem, "ALLOWED_PATHS_MAX", "patterns")


def pattern_problem(pattern: str) -> str:
    if pattern.strip() and is_unseen(pattern):
        return "nothing of this pattern can be seen."
    # Typed as a line, it would come back without them.
    return "a pattern has no blank around it." if pattern != pattern.strip() else changes.pattern_problem(pattern)


# A branch, a repository -------------------------------------------------------


def branch_problem(name: str) -> str:
    """By the rules of ``git check-ref-format --branch``; no name means the branch that is checked out."""
    if not name:
        return ""
    if is_unseen(name):
        return "Nothing of this name can be seen."
    if name.startswith("-") or name in {"@", "HEAD"}:
        return f"Git takes no branch that {'begins with a hyphen' if name[0] == '-' else f'is called {name}'}."
    if any(letter in _NOT_IN_BRANCHES or letter < " " for letter in name):
        return "A branch's name has no space, no control character, and none of ~ ^ : ? * [ and backslash."
    if ".." in name or "@{" in name or name.endswith("."):
        return "A branch's name has no two dots in a row, no @{, and no dot at its end."
    parts = name.split("/")
    if "" in parts:
        return "A slash stands between two names: not first, not last, not twice in a row."
    if any(part.startswith(".") or part.endswith(".lock") for part in parts):
        return "No part of a branch's name begins with a dot or ends with .lock."
    return ""


def repository_problem(text: str) -> str:
    """A path, or an address that git can fetch without a secret in it; nothing means that none is set yet."""
    if not text:
        return ""
    if is_unseen(text) or any(unicodedata.category(letter) == "Cc" for letter in text):
        return "A repository is written with characters that can be seen."
    if text.startswith("-"):
        return "A repository does not begin with a hyphen: git would take it for an option."
    if re.match(r"[A-Za-z0-9+.-]+::", text):
        return "An address of the form helper::address runs a program of its own. Name a path, or a plain URL."
    if re.match(r"[^/:@]+:[^/@]+@", text):
        return SECRET
    return (_url_problem(text) if "://" in text else "") or place_problem(text)


def moved_problem(project: Project, repository: str) -> str:
    """A sentence where ``repository`` is another one and the project's credential would go there: an admin decides."""
    if repository == project.repository or not (project.deploy_key or project.access_token):
        return ""
    return (
        f"{project.key} signs in at its repository with a stored secret, which would be used at this address. An admin"
        " changes both."
    )


def _url_problem(text: str) -> str:
    try:
        parts = urlsplit(text)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        return "This URL cannot be read."
    if scheme not in SCHEMES:
        return f"A URL begins with one of: {', '.join(f'{scheme}://' for scheme in SCHEMES)}."
    # Over HTTP a user alone is a token, too: without one git would ask for a password.
    if parts.password is not None or (parts.username is not None and scheme in {"http", "https"}):
        return SECRET
    if not host and scheme != "file":
        return "This URL names no host."
    # Git hands both to ssh, which would read them as an option.
    if host.startswith("-") or (parts.username or "").startswith("-"):
        return "Neither a host nor a user begins with a hyphen."
    return ""


# Lines ------------------------------------------------------------------------


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    return [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _too_many(number: int, limit: str, things: str) -> str:
    most = limits.value(limit)
    return f"At most {most:,} {things} (you sent {number:,})." if number > most else ""


def _first_problem(items: list[Item], problem_of: Callable[[Item], str], limit: str, things: str) -> str:
    for n, item in enumerate(items, start=1):
        if problem := problem_of(item):
            return f"Number {n}: {problem}"
    return _too_many(len(items), limit, things)

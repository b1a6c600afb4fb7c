"""The command that a check of a document names: its code, else all of it; a program and its arguments, no shell."""

from __future__ import annotations

import re
import shlex
from typing import Final

from reviews.models import Check

_CODE: Final = re.compile(r"`([^`\n]{1,300})`")
_PROMPT: Final = re.compile(r"^\s*[$>%]\s+")
# What a shell would take for more than words: chains, pipes, redirections, substitutions.
_SHELL: Final = re.compile(r"[();&|<>]+")
_PROGRAM: Final = re.compile(r"(?:\./|/)?[A-Za-z0-9][\w.+/-]*")
# A sentence of several words without code is no command, unless it looks like one.
_ARGUMENT: Final = re.compile(r"^--?[A-Za-z]|[/.=:_]|\d")
_RUNNERS: Final = frozenset(
    [
        "ant",
        "bundle",
        "cargo",
        "composer",
        "dotnet",
        "go",
        "gradle",
        "just",
        "make",
        "mix",
        "mvn",
        "nox",
        "npm",
        "npx",
        "pnpm",
        "poetry",
        "rake",
        "tox",
        "uv",
        "yarn",
    ]
)


def of_check(check: Check) -> str:
    """The command as it would be run, on one line; empty where the check names none that can be run without a shell."""
    return of_name(check.name)


def of_name(name: str) -> str:
    codes = _CODE.findall(name)
    if len(codes) > 1:
        return ""
    written = _PROMPT.sub("", codes[0] if codes else name).strip()
    argv = words(written)
    if not argv or not _PROGRAM.fullmatch(argv[0]):
        return ""
    if not codes and not _reads_as_command(argv):
        return ""
    return written


def words(command: str) -> list[str]:
    """Program and arguments; nothing where a shell would be needed, or a quote is open."""
    if not command.isprintable() or "$(" in command or "`" in command:
        return []
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        found = list(lexer)
    except ValueError:
        return []
    return [] if any(_SHELL.fullmatch(word) for word in found) else found


def _reads_as_command(argv: list[str]) -> bool:
    """Of a line without marks: it begins with what runs tasks, or has a word that only commands have."""
    if argv[0] != argv[0].lower() or len(argv) < 2:
        return False
    return argv[0] in _RUNNERS or any(_ARGUMENT.search(word) for word in argv[1:])

"""Typed reading of environment variables, for the settings: what does not fit stops the process in one line."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit


def refuse(variable: str, sentence: str) -> NoReturn:
    """Stop the process: one line naming the variable, exit code 2."""
    sys.stderr.write(f"shiproom: {variable}: {sentence}\n")
    raise SystemExit(2)


def text(variable: str, default: str = "") -> str:
    """A string; ``VARIABLE_FILE`` may name a file that holds it instead."""
    path = os.environ.get(f"{variable}_FILE")
    if path and not os.environ.get(variable):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            refuse(f"{variable}_FILE", f"{path} cannot be read ({error.strerror}).")
        except UnicodeDecodeError:
            refuse(f"{variable}_FILE", f"{path} is not text.")
    value = os.environ.get(variable, default)
    return value if value != "" else default


def flag(variable: str, default: bool = False) -> bool:
    raw = text(variable, "1" if default else "0").lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    return refuse(variable, f"{raw!r} is neither 1 nor 0.")


def number(variable: str, default: int, low: int, high: int) -> int:
    raw = text(variable, str(default))
    try:
        found = int(raw)
    except ValueError:
        refuse(variable, f"{raw!r} is not a whole number ({low} to {high}).")
    if not low <= found <= high:
        refuse(variable, f"{found} is outside {low} to {high}.")
    return found


def hosts(variable: str) -> list[str]:
    """Names of hosts, between commas."""
    found = [host.strip().lower() for host in text(variable).split(",") if host.strip()]
    for host in found:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\]", host):
            refuse(variable, f"{host!r} is no name of a host: it has no scheme, no port and no path.")
    return found


def address(variable: str, value: str, form: str, schemes: set[str]) -> SplitResult:
    """The parts of a URL of one of ``schemes``; the refusal names ``form`` and never repeats the value."""
    try:
        parts = urlsplit(value)
        if parts.scheme in schemes and (parts.port is None or parts.port):
            return parts
    except ValueError:
        pass
    return refuse(variable, f"is not of the form {form}.")

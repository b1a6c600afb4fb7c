"""What of the machine's files a program needs in order to run: where it lies, and where its interpreter does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

# Every box has it, with all that lies below.
SYSTEM: Final = Path("/usr")
_LINE_BYTES: Final = 256
_DEEPEST: Final = 4
# Of these, a program's own file is shown and nothing beside it.
_WIDE: Final = frozenset(
    Path(name)
    for name in ("/", "/etc", "/home", "/mnt", "/opt", "/opt/bin", "/root", "/run", "/srv", "/tmp", "/var", "/var/tmp")
)


def found(program: str, search: str) -> Path | None:
    """The file that ``program`` means for a child with this PATH; None where there is none, or it has no fixed one."""
    if "/" in program and not program.startswith("/"):
        return None
    named = shutil.which(program, path=search)
    return Path(named) if named and named.startswith("/") else None


def needed(program: str, search: str) -> list[Path]:
    """The folders, or single files, that show the program and its interpreters; without those of the system."""
    places: list[Path] = []
    _collect(program, search, places, 0)
    kept: list[Path] = []
    for place in places:
        if not place.is_relative_to(SYSTEM) and not any(place.is_relative_to(other) for other in kept):
            kept.append(place)
    return kept


def _collect(program: str, search: str, places: list[Path], depth: int) -> None:
    file = found(program, search)
    if file is None or depth > _DEEPEST:
        return
    # A link and what it leads to: the one is started, the other holds the parts.
    for step in (file, file.resolve()):
        place = _home_of(step)
        if place not in places:
            places.append(place)
    if interpreter := _interpreter(file):
        _collect(interpreter, search, places, depth + 1)


def _home_of(file: Path) -> Path:
    """The folder of a program's parts: its Python's prefix, its outermost ``node_modules``, or where it lies."""
    prefix = file.parent.parent
    if file.parent.name == "bin" and prefix not in _WIDE and _is_python(prefix):
        return prefix
    outermost = next((folder for folder in reversed(file.parents) if folder.name == "node_modules"), None)
    place = outermost or file.parent
    return file if place in _WIDE or place == Path.home() else place


def _is_python(prefix: Path) -> bool:
    return (prefix / "pyvenv.cfg").is_file() or next(prefix.glob("lib/python3*/os.py"), None) is not None


def _interpreter(file: Path) -> str:
    """The program that a script names in its first line."""
    try:
        with file.open("rb") as opened:
            first = opened.readline(_LINE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    if not first.startswith("#!"):
        return ""
    words = first[2:].split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""

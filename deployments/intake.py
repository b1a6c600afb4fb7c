"""Commands, steps and variables as people write them, to typed objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from deployments.models import Method, StepKind
from portal.core import limits
from portal.core.quoting import plain
from reviews.models import Severity

COMMANDED: Final = (StepKind.COMMAND, StepKind.MIGRATE, StepKind.RESTART, StepKind.BACKUP, StepKind.REHEARSE)
UNDONE: Final = (StepKind.COMMAND, StepKind.MIGRATE, StepKind.RESTART)
ASKING: Final = (StepKind.HEALTH, StepKind.HTTP)
# Going back to a release runs these of its pipeline again, unless a step says that it does not.
AGAIN: Final = (StepKind.COMMAND, StepKind.RESTART, StepKind.HEALTH, StepKind.HTTP, StepKind.WAIT)
RETRIED: Final = (*COMMANDED, *ASKING)
MOST_STATUSES: Final = 20
CONTAINS_CHARS: Final = 300
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}", re.ASCII)
RESERVED: Final = ("SHIPROOM_", "LD_", "PYTHON")
MOST_VALUE_CHARACTERS: Final = 500
MOST_ARGUMENTS: Final = 100
MOST_CHARACTERS: Final = 2000


class BadCommand(Exception):
    """The text is no command; the message says where and why."""


def command(text: str) -> list[str]:
    """One argument a line, or a JSON list of texts. Raises ``BadCommand``."""
    arguments = (
        _from_json(text)
        if text.lstrip().startswith("[")
        else [line.strip() for line in text.split("\n") if line.strip()]
    )
    if not arguments or not arguments[0].strip():
        raise BadCommand("The first argument is the program; there is none.")
    if len(arguments) > MOST_ARGUMENTS:
        raise BadCommand(f"At most {MOST_ARGUMENTS} arguments (you sent {len(arguments)}).")
    for place, argument in enumerate(arguments, start=1):
        _check(place, argument)
    return arguments


def _from_json(text: str) -> list[str]:
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError as problem:
        raise BadCommand(
            f"It begins as a JSON list and is none: {problem.msg} at line {problem.lineno}, column {problem.colno}."
        ) from None
    except (RecursionError, ValueError):
        raise BadCommand(
            "It begins as a JSON list and is none: it is nested too deep, or a number in it is too long."
        ) from None
    if not isinstance(found, list):
        raise BadCommand("It begins as a JSON list and is none.")
    for place, argument in enumerate(found, start=1):
        if not isinstance(argument, str):
            raise BadCommand(f"Argument {place} is {json.dumps(argument)[:60]}; every argument is text in quotes.")
    return found


def _check(place: int, argument: str) -> None:
    if len(argument) > MOST_CHARACTERS:
        raise BadCommand(f"Argument {place} has {len(argument):,} characters; at most {MOST_CHARACTERS:,}.")
    if "\x00" in argument or any("\ud800" <= letter <= "\udfff" for letter in argument):
        raise BadCommand(
            f"Argument {place} contains a character that no program can be given (NUL, or half a character)."
        )


class BadStep(Exception):
    """A step that cannot be; ``field`` is the one to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step of a pipeline; what its kind has no use for is empty. Raises ``BadStep``."""

    kind: str
    name: str
    command: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    probe: list[str] = field(default_factory=list)
    url: str = ""
    instructions: str = ""
    wall_seconds: int = 0
    again: bool = True
    verify: list[str] = field(default_factory=list)
    structure: list[str] = field(default_factory=list)
    method: str = ""
    statuses: list[int] = field(default_factory=list)
    contains: str = ""
    pause_seconds: int = 0
    soak_seconds: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        if self.kind not in StepKind.values:
            raise BadStep("kind", f"There is no kind {self.kind!r}; there are: {', '.join(StepKind.values)}.")
        if not self.name.strip() or len(self.name) > 60:
            raise BadStep("name", "A step has a name of at most 60 characters.")
        self._check_commands()
        if self.kind in ASKING:
            check_url(self.url)
        elif self.url:
            raise BadStep("url", "Only a health step and an HTTP check ask an address.")
        if self.kind == StepKind.MANUAL and not self.instructions.strip():
            raise BadStep("instructions", "Say what the person is to do.")
        if self.kind != StepKind.MANUAL and self.instructions:
            raise BadStep("instructions", "Only a manual step has instructions.")
        self._check_http()
        self._check_times()

    def _check_commands(self) -> None:
        commanded = self.kind in COMMANDED
        if commanded and not self.command:
            raise BadStep("command", f"A {self.kind} step runs a command; name it.")
        for name in ("command", "undo", "probe"):
            if getattr(self, name) and not commanded:
                raise BadStep(name, f"A {self.kind} step runs no command.")
        if self.undo and self.kind not in UNDONE:
            raise BadStep("undo", f"A {self.kind} step changes nothing that could be undone.")
        if self.verify and self.kind != StepKind.BACKUP:
            raise BadStep("verify", "Only a backup step has a restore to rehearse.")
        if self.structure and self.kind != StepKind.MIGRATE:
            raise BadStep("structure", "Only a migrate step prints the structure of a database.")

    def _check_http(self) -> None:
        asked = {"method": self.method, "statuses": self.statuses, "contains": self.contains}
        if self.kind != StepKind.HTTP:
            for name, value in asked.items():
                if value:
                    raise BadStep(name, "Only an HTTP check says how it asks, and what it expects.")
            return
        if self.method not in ("", *Method.values):
            raise BadStep("method", f"An HTTP check asks by {' or '.join(Method.values)}.")
        check_statuses(self.statuses)
        if len(self.contains) > CONTAINS_CHARS or "\x00" in self.contains:
            raise BadStep("contains", f"A text to be found has at most {CONTAINS_CHARS} characters, and no NUL.")
        if self.contains and self.method == Method.HEAD:
            raise BadStep("contains", "HEAD brings no body, so no text can be found in it. Ask by GET.")

    def _check_times(self) -> None:
        most = limits.value("WAIT_MAX_SECONDS")
        if self.kind == StepKind.WAIT and not 1 <= self.pause_seconds <= most:
            raise BadStep("pause_seconds", f"A pause is a whole number of seconds from 1 to {most:,}.")
        if self.kind != StepKind.WAIT and self.pause_seconds:
            raise BadStep("pause_seconds", "Only a wait step has a pause.")
        if self.soak_seconds and self.kind != StepKind.HEALTH:
            raise BadStep("soak_seconds", "Only a health step has a time for which its answers must be right.")
        wall = self.wall_seconds or limits.value("HEALTH_WALL_SECONDS")
        if self.soak_seconds and not 0 < self.soak_seconds < wall:
            raise BadStep("soak_seconds", f"It must end within the step's time, which is {wall:,} s: less than that.")
        most = limits.value("STEP_RETRIES")
        if not 0 <= self.retries <= most:
            raise BadStep("retries", f"A step goes again at most {most} times.")
        if self.retries and self.kind not in RETRIED:
            raise BadStep("retries", f"A {self.kind} step does not go again by itself.")
        if self.retries and self.kind == StepKind.MIGRATE and not self.probe:
            raise BadStep("retries", "A migration goes again only where a probe says whether its effect is there.")

    def columns(self) -> dict[str, Any]:
        return asdict(self)


# What only some kinds have. A release keeps of it what says something: so a pipeline that has none of it makes the
# release that it always made.
DETAILS: Final[dict[str, Any]] = {
    "verify": [],
    "structure": [],
    "method": "",
    "statuses": [],
    "contains": "",
    "pause_seconds": 0,
    "soak_seconds": 0,
    "retries": 0,
}


def details_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """All of them, of a step as a release keeps it."""
    return {name: spec.get(name, nothing) for name, nothing in DETAILS.items()}


def told(details: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {name: details[name] for name, nothing in DETAILS.items() if details[name] != nothing}


def check_statuses(found: Sequence[int]) -> None:
    """Raises ``BadStep``."""
    if len(found) > MOST_STATUSES:
        raise BadStep("statuses", f"At most {MOST_STATUSES} statuses (you sent {len(found)}).")
    for status in found:
        if not 100 <= status <= 599:
            raise BadStep("statuses", f"A status is a whole number from 100 to 599; {status} is none.")


def statuses(text: str) -> list[int]:
    """Numbers with commas or blanks between them, each once. Raises ``BadStep``."""
    found: list[int] = []
    for piece in text.replace(",", " ").split():
        if not re.fullmatch(r"[0-9]{3}", piece):
            raise BadStep("statuses", f"“{plain(piece)[:20]}” is no status; statuses are numbers such as: 200, 204.")
        found.append(int(piece))
    check_statuses(found)
    return list(dict.fromkeys(found))


def check_url(url: str) -> None:
    """An address of http or https without a name or password in it. Raises ``BadStep``."""
    try:
        # what {NAME} becomes is the environment's; digits fit each part of an address
        parts = urlsplit(re.sub(r"\{[A-Za-z_][A-Za-z0-9_]*\}", "1", url))
        _ = parts.port
    except ValueError as problem:
        raise BadStep("url", f"That is no address: {problem}.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(letter.isspace() for letter in url):
        raise BadStep(
            "url",
            "An address begins with http:// or https:// and names a host, such as http://127.0.0.1:{PORT}/health.",
        )
    if parts.username or parts.password:
        raise BadStep("url", "No name and no password in an address: everybody in the project sees it.")


def pipeline(specs: Sequence[StepSpec]) -> list[StepSpec]:
    """A whole pipeline. Raises ``BadStep``."""
    most = limits.value("PIPELINE_STEPS")
    if not specs:
        raise BadStep("", "A pipeline has at least one step.")
    if len(specs) > most:
        raise BadStep("", f"A pipeline has at most {most} steps; these are {len(specs)}.")
    return list(specs)


class BadVariable(Exception):
    """A line that is no variable; the message says which and why."""


def variables(text: str) -> dict[str, str]:
    """``NAME=value``, one a line. Raises ``BadVariable``."""
    found: dict[str, str] = {}
    for place, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        name, separator, value = line.partition("=")
        name = name.strip()
        if not separator:
            raise BadVariable(f"Line {place} has no =; write NAME=value.")
        found[name] = _checked(place, name, value.strip(), found)
    most = limits.value("VARIABLES_MAX")
    if len(found) > most:
        raise BadVariable(f"At most {most} variables; these are {len(found)}.")
    return found


def _checked(place: int, name: str, value: str, found: dict[str, str]) -> str:
    if not VARIABLE.fullmatch(name):
        raise BadVariable(f"Line {place}: a name has letters, digits and _, begins with no digit, and has at most 60.")
    if name.upper().startswith(RESERVED) or name.upper() == "PATH":
        raise BadVariable(f"Line {place}: {name} is not for an environment to set.")
    if name in found:
        raise BadVariable(f"Line {place}: {name} is given twice.")
    if len(value) > MOST_VALUE_CHARACTERS or "\x00" in value:
        raise BadVariable(f"Line {place}: a value has at most {MOST_VALUE_CHARACTERS} characters, and no NUL.")
    return value


def written(variables: dict[str, str]) -> str:
    """Variables as ``variables`` reads them, by name: a database may keep them in any order."""
    return "\n".join(f"{name}={value}" for name, value in sorted(variables.items()))


# Policies -------------------------------------------------------------------------


class BadPolicy(ValueError):
    """Ages or categories that cannot be; the text names the piece."""


SEVERITIES: Final = tuple(severity.value for severity in Severity if severity != Severity.NONE)
MOST_DAYS: Final = 3650
MOST_CATEGORIES: Final = 20
CATEGORY_CHARS: Final = 60
_AGE: Final = re.compile(r"([a-z]+)\s*[:= ]\s*(\d{1,6})(?:\s*days?|\s*d)?", re.IGNORECASE)
# What pages call it is understood, too.
_NAMED: Final = {severity.label.lower(): severity.value for severity in Severity}


def ages(text: str) -> dict[str, int]:
    """Days by severity, of text such as ``high 30, medium 90``. Raises ``BadPolicy``."""
    found: dict[str, int] = {}
    for piece in re.split(r"[,;\n]", text):
        if not piece.strip():
            continue
        match = _AGE.fullmatch(piece.strip())
        if match is None:
            raise BadPolicy(f"“{plain(piece)[:60]}” is not a severity and a number of days, such as: high 30.")
        name = match[1].lower()
        severity = _NAMED.get(name, name)
        if severity in found:
            raise BadPolicy(f"{name} is there twice.")
        found[severity] = int(match[2])
    return checked_ages(found)


def checked_ages(found: Mapping[str, int]) -> dict[str, int]:
    """Raises ``BadPolicy``."""
    for severity, days in found.items():
        if severity not in SEVERITIES:
            raise BadPolicy(f"“{plain(severity)[:60]}” is no severity. Severities are: {', '.join(SEVERITIES)}.")
        if not 1 <= days <= MOST_DAYS:
            raise BadPolicy(f"Days are a whole number from 1 to {MOST_DAYS:,}; {severity} has {days}.")
    return dict(found)


def categories(words: Iterable[str]) -> list[str]:
    """Words that are looked for in categories, each once. Raises ``BadPolicy``."""
    found = list(dict.fromkeys(word.strip() for word in words if word.strip()))
    if len(found) > MOST_CATEGORIES:
        raise BadPolicy(f"At most {MOST_CATEGORIES} categories (you sent {len(found)}).")
    for word in found:
        if len(word) > CATEGORY_CHARS:
            raise BadPolicy(f"A category's word has at most {CATEGORY_CHARS} characters: “{plain(word)[:30]}…”.")
    return found

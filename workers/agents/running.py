"""Running an agent's profile: the command that starts it or goes on with its session, and what its output comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from portal.core import limits, secrets
from workers import children
from workers.agents import containment, dialogue, logins, program_versions
from workers.agents.adapters import UnknownAdapter, adapter_named, read_all
from workers.agents.adapters.events import Event, SessionStarted, Signal, ToolCall, Usage
from workers.agents.adapters.launches import MODEL, SESSION
from workers.agents.adapters.verdict import State, Verdict, verdict
from workers.agents.containment import Mounts
from workers.agents.usage import Meter, Spent
from workers.children import ChildResult, Command
from workers.claims import Claim
from workers.failures import BadInput
from workers.models import AgentVersion, Containment

SESSION_CHARS: Final = 200

# What a profile calls the bounds of a process, and what the kernel does.
RESOURCES: Final = {
    "cpu_seconds": "cpu",
    "file_bytes": "fsize",
    "open_files": "nofile",
    "processes": "nproc",
    "memory_bytes": "as",
}

# The agent, or what it needs, did not work. Not: what somebody of ours ended, nor a signal that was not to be believed.
_SICK: Final = {
    State.COULD_NOT_START,
    State.EXIT_CODE,
    State.KILLED,
    State.NO_SIGNAL,
    State.BAD_RESULT,
    State.TIMED_OUT,
}


@dataclass(frozen=True)
class Ran:
    """What a run came to. ``spent`` is its own part of ``session``, the session's figures; None where nothing is told.

    ``session_id`` is what a later run can go on with; empty where there is none. ``tools`` counts the calls of tools.
    """

    verdict: Verdict
    session_id: str
    spent: Spent | None
    session: Spent | None
    exit_code: int | None
    tools: int = 0


def command(
    version: AgentVersion,
    *,
    cwd: Path,
    home: Path,
    prompt: str,
    nonce: str,
    ticket: str,
    session: str = "",
    name: str,
    mounts: Mounts | None = None,
) -> Command:
    """The profile's command for one run, in its containment. Raises ``BadInput`` where it can never run.

    It goes on with ``session`` where there is one and the profile knows how;
    a fresh session is called ``name`` where the command has a place for that.
    ``mounts`` is what a box shows of the work beside ``cwd`` and ``home``.
    """
    resumes = bool(session and version.resume)
    called = _safe(session if resumes else name)
    environment = children.allowed_environment(version.environment)
    environment |= {variable: _revealed(secret) for variable, secret in version.secrets.items()}
    if version.containment == Containment.BUBBLEWRAP:
        # No other home is there in a box.
        environment["HOME"] = str(home)
    environment.setdefault("HOME", str(home))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    parts = version.resume if resumes else version.command
    argv = [part.replace(SESSION, called).replace(MODEL, version.model) for part in parts]
    asks = dialogue.speaks(version.adapter, argv)
    contained = containment.contained(version, argv, cwd=cwd, home=home, environment=environment, mounts=mounts)
    logins.write(version.login, home)
    return Command(
        argv=contained,
        cwd=cwd,
        env=environment
        | {"SHIPROOM_TICKET": ticket, "SHIPROOM_NONCE": nonce, "SHIPROOM_SESSION": session if resumes else ""},
        stdin=dialogue.user_line(prompt) if asks else prompt,
        open_stdin=asks,
        wall_seconds=min(version.wall_seconds, limits.value("TURN_WALL_SECONDS")),
        silence_seconds=min(version.silence_seconds, limits.value("TURN_SILENCE_SECONDS")),
        output_bytes=version.output_bytes,
        limits={RESOURCES[name]: most for name, most in version.limits.items()},
    )


def program(claim: Claim, version: AgentVersion, ready: Command, *, home: Path, mounts: Mounts | None = None) -> str:
    """The version of its program, as that says itself, asked as ``ready`` will run; empty where it does not say.

    Raises ``LeaseLost``, ``Cancelled`` or ``Interrupted``.
    """
    asked = program_versions.argv(version)
    if not asked:
        return ""
    argv = containment.contained(version, asked, cwd=ready.cwd, home=home, environment=ready.env, mounts=mounts)
    return program_versions.ask(claim, ready, argv, asked[0])


def judge(
    version: AgentVersion,
    result: ChildResult,
    *,
    nonce: str,
    ticket: str,
    before: Spent | None,
    session: str = "",
    name: str = "",
    told: Signal | None = None,
) -> Ran:
    """Read the output once, in bounded memory. ``before`` is the session's figures from the run before.

    ``session`` and ``name`` are what ``command`` was given: where the command
    names its session, as Goose's, the agent does not tell it. ``told`` is the
    signal that it gave by a tool.
    """
    try:
        adapter = adapter_named(version.adapter)(nonce, ticket)
    except UnknownAdapter as unknown:
        raise BadInput(f"The profile cannot be read: {unknown}.") from None
    heard = _Heard(Meter(before))
    if result.stdout.exists():
        with result.stdout.open("rb") as spool:
            found = verdict(heard.listen(read_all(adapter, spool)), result.record, nonce, ticket, told)
    else:
        found = verdict(heard.listen(adapter.finish()), result.record, nonce, ticket, told)
    named = any(SESSION in part for part in version.command)
    called = session if session and version.resume else name
    return Ran(
        found,
        heard.session_id or (called if named else ""),
        heard.meter.spent if heard.told else None,
        heard.meter.session if heard.told else before,
        result.record.exit_code,
        heard.tools,
    )


def is_sick(found: Verdict) -> bool:
    """Whether the failure is the agent's, or its provider's, own. A valid signal is health, whatever it says."""
    return not found.ok and found.state in _SICK


def is_usable(session: str) -> bool:
    """Whether this can stand in a command as a session's name: no option, one line, nothing unseen."""
    return 0 < len(session) <= SESSION_CHARS and session.isprintable() and not session.startswith("-")


@dataclass
class _Heard:
    meter: Meter
    told: bool = False
    session_id: str = field(default="")
    tools: int = 0

    def listen(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Usage):
                self.told = True
                self.meter.add(event)
            elif isinstance(event, SessionStarted) and not self.session_id and is_usable(event.session_id):
                self.session_id = event.session_id
            elif isinstance(event, ToolCall):
                self.tools += 1
            yield event


def _safe(session: str) -> str:
    """It may be what an agent printed: it becomes an argument, and must not become an option."""
    if not is_usable(session):
        raise BadInput(f"{session[:40]!r} cannot be the name of a session, so the agent was not started.")
    return session


def _revealed(name: str) -> str:
    try:
        return secrets.reveal(name)
    except secrets.SecretUnreadable as missing:
        raise BadInput(str(missing)) from None

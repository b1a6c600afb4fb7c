"""Git as the portal speaks it: one way to start it, in which nobody else's command runs.

An agent had the folder before us. Whatever it left there (hooks, filters,
drivers, a monitor, odd names) is data: no hook, no prompt, no pager and no
driver runs, output and time are bounded, and no configuration of a person or
of the machine is read. Settings of a repository that would start a program
are overruled; ``tickets.pristine`` does not read them at all.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from portal.core.redaction import redact
from workers import room
from workers.failures import JobFailed

SECONDS: Final = 60
KEEP_BYTES: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 65_536
_ERROR_BYTES: Final = 16_384
_REASON_CHARS: Final = 300

NAME: Final = "Shiproom"
EMAIL: Final = "shiproom@localhost"

# Given with each call, so that they overrule the repository's own.
_SETTINGS: Final = {
    "user.name": NAME,
    "user.email": EMAIL,
    "safe.directory": "*",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.alternateRefsCommand": "true",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    # It may tell of other parents than a commit has.
    "core.commitGraph": "false",
    "core.quotePath": "false",
    "color.ui": "false",
    "credential.helper": "",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "push.gpgSign": "false",
    "log.showSignature": "false",
    "merge.verifySignatures": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "rerere.enabled": "false",
    "i18n.logOutputEncoding": "UTF-8",
}
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_EDITOR": "false",
    "GIT_SEQUENCE_EDITOR": "false",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_PROXY_COMMAND": "",
    "GIT_SSH_VARIANT": "ssh",
    # A connection that stays would keep what it inherits from us.
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=20",
}
# How the machine reaches a network, for the commands that use one.
_NETWORK: Final = frozenset({"fetch", "ls-remote", "push"})
_REACHING: Final = (
    "SSH_AUTH_SOCK",
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"),
)
# Commands with a diff in them: a driver that the attributes name may start a program.
_SHOWING: Final = frozenset({"diff", "diff-files", "diff-index", "diff-tree", "format-patch", "log", "show"})
# Commands that carry files between the objects and the disk: filters and merge drivers do.
_CARRYING: Final = frozenset(
    {"add", "am", "checkout", "cherry-pick", "commit", "diff", "diff-files", "diff-index", "merge", "read-tree"}
    | {"rebase", "reset", "restore", "revert", "stash", "status", "switch", "worktree"}
)
_DRIVERS: Final = r"^(filter\..*\.(clean|smudge|process|required)|merge\..*\.driver)$"
# Any byte but one that continues a character of UTF-8.
_CONTINUING: Final = bytes(range(0x80, 0xC0))

_passed: ContextVar[tuple[int, ...]] = ContextVar("shiproom_git_passed", default=())


class GitFailed(JobFailed):
    """Git refused or took too long; the message carries its reason."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one command that reaches a repository is given on top: variables, and settings that overrule all others."""

    environment: Mapping[str, str]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Output:
    """How git ended: what it wrote, as far as it was kept, and the characters that were not."""

    code: int
    out: bytes
    cut: int
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace")


def git(folder: Path, *arguments: str, seconds: float = SECONDS, stdin: bytes | IO[bytes] | None = None) -> str:
    """Run git in ``folder`` and return its output without the space around it. Raises ``GitFailed``."""
    return checked(arguments[0], run(folder, *arguments, seconds=seconds, stdin=stdin)).text.strip()


def checked(command: str, output: Output) -> Output:
    """``output`` where git succeeded, with all that it wrote. Raises ``GitFailed``."""
    if output.code != 0:
        raise GitFailed(f"git {command} failed: {reason(output.err)}")
    if output.cut:
        raise GitFailed(f"git {command} wrote more than {KEEP_BYTES // 1024 // 1024} MiB.")
    return output


def reason(err: str) -> str:
    """Git's own first reason, for people: one line, without secrets."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    found = next(
        (line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), lines[-1] if lines else ""
    )
    return printable(redact(found))[:_REASON_CHARS] or "no message"


def run(
    folder: Path,
    *arguments: str,
    seconds: float = SECONDS,
    stdin: bytes | IO[bytes] | None = None,
    keep: int = KEEP_BYTES,
    environment: Mapping[str, str] | None = None,
    access: Access | None = None,
) -> Output:
    """Run git in ``folder``, however it ends; the first argument is the command.

    Not more than ``keep`` bytes are kept of what it writes. Raises
    ``GitFailed`` where it does not start or takes longer than ``seconds``, and
    ``NoRoom`` where it says that this machine's disk is full.
    """
    argv = ["git", "-C", str(folder), *_plain(arguments)]
    with _input(stdin) as source:
        process = _start(argv, _surroundings(folder, arguments[0], environment, access), source)
    try:
        out, cut, err = _read(process, time.monotonic() + seconds, keep)
    except TimeoutError:
        raise GitFailed(f"git {arguments[0]} took longer than {seconds:g} s.") from None
    finally:
        _end(process)
    said = err.decode("utf-8", "replace")
    if process.returncode != 0 and room.is_said(said):
        raise room.NoRoom(f"git {arguments[0]}")
    return Output(process.returncode, out, cut, said)


@contextmanager
def piping(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[IO[bytes]]:
    """Git's output as another one's ``stdin``. It is ended with the block, however far it came."""
    argv = ["git", "-C", str(folder), *_plain(arguments)]
    with tempfile.TemporaryFile() as said:
        surroundings = _surroundings(folder, arguments[0], environment)
        process = _start(argv, surroundings, subprocess.DEVNULL, stderr=said)
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            _end(process)


@contextmanager
def passing(descriptor: int) -> Iterator[None]:
    """Git inherits ``descriptor`` in the block: a lock on it outlives a killed worker as long as its git does."""
    token = _passed.set((*_passed.get(), descriptor))
    try:
        yield
    finally:
        _passed.reset(token)


def head(folder: Path) -> str:
    """The commit that the folder stands at."""
    return git(folder, "rev-parse", "--verify", "HEAD^{commit}")


def printable(raw: bytes | str) -> str:
    """A name as a page may show it: what is no text, or would not be seen, is escaped."""
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def names(output: bytes) -> list[bytes]:
    """The names of a list that ends each with NUL."""
    return [name for name in output.split(b"\0") if name]


def _plain(arguments: tuple[str, ...]) -> list[str]:
    command, *rest = arguments
    return [command, *(["--no-ext-diff", "--no-textconv"] if command in _SHOWING else []), *rest]


def _surroundings(
    folder: Path, command: str, more: Mapping[str, str] | None, access: Access | None = None
) -> dict[str, str]:
    """The whole environment of a call, the settings in it: no name in a key can be taken for an argument."""
    found = {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT}
    # A folder that is no repository (any more) is not taken for a part of one above it.
    found["GIT_CEILING_DIRECTORIES"] = str(folder.absolute().parent)
    if command in _NETWORK:
        found |= {name: os.environ[name] for name in _REACHING if name in os.environ}
    found |= more or {}
    settings = _SETTINGS | (_overruled(folder, found) if command in _CARRYING else {})
    if access is not None:
        found |= access.environment
        settings |= access.settings
    found["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        found[f"GIT_CONFIG_KEY_{number}"], found[f"GIT_CONFIG_VALUE_{number}"] = key, value
    return found


def _overruled(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """A harmless value for each driver that the repository itself configures: attributes may name any of them."""
    argv = ["git", "-C", str(folder), "config", "-z", "--name-only", "--includes", "--get-regexp", _DRIVERS]
    process = _start(argv, dict(environment), subprocess.DEVNULL)
    try:
        out, _, _ = _read(process, time.monotonic() + SECONDS, KEEP_BYTES)
    except TimeoutError:
        raise GitFailed(f"git config took longer than {SECONDS} s.") from None
    finally:
        _end(process)
    return {os.fsdecode(name): _harmless(name) for name in names(out)}


def _harmless(name: bytes) -> str:
    if name.endswith((b".driver", b".required")):
        return "false"
    return ""


@contextmanager
def _input(stdin: bytes | IO[bytes] | None) -> Iterator[int | IO[bytes]]:
    if not isinstance(stdin, bytes):
        yield subprocess.DEVNULL if stdin is None else stdin
        return
    # A file and no pipe: git may begin to write before it has read all.
    with tempfile.TemporaryFile() as file:
        file.write(stdin)
        file.seek(0)
        yield file


def _start(
    argv: list[str], environment: dict[str, str], stdin: int | IO[bytes], stderr: int | IO[bytes] = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            pass_fds=_passed.get(),
        )
    except (OSError, ValueError) as problem:
        said = problem.strerror if isinstance(problem, OSError) else problem
        raise GitFailed(f"git could not be started ({said}).") from problem


def _read(process: subprocess.Popen[bytes], until: float, keep: int) -> tuple[bytes, int, bytes]:
    """What it writes until it ends: the output as far as it is kept, the characters past that, the errors."""
    out, cut, err = bytearray(), 0, bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout or 0, selectors.EVENT_READ, out)
        waiting.register(process.stderr or 0, selectors.EVENT_READ, err)
        while waiting.get_map():
            ready = waiting.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    waiting.unregister(key.fileobj)
                room = max(0, (keep if key.data is out else _ERROR_BYTES) - len(key.data))
                key.data.extend(piece[:room])
                if key.data is out:
                    cut += len(piece[room:].translate(None, _CONTINUING))
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return bytes(out), cut, bytes(err)


def _end(process: subprocess.Popen[Any]) -> None:
    """No process of this call is left, and no descriptor."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()

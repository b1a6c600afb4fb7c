"""How an agent's command line is started, as data that a profile can begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SESSION: Final = "{session}"  # stands in a command where the session's name belongs
MODEL: Final = "{model}"  # and where that of the model does


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Commands as lists, for no shell. All read the prompt from standard input, which must then end.

    An empty command: any program may be one. `resume` is the whole command that goes on with a session; empty
    where none can. `unattended` are arguments to add to either, which let it act without asking; with those of
    `asking`, instead, it asks on its output, its standard input stays open, and its prompt is a line of JSON.
    `model` are arguments that choose one. `version` follows the program, which then prints its version.
    `environment` is advised and holds no secrets. `exit_codes` are known meanings; 0 is an end, and no proof of a
    good one.
    """

    command: tuple[str, ...]
    resume: tuple[str, ...] = ()
    unattended: tuple[str, ...] = ()
    asking: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    version: tuple[str, ...] = ("--version",)
    environment: Mapping[str, str] = field(default_factory=dict)
    exit_codes: Mapping[int, str] = field(default_factory=dict)

    def resumed(self, session: str) -> tuple[str, ...]:
        """Return the command that resumes that session; raise ValueError where none can be."""
        if not self.resume or not session or session.startswith("-"):
            raise ValueError("there is no such session to resume")
        return tuple(part.replace(SESSION, session) for part in self.resume)


PERMISSIONS_ON_STDIO: Final = ("--permission-prompt-tool", "stdio")
_CLAUDE = ("claude", "-p", "--output-format", "stream-json", "--verbose")
CLAUDE: Final = Launch(
    command=_CLAUDE,
    resume=(*_CLAUDE, "--resume", SESSION),
    unattended=("--dangerously-skip-permissions",),
    asking=("--input-format", "stream-json", *PERMISSIONS_ON_STDIO),
    environment={
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    },
    exit_codes={
        0: "the end of a run, also after SIGINT without a result",
        1: "the model API failed, a limit was reached, or it was started wrongly",
        143: "ended by SIGTERM",
    },
    model=("--model", MODEL),
)

CODEX: Final = Launch(
    command=("codex", "exec", "--json", "--skip-git-repo-check", "-s", "workspace-write", "-"),
    resume=("codex", "exec", "resume", "--json", "--skip-git-repo-check", SESSION, "-"),
    unattended=("--dangerously-bypass-approvals-and-sandbox",),
    exit_codes={1: "the turn failed, or there is no such session", 2: "it was started wrongly"},
    model=("-m", MODEL),
)

_GEMINI = ("gemini", "--output-format", "stream-json")
GEMINI: Final = Launch(
    command=_GEMINI,
    resume=(*_GEMINI, "--resume", SESSION),
    unattended=("-y",),
    environment={"GEMINI_CLI_NO_RELAUNCH": "true", "GEMINI_CLI_TRUST_WORKSPACE": "true"},
    exit_codes={
        0: "the end of a run, also after SIGTERM or SIGINT without a result",
        1: "the model API failed",
        42: "the input is wrong, or there is no such session",
        53: "its limit of turns was reached",
        55: "the folder is not trusted",
        144: "the model API answered 400",
        145: "the model API answered 401",
        244: "the model API answered 500",
    },
    model=("-m", MODEL),
)

_GOOSE = ("goose", "run", "-q", "--output-format", "stream-json", "--no-profile", "--with-builtin", "developer")
_SESSION = ("-n", SESSION)
_PROMPT = ("-i", "-")
GOOSE: Final = Launch(
    command=(*_GOOSE, *_SESSION, *_PROMPT),
    resume=(*_GOOSE, *_SESSION, "-r", *_PROMPT),
    environment={"GOOSE_MODE": "auto", "GOOSE_DISABLE_KEYRING": "1", "GOOSE_TELEMETRY_ENABLED": "false"},
    exit_codes={
        0: "the end of a run, also where the model API failed",
        1: "the model API refused the key, a tool needed approval, or there is no such session",
    },
    model=("--model", MODEL),
)

_OPENCODE = ("opencode", "run", "--format", "json")
OPENCODE: Final = Launch(
    command=_OPENCODE,
    resume=(*_OPENCODE, "-s", SESSION),
    unattended=("--auto",),
    environment={"OPENCODE_DISABLE_AUTOUPDATE": "true", "OPENCODE_DISABLE_MODELS_FETCH": "true"},
    exit_codes={
        0: "the end of a run, also where a permission was refused and nothing was answered",
        1: "the model API failed, or there is no such session",
    },
    model=("-m", MODEL),
)

_QWEN = ("qwen", "--bare", "--output-format", "stream-json")
QWEN: Final = Launch(
    command=_QWEN,
    resume=(*_QWEN, "--resume", SESSION),
    unattended=("-y",),
    exit_codes={1: "the model API failed, or it was started wrongly"},
    model=("-m", MODEL),
)

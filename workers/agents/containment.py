"""What is around an agent's process: nothing, a box of bubblewrap's, or a command of the admin's own.

A box shows the system's programs read-only, the worktree and the ticket's home
at their own paths, and what the caller mounts beside them. All else of the
machine is not there: other tickets, the portal's data, keys, sockets and
processes. Its user is nobody, without a capability and without a way to get one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from workers.agents import programs
from workers.failures import BadInput
from workers.models import AgentVersion, Containment, Network

COMMAND: Final = "{command}"  # the element of a wrapper that becomes the whole command
CWD: Final = "{cwd}"
HOME: Final = "{home}"
USER: Final = "65534"
MISSING: Final = "Bubblewrap is not installed on this worker's machine: apt install bubblewrap."
AS_ROOT: Final = (
    "This worker runs as root, and so would the agent. Run the worker as a user of its own, give the agent a"
    " containment, or mark its profile as trusted."
)
# Its own temporary files live in memory, each place bounded by itself.
SCRATCH_BYTES: Final = 1024 * 1024 * 1024
_OWN: Final = Path(__file__).with_name("box")
_TOP: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What programs look up; nothing that says who may do what here.
_ETC: Final = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gai.conf", "gitattributes"),
    *("host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "locale.alias", "mime.types"),
    *("nsswitch.conf", "os-release", "pki/tls/certs", "pki/ca-trust/extracted", "protocols", "resolv.conf", "services"),
    *("ssl/certs", "ssl/openssl.cnf", "timezone"),
)
_EMPTY: Final = ("/tmp", "/run", "/home", "/root", "/var")


@dataclass(frozen=True)
class Mounts:
    """What a box shows beside worktree and home. ``shown`` pairs a place of the machine with its place in the box."""

    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    shown: tuple[tuple[Path, Path], ...] = ()


def is_root() -> bool:
    return os.geteuid() == 0


def bubblewrap() -> str:
    """The program. Raises ``BadInput`` where it is not installed."""
    program = shutil.which("bwrap")
    if program is None:
        raise BadInput(MISSING)
    return program


def contained(
    version: AgentVersion,
    argv: Sequence[str],
    *,
    cwd: Path,
    home: Path,
    environment: Mapping[str, str],
    mounts: Mounts | None = None,
) -> tuple[str, ...]:
    """``argv`` with what the profile wants around it. Raises ``BadInput`` where it must not, or cannot, run so."""
    match version.containment:
        case Containment.BUBBLEWRAP:
            inside = [*_lookable(version, argv[0], environment.get("PATH", os.defpath)), *_own(cwd, home, mounts)]
            return (bubblewrap(), *_walls(version), *inside, "--remount-ro", "/", "--chdir", str(cwd), "--", *argv)
        case Containment.WRAPPER:
            return _wrapped(version.wrapper, argv, cwd, home)
        case Containment.PLAIN if is_root() and not version.trusted:
            raise BadInput(AS_ROOT)
        case _:
            return tuple(argv)


def _wrapped(wrapper: Sequence[str], argv: Sequence[str], cwd: Path, home: Path) -> tuple[str, ...]:
    found: list[str] = []
    for part in wrapper:
        found += argv if part == COMMAND else [part.replace(CWD, str(cwd)).replace(HOME, str(home))]
    return tuple(found)


def _walls(version: AgentVersion) -> list[str]:
    """The kernel's separations, and the system as far as every program needs it."""
    found = ["--unshare-user", "--disable-userns", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    found += ["--unshare-cgroup-try", *(["--unshare-net"] if version.network == Network.NONE else [])]
    found += ["--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--hostname", "agent"]
    found += ["--die-with-parent", "--new-session"]
    found += _shown(programs.SYSTEM)
    for name in _TOP:
        top = Path("/", name)
        if top.is_symlink():
            found += ["--symlink", os.readlink(top), str(top)]
        elif top.is_dir():
            found += _shown(top)
    for name in _ETC:
        # The file itself where it is a link, as resolv.conf often is, into what is not shown.
        found += ["--ro-bind-try", os.path.realpath(f"/etc/{name}"), f"/etc/{name}"]
    for name in ("passwd", "group"):
        found += ["--ro-bind", str(_OWN / name), f"/etc/{name}"]
    # A worker that is root owns the kernel's settings in /proc; read-only, they are nobody's.
    found += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    found += [*_memory("/dev/shm"), "--remount-ro", "/dev"]
    for place in _EMPTY:
        found += _memory(place)
    return found


def _lookable(version: AgentVersion, program: str, search: str) -> list[str]:
    """The program's own files and what the profile names. The portal's data is covered, whatever lies around it."""
    found: list[str] = []
    named = [Path(path) for path in version.readable]
    if missing := [path for path in named if not path.exists()]:
        raise BadInput(f"{missing[0]}, which the agent may read, is not there on this worker's machine.")
    for place in sorted({*named, *programs.needed(program, search)}):
        found += _shown(place)
    return [*found, *_memory(str(settings.DATA_DIR))]


def _own(cwd: Path, home: Path, mounts: Mounts | None) -> list[str]:
    found: list[str] = []
    for place in (cwd, home, *(mounts.writable if mounts else ())):
        found += ["--bind", str(place), str(place)]
    for place in mounts.readable if mounts else ():
        found += _shown(place)
    for here, there in mounts.shown if mounts else ():
        found += ["--ro-bind", str(here), str(there)]
    return [*found, "--symlink", str(home), "/home/agent"]


def _shown(place: Path) -> list[str]:
    return ["--ro-bind", str(place), str(place)]


def _memory(place: str) -> list[str]:
    return ["--size", str(SCRATCH_BYTES), "--tmpfs", place]


def told(version: AgentVersion) -> str:
    """What the profile's containment means, for who decides whether that is enough."""
    match version.containment:
        case Containment.BUBBLEWRAP if version.network == Network.NONE:
            network = "It has no network, so no model's API and no tools of the portal."
        case Containment.BUBBLEWRAP:
            network = "The network is open: it reaches what this machine reaches, the portal's own ports among it."
        case Containment.WRAPPER:
            return "Wrapper: it can do what the wrapper's command lets it. The portal does not look at that."
        case _:
            return (
                "Plain: runs as the portal's user, and can read its database, key and broker, other tickets and other"
                " agents' logins. For an agent that is trusted like oneself."
            )
    return (
        f"Bubblewrap: sees the system's programs, its worktree and its own home, and no more of this machine. {network}"
    )

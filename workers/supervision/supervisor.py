"""Own one child's process tree, from its start to the last process of it, and say how it ended.

Run as `python -I -S supervisor.py SPEC.json`, or `--fd N` for a JSON object on an inherited descriptor (see
`Spec`). It imports nothing of the project, so that it starts fast and cannot be broken by it.

* It is a session of its own and a subreaper: a process that daemonises itself becomes a child of this one.
* It reads stdout and stderr together, in bounded memory: the head up to the cap and the last bytes are kept,
  the rest is counted.
* It holds a control pipe from its worker. Lines: `deadline SECONDS [MONOTONIC]` (seconds from MONOTONIC, the
  moment of sending, or else from now), `heard` (the child waits for its worker: that is no silence) and `stop`.
  At end of file (the worker died) or past the deadline (the
  worker hangs) the tree is gone within 5 seconds, with nobody's help.
* SIGTERM, SIGINT and SIGHUP to this process mean stop.
* It sweeps after a normal exit too, then writes the exit record with one rename.

If this process itself dies by SIGKILL, the kernel kills the main process with it; descendants of that one
live on until `sweep(marker)` of workers.supervision.child finds them by the marker in their environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import math
import os
import resource
import select
import signal
import sys
import time

MARKER_VARIABLE = "SHIPROOM_ATTEMPT"
READ_SIZE = 64 * 1024
PIPE_SIZE = 1024 * 1024  # some agents exit with output unwritten; a larger pipe loses less of it
TICK = 0.05  # seconds between looks while ending
SETTLE = 0.3  # seconds that helpers of a finished child have to finish by themselves
HURRY = 3.0  # most grace, in seconds, where nobody waits for a polite end
READ_AFTER_EXIT = 5.0  # seconds that a pipe held open elsewhere is still read
PATIENCE = 10.0  # seconds after SIGKILL until a process in uninterruptible sleep is given up and named
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
NO_ARGUMENTS = (ctypes.c_ulong(0),) * 3
RLIMITS = {
    "as": resource.RLIMIT_AS,
    "cpu": resource.RLIMIT_CPU,
    "fsize": resource.RLIMIT_FSIZE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
}


class CouldNotStart(Exception):
    """The child never ran; the message is one line for a person."""


class Spec:
    """What to run, and the bounds: seconds, bytes, absolute paths. Built by keyword: a typo is an error."""

    def __init__(
        self,
        *,
        argv: list[str],
        cwd: str,
        env: dict[str, str],
        marker: str,
        stdout: str,
        stderr: str,
        record: str,
        output_cap: int,
        output_tail: int = 0,
        wall_limit: float | None = None,
        silence_limit: float | None = None,
        grace: float = 5.0,
        lease: float | None = None,
        control: int | None = None,
        stdin: str | None = None,
        stdin_fd: int | None = None,
        limits: dict[str, int] | None = None,
    ) -> None:
        self.argv, self.cwd, self.env, self.marker = argv, cwd, env, marker
        self.stdin, self.stdout, self.stderr, self.record = stdin, stdout, stderr, record
        self.output_cap, self.output_tail = output_cap, output_tail
        self.wall_limit = math.inf if wall_limit is None else wall_limit
        self.silence_limit = math.inf if silence_limit is None else silence_limit
        self.grace, self.control, self.stdin_fd = grace, control, stdin_fd
        self.lease = math.inf if lease is None else lease
        self.limits = limits or {}


class Process:
    """One row of /proc. The start time tells it from a later process with the same pid."""

    __slots__ = ("parent", "pid", "started", "state")

    def __init__(self, pid: int, state: bytes, parent: int, started: bytes) -> None:
        self.pid, self.state, self.parent, self.started = pid, state, parent, started


def look_at(pid: int) -> Process | None:
    """Return what /proc says of the pid, or None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(pid, fields[0], int(fields[1]), fields[19])


def carries(pid: int, entry: bytes) -> bool:
    """Whether the process was started with this exact `NAME=value` in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return entry in file.read().split(b"\0")
    except OSError:  # gone, or not ours to read
        return False


def find_tree(root: int, marker: str, variable: str = MARKER_VARIABLE) -> list[Process]:
    """Return who lives below `root` (0: none) or marked, with its descendants, but not root or the caller."""
    entry = f"{variable}={marker}".encode()
    rows = {row.pid: row for name in os.listdir("/proc") if name.isdigit() and (row := look_at(int(name)))}
    children: dict[int, list[int]] = {}
    for row in rows.values():
        children.setdefault(row.parent, []).append(row.pid)
    excluded = {root, os.getpid(), 1}
    pending = [root] if root else []
    pending += [pid for pid in rows if pid not in excluded and carries(pid, entry)]
    found: set[int] = set()
    while pending:
        pid = pending.pop()
        fresh = [child for child in children.get(pid, []) if child not in found]
        found.update(fresh)
        found.add(pid)
        pending += fresh
    return [rows[pid] for pid in found - excluded if pid in rows and rows[pid].state not in (b"Z", b"X")]


def send(process: Process, number: int) -> None:
    """Signal exactly this process: the second look, behind an open pidfd, rules out a reused pid."""
    with contextlib.suppress(OSError):  # it ended meanwhile, or runs as somebody else
        handle = os.pidfd_open(process.pid)
        try:
            now = look_at(process.pid)
            if now and now.started == process.started:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


class Stream:
    """One output of the child on its way to its spool: head, cut mark, tail; every byte of it is counted."""

    def __init__(self, name: str, path: str, cap: int, tail_size: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
        try:
            self.spool = os.open(path, flags, 0o600)
        except OSError as error:
            raise CouldNotStart(f"its {name} spool cannot be written: {error.strerror}") from None
        self.name, self.cap, self.tail_size = name, cap, tail_size
        self.received = self.head = self.dropped = 0
        self.tail = bytearray()
        self.error = ""
        self.read_end, self.write_end = os.pipe()
        with contextlib.suppress(OSError):  # the user's pipe budget is used up: the default size works too
            fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, PIPE_SIZE)

    def pump(self) -> bool:
        """Read once, at most READ_SIZE; return False at end of file."""
        data = os.read(self.read_end, READ_SIZE)
        self.received += len(data)
        head = data[: self.cap - self.head]
        written = self._write(head)
        self.head += written
        if written < len(head):
            self.cap = self.head  # the disk is full: what follows may only be in the tail
        self.tail += data[written:]
        if len(self.tail) > 2 * self.tail_size + READ_SIZE:
            del self.tail[: len(self.tail) - self.tail_size]
        return bool(data)

    def finish(self) -> None:
        """Write the mark of the cut, if there is one, and the tail, and settle the counts."""
        tail = bytes(self.tail[max(0, len(self.tail) - self.tail_size) :])
        self.dropped = self.received - self.head - len(tail)
        if self.dropped:
            self._write(b"\n[shiproom: %d bytes of %s dropped here]\n" % (self.dropped, self.name.encode()))
        self.dropped += len(tail) - self._write(tail)
        os.close(self.spool)
        os.close(self.read_end)

    def report(self) -> dict[str, object]:
        """Return the counts for the exit record; cut_at is the spool offset at which bytes are missing."""
        return {
            "received": self.received,
            "dropped": self.dropped,
            "cut_at": self.head if self.dropped else None,
            "error": self.error,
        }

    def _write(self, data: bytes) -> int:
        done = 0
        try:
            while done < len(data):
                done += os.write(self.spool, data[done:])
        except OSError as error:
            self.error = f"the spool could not be written: {error.strerror}"
        return done


def find_program(name: str, path: str, cwd: str) -> str:
    """Return the file that `name` means for a child with this PATH and cwd, or say why there is none."""
    places = [cwd] if "/" in name else [os.path.join(cwd, place) for place in path.split(":") if place]
    files = [os.path.join(place, name) for place in places if name]
    present = [file for file in files if os.path.isfile(file)]
    for file in present:
        if os.access(file, os.X_OK):
            return file
    if present:
        raise CouldNotStart(f"{name!r} is not executable")
    raise CouldNotStart(f"command {name!r} was not found")


def spawn(spec: Spec, stdin: int, stdout: int, stderr: int) -> int:
    """Start the child in its own session; return its pid once its exec succeeded, or raise CouldNotStart."""
    if not os.path.isdir(spec.cwd):
        raise CouldNotStart(f"its working directory {spec.cwd!r} does not exist")
    if not spec.argv:
        raise CouldNotStart("its command line is empty")
    program = find_program(spec.argv[0], spec.env.get("PATH", os.defpath), spec.cwd)
    prctl = ctypes.CDLL(None).prctl
    failure, failed = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            become_child(spec, (stdin, stdout, stderr))
            prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), *NO_ARGUMENTS)
            if os.getppid() != parent:  # the supervisor was killed before the line above took effect
                os._exit(127)
            os.execve(program, spec.argv, {**spec.env, MARKER_VARIABLE: spec.marker})
        except BaseException as error:  # whatever it is, it must not return into the supervisor's code
            reason = getattr(error, "strerror", None) or str(error)
            os.write(failed, f"{spec.argv[0]!r}: {reason}".encode(errors="replace"))
        finally:
            os._exit(127)
    os.close(failed)
    with open(failure, "rb") as file:
        reason = file.read(4096).decode(errors="replace")
    if reason:
        os.waitpid(pid, 0)
        raise CouldNotStart(" ".join(reason.split()))
    return pid


def become_child(spec: Spec, descriptors: tuple[int, int, int]) -> None:
    """Turn the forked process into a clean one; descriptors above 2 close by themselves at exec (PEP 446)."""
    os.setsid()
    os.chdir(spec.cwd)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # some are reserved by the C library
            signal.signal(number, signal.SIG_DFL)  # what is ignored survives exec, and Python ignores SIGPIPE
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    for name, value in spec.limits.items():
        resource.setrlimit(RLIMITS[name], (value, value))


class Supervision:
    """The life of one child: start, watch, end, sweep, record."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.poller = select.poll()
        self.streams: dict[int, Stream] = {}  # by read end, while open
        self.all_streams: list[Stream] = []
        self.pid = 0
        self.status: int | None = None
        self.children_left = False
        self.ended_by = self.message = ""
        self.told_to_stop = False
        self.commands = b""
        self.began = self.started_at = self.last_output = time.monotonic()
        self.exited_at: float | None = None
        self.ending_at: float | None = None
        self.lease_until = self.began + spec.lease
        self.term_at = self.kill_at = self.read_until = math.inf
        self.survivors: list[int] = []
        self.wakeup = self.catch_signals()
        # Room for the record is taken while there is some: a full disk must not lose the verdict.
        self.record_file = os.open(spec.record + ".part", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.posix_fallocate(self.record_file, 0, 8192)

    def run(self) -> None:
        """Start the child, stay until the last process of it is gone, write the record."""
        try:
            self.start()
            while not self.over():
                self.wait()
                self.reap()
                self.enforce()
        except CouldNotStart as error:
            self.ended_by, self.message = "could_not_start", f"agent could not start: {error}"
        except BaseException:  # a defect here must not leave a tree that nobody owns
            self.signal_tree(signal.SIGKILL)
            raise
        self.write_record()

    def catch_signals(self) -> int:
        wakeup, wake = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_stop)
        self.poller.register(wakeup, select.POLLIN)
        return wakeup

    def on_stop(self, *_: object) -> None:
        self.told_to_stop = True

    def start(self) -> None:
        spec = self.spec
        for name, path in (("stdout", spec.stdout), ("stderr", spec.stderr)):
            self.all_streams.append(Stream(name, path, spec.output_cap, spec.output_tail))
        try:
            # Its end is the worker's to close: at the worker's death it is closed, too.
            stdin = os.open(spec.stdin or os.devnull, os.O_RDONLY) if spec.stdin_fd is None else spec.stdin_fd
        except OSError as error:
            raise CouldNotStart(f"its prompt file cannot be read: {error.strerror}") from None
        try:
            self.pid = spawn(spec, stdin, *(stream.write_end for stream in self.all_streams))
        except OSError as error:  # no process or no memory to be had
            raise CouldNotStart(error.strerror or str(error)) from None
        os.close(stdin)
        self.started_at = self.last_output = time.monotonic()
        self.children_left = True
        for stream in self.all_streams:
            os.close(stream.write_end)
            self.streams[stream.read_end] = stream
            self.poller.register(stream.read_end, select.POLLIN)
        if spec.control is not None:
            self.poller.register(spec.control, select.POLLIN)

    def over(self) -> bool:
        """Whether nothing is left to end or to read, or only what cannot be ended."""
        now = time.monotonic()
        if now > self.kill_at + PATIENCE:
            self.survivors = [process.pid for process in self.tree()]
            self.message += "; some of its processes could not be ended"
            return True
        if self.status is None or self.children_left or self.tree():
            return False
        return not self.streams or now > self.read_until

    def tree(self) -> list[Process]:
        return find_tree(os.getpid(), self.spec.marker)

    def wait(self) -> None:
        """Sleep until something can be read or is due, then read once from everything that can be read."""
        silent_until = self.last_output + self.spec.silence_limit
        due = min(self.lease_until, self.started_at + self.spec.wall_limit, silent_until)
        seconds = TICK if self.ended_by else max(0.0, due - time.monotonic())
        for descriptor, _ in self.poller.poll(min(seconds, 3600.0) * 1000 + 1):
            if descriptor in self.streams:
                self.last_output = time.monotonic()
                if not self.streams[descriptor].pump():
                    self.poller.unregister(descriptor)
                    del self.streams[descriptor]
            elif descriptor == self.wakeup:
                os.read(self.wakeup, READ_SIZE)
            else:
                self.obey(descriptor)

    def obey(self, control: int) -> None:
        """Take the worker's lines; its end of file means that it died."""
        data = os.read(control, READ_SIZE)
        if not data:
            self.poller.unregister(control)
            self.end("orphaned", "ended because its worker died")
            return
        *lines, rest = (self.commands + data).split(b"\n")
        self.commands = rest[:1024]
        for line in lines:
            words = line.decode("ascii", "replace").split()
            if words == ["stop"]:
                self.end("stopped", "stopped on request")
            elif words == ["heard"]:
                self.last_output = time.monotonic()
            elif words and words[0] == "deadline":
                self.renew(words[1:])

    def renew(self, numbers: list[str]) -> None:
        now = time.monotonic()
        try:
            seconds, *sent = map(float, numbers)
        except ValueError:
            return
        # Counted from the sending: a line that waited while this process was stopped must not prolong a
        # lease.
        until = min([now, *sent]) + seconds
        if math.isfinite(until):
            self.lease_until = until

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.children_left = False
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.main_process_ended(status)

    def main_process_ended(self, status: int) -> None:
        now = self.exited_at = time.monotonic()
        self.status = os.waitstatus_to_exitcode(status)
        self.read_until = now + READ_AFTER_EXIT
        if not self.ended_by:
            died = self.status < 0
            self.message = f"killed by signal {-self.status}" if died else f"exited with code {self.status}"
            self.ended_by, self.ending_at = "exited", now
            self.term_at = now + SETTLE
            self.kill_at = self.term_at + min(self.spec.grace, HURRY)

    def enforce(self) -> None:
        """End the tree where a limit has passed, and carry on an ending that has begun."""
        now = time.monotonic()
        if self.told_to_stop:
            self.end("stopped", "stopped by a signal to its supervisor")
        if now > self.lease_until:
            self.end("deadline", "ended because its worker did not renew its deadline")
        if now > self.started_at + self.spec.wall_limit:
            self.end("wall_limit", f"ended at its time limit of {self.spec.wall_limit:g} s")
        if now > self.last_output + self.spec.silence_limit:
            self.end("silence_limit", f"ended after {self.spec.silence_limit:g} s without output")
        if now > self.kill_at:
            self.signal_tree(signal.SIGKILL)
        elif now > self.term_at:
            self.term_at = math.inf
            self.signal_tree(signal.SIGTERM)
            self.signal_tree(signal.SIGCONT)  # a stopped process takes its SIGTERM only when it goes on

    def end(self, reason: str, message: str) -> None:
        """Begin to end the tree. The first reason stands; a worker's death shortens its grace."""
        now = time.monotonic()
        alone = reason in ("orphaned", "deadline")
        grace = min(self.spec.grace, HURRY) if alone else self.spec.grace
        if not self.ended_by:
            self.ended_by, self.message, self.ending_at = reason, message, now
            self.term_at, self.kill_at = now, now + grace
        elif alone:
            self.kill_at = min(self.kill_at, now + grace)

    def signal_tree(self, number: signal.Signals) -> None:
        if number == signal.SIGKILL and self.status is None:
            # One call for the whole group, which forking cannot outrun; its id is not reused before the
            # reaping.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)
        for process in self.tree():
            send(process, number)

    def write_record(self) -> None:
        for stream in self.all_streams:
            stream.finish()
        used, now, code = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), self.status
        record = {
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "ended_by": self.ended_by,
            "message": self.message,
            "started_monotonic": self.started_at,
            "ended_monotonic": now,
            "run_seconds": (self.exited_at or now) - self.started_at,
            "ending_seconds": now - (self.ending_at or now),
            "max_rss_kib": used.ru_maxrss,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "survivors": self.survivors,
            **{stream.name: stream.report() for stream in self.all_streams},
        }
        data = json.dumps(record).encode()
        os.pwrite(self.record_file, data, 0)
        os.ftruncate(self.record_file, len(data))
        os.fsync(self.record_file)
        os.rename(self.spec.record + ".part", self.spec.record)


def read_spec(arguments: list[str]) -> Spec:
    """Read the JSON object; raise CouldNotStart with one line if it is none of ours."""
    try:
        source: int | str = int(arguments[1]) if arguments[0] == "--fd" else arguments[0]
        with open(source, "rb") as file:
            return Spec(**json.loads(file.read()))
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise CouldNotStart(f"its specification is not usable: {error}") from None


def close_all_but(kept: set[int]) -> None:
    """Close what the worker let through by accident, and let the child inherit nothing."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the descriptor of this listing itself
            if descriptor in kept:
                os.set_inheritable(descriptor, descriptor <= 2)
            else:
                os.close(descriptor)


def main(arguments: list[str]) -> int:
    """Run one specification; return 0 once its exit record is written, 2 if there could be none."""
    os.umask(0o077)
    try:
        spec = read_spec(arguments)
        close_all_but({0, 1, 2, *(fd for fd in (spec.control, spec.stdin_fd) if fd is not None)})
        if os.getsid(0) != os.getpid():
            os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), *NO_ARGUMENTS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        Supervision(spec).run()
    except (CouldNotStart, OSError) as error:
        print(f"agent could not start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

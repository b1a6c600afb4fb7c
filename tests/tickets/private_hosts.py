"""Hosts that let in who can sign in: one by ssh, one by https. Both on 127.0.0.1, for one test."""

from __future__ import annotations

import base64
import datetime
import getpass
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")
BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout.strip(), "git-http-backend"
)

# In the place of ssh and ssh-keyscan, where this machine has no sshd: as strict about what it is given.
_STAND_IN = """#!{python} -I
import os, subprocess, sys
from pathlib import Path
given = sys.argv[1:]
options, rest = {{}}, []
while given:
    word = given.pop(0)
    if word in ("-o", "-i", "-p", "-F", "-T", "-t"):
        value = given.pop(0)
        name, _, value = value.partition("=") if word == "-o" else (word, "", value)
        options[name] = value
    else:
        rest.append(word)
if Path(sys.argv[0]).name == "ssh-keyscan":
    print({host_line!r})
    sys.exit()
known = Path(options["UserKnownHostsFile"]).read_text() if "UserKnownHostsFile" in options else ""
if {host_line!r} not in known.splitlines():
    sys.exit("Host key verification failed.")
assert options["StrictHostKeyChecking"] == "yes" and options["IdentitiesOnly"] == "yes", options
assert os.stat(options["-i"]).st_mode & 0o077 == 0
if Path(options["-i"]).read_text() != {key!r}:
    sys.exit("git@127.0.0.1: Permission denied (publickey).")
sys.exit(subprocess.run(["sh", "-c", rest[1]]).returncode)
"""


def private_key() -> tuple[str, str]:
    """A key as ssh-keygen writes it, and its public half."""
    key = ed25519.Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return text, public.decode()


def locked_key() -> str:
    """One with a passphrase, as far as anybody can tell who does not know it."""
    parts = (b"aes256-ctr", b"bcrypt", b"\0\0\0\x10" + bytes(16) + b"\0\0\0\x10")
    packed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    body = base64.b64encode(b"openssh-key-v1\0" + packed + b"\0\0\0\1" + bytes(200)).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"


def locked_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    form, how = (
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"long and secret"),
    )
    return key.private_bytes(serialization.Encoding.PEM, form, how).decode()


@dataclass(frozen=True)
class SshHost:
    address: str  # of a folder, to be followed by its path
    host_line: str
    key: str


@contextmanager
def ssh_host(folder: Path) -> Iterator[tuple[SshHost, Path]]:
    """A real sshd, and the folder of its programs; without one here a program that looks at what it is given."""
    folder.mkdir()
    key, public = private_key()
    host_key, host_public = private_key()
    port = _free_port()
    line = f"[127.0.0.1]:{port} {host_public}"
    host = SshHost(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", line, key)
    if SSHD is None:
        for name in ("ssh", "ssh-keyscan"):
            (folder / name).write_text(_STAND_IN.format(python=sys.executable, host_line=line, key=key))
            (folder / name).chmod(0o755)
        yield host, folder
        return
    (folder / "host").write_text(host_key)
    (folder / "host").chmod(0o600)
    (folder / "authorized").write_text(f"{public}\n")
    settings = ["ListenAddress 127.0.0.1", f"Port {port}", f"HostKey {folder / 'host'}", "PidFile none", "UsePAM no"]
    settings += [f"AuthorizedKeysFile {folder / 'authorized'}", "StrictModes no", "PasswordAuthentication no"]
    (folder / "sshd_config").write_text("\n".join([*settings, "KbdInteractiveAuthentication no", ""]))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        _listens(port, folder / "log")
        yield host, folder
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _listens(port: int, log: Path) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)


class _Asking(BaseHTTPRequestHandler):
    """Git's own server behind a password; one folder is elsewhere."""

    projects: Path
    basic: str
    asked: list[str]

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = self.headers.get("Authorization", "")
        self.asked.append(given)
        if self.path.startswith("/moved"):
            self.send_response(301)
            self.send_header("Location", self.path.replace("/moved", "", 1))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if given != self.basic:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._git(body)

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.projects),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REMOTE_USER": "shiproom",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        said = subprocess.run([BACKEND], input=body, env=environment, capture_output=True).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, form: str, *arguments: object) -> None: ...


@dataclass(frozen=True)
class HttpsHost:
    address: str
    authority: Path  # the certificate that says who it is
    asked: list[str]  # what each request gave as its authorization


@contextmanager
def https_host(folder: Path, projects: Path, *, user: str, token: str) -> Iterator[HttpsHost]:
    folder.mkdir()
    basic = f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"
    asked: list[str] = []
    handler = type("Handler", (_Asking,), {"projects": projects, "basic": basic, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder / "certificate"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield HttpsHost(f"https://127.0.0.1:{server.server_address[1]}", folder / "certificate", asked)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _certificate(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(own + made.public_bytes(serialization.Encoding.PEM))
    return path


class Watch:
    """What every process of this machine shows of itself while the block runs: its arguments, its environment."""

    def __init__(self) -> None:
        self.seen = 0
        self.shown: set[bytes] = set()
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._looking.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        own = str(os.getpid())
        while not self._over.is_set():
            for pid in (name for name in os.listdir("/proc") if name.isdecimal() and name != own):
                for what in ("cmdline", "environ"):
                    try:
                        self.shown.add(Path("/proc", pid, what).read_bytes())
                    except OSError:
                        continue
            self.seen += 1
            self._over.wait(0.01)

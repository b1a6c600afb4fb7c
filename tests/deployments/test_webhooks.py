"""Verdicts told outside: signed, bounded, at least once, and never to where nothing may be sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import Client

from deployments import judging, posting, webhooks
from deployments.commits import Commit
from deployments.models import Telling, Webhook
from portal.core import clock, secrets
from portal.core.lifecycle import Refused
from reviews import answers
from tests.factories import World
from tests.reviews import build as reviews
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Job

COMMIT = "c" * 40
SECRET = "whsec-0123456789abcdef"


class Receiver:
    """An HTTPS server of this machine: what it got, and how it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.url = ""


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.path, dict(self.headers), body))
            status, text = found.answers.pop(0) if found.answers else (204, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            if status == 302:
                self.send_header("Location", "https://localhost/elsewhere")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.url = f"https://localhost:{server.server_port}/hook?a=1"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(plain + made.public_bytes(pem))
    return path


@pytest.fixture
def hook(world: World, receiver: Receiver) -> Webhook:
    secrets.store("told", SECRET)
    return webhooks.add(world.mc, form="generic", url=receiver.url, secret="told", private=True)


def drain() -> None:
    Job.objects.filter(state="queued").update(run_after="2000-01-01T00:00:00Z")
    Drain("short", "short@test", LeaseKeeper("short@test"), lambda: False).run()


# Where nothing is sent ---------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/", "begins with https"),
        ("https://user:pass@example.org/", "no user and no password"),
        ("https://@example.org/", "no user and no password"),
        ("https:///x", "names no host"),
        ("https://example.org/#x", "no fragment"),
        ("https://example.org/a b", "without spaces"),
        ("https://example.org\\@evil.example/", "backslashes"),
        ("https://example.org:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("ftp://example.org/", "begins with https"),
        ("https://example.org/" + "x" * 500, "at most 500"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_its_reason(url: str, said: str) -> None:
    assert said in posting.problem(url)


@pytest.mark.once
@pytest.mark.parametrize(
    ("address", "anybody", "admin"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.1", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        # What clouds answer there is nobody's to ask for.
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_private_addresses_are_an_admins_to_allow_and_some_are_nobodys(
    address: str, anybody: bool, admin: bool
) -> None:
    assert (posting.allowed(address, private=False), posting.allowed(address, private=True)) == (anybody, admin)


@pytest.mark.once
def test_a_host_that_has_one_private_address_among_others_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, 443)) for place in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    with pytest.raises(posting.NotSent, match="private network") as refused:
        posting.post("https://rebinding.example/", b"{}", {})
    assert refused.value.final


@pytest.mark.once
def test_hosts_outside_the_list_of_this_installation_are_told_nothing(settings: Any) -> None:
    settings.REPOSITORY_HOSTS = ["github.com"]
    assert posting.problem("https://api.example.org/") != ""
    assert posting.problem("https://github.com/x") == ""


# What is sent ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
class TestTelling:
    def test_a_verdict_is_told_once_signed_and_numbered(self, world: World, hook: Webhook, receiver: Receiver) -> None:
        reviews.finding(world.mc)
        verdict = judging.keep(world.mc, Commit(COMMIT))
        judging.keep(world.mc, Commit(COMMIT))
        drain()
        ((path, headers, body),) = receiver.got
        said = json.loads(body)
        assert path == "/hook?a=1"
        assert (said["event"], said["commit"], said["go"], said["stale"]) == ("verdict", COMMIT, False, False)
        signed = hmac.new(SECRET.encode(), f"{headers['X-Shiproom-Timestamp']}.".encode() + body, hashlib.sha256)
        assert headers["X-Shiproom-Signature"] == f"sha256={signed.hexdigest()}"
        told = Telling.objects.get()
        assert (told.verdict_id, told.state, told.status, told.tries) == (verdict.pk, "delivered", 204, 1)
        assert headers["X-Shiproom-Delivery"] == told.delivery == said["delivery"]
        assert SECRET not in body.decode() + str(headers)

    def test_what_becomes_stale_is_told_once(self, world: World, hook: Webhook, receiver: Receiver) -> None:
        finding = reviews.finding(world.mc)
        verdict = judging.keep(world.mc, Commit(COMMIT))
        look()
        assert Telling.objects.count() == 1, "it stands: nothing to tell"
        answers.answer(finding, "fix", by=world.reviewer, reason="Oiled.", expected_version=finding.version)
        look()
        look()
        drain()
        assert list(Telling.objects.filter(event="verdict.stale").values_list("verdict", "state")) == [
            (verdict.pk, "delivered")
        ]
        assert json.loads(receiver.got[-1][2])["stale"] is True

    def test_a_broken_receiver_is_tried_again_under_the_same_number(
        self, world: World, hook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answers = [(503, b"later"), (429, b""), (200, b"thanks")]
        judging.keep(world.mc, Commit(COMMIT))
        drain()
        told = Telling.objects.get()
        assert (told.state, told.status, told.answer) == ("waiting", 503, "later")
        drain()
        drain()
        told.refresh_from_db()
        assert (told.state, told.status, told.tries, told.answer) == ("delivered", 200, 3, "thanks")
        assert len({headers["X-Shiproom-Delivery"] for _, headers, _ in receiver.got}) == 1

    def test_a_refusal_ends_it_and_no_redirect_is_followed(
        self, world: World, hook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answers = [(302, b""), (404, b"x" * 9000)]
        for n in range(2):
            judging.keep(world.mc, Commit(f"{n}" * 40))
        drain()
        assert list(Telling.objects.order_by("pk").values_list("state", "status")) == [("failed", 302), ("failed", 404)]
        assert len(Telling.objects.latest("pk").answer) == 2000
        assert [path for path, _, _ in receiver.got] == ["/hook?a=1"] * 2

    def test_it_is_sent_again_when_somebody_says_so(self, world: World, hook: Webhook, receiver: Receiver) -> None:
        told = webhooks.ping(hook)
        drain()
        told.refresh_from_db()
        webhooks.again(told)
        drain()
        told.refresh_from_db()
        assert (told.state, told.tries, len(receiver.got)) == ("delivered", 2, 2)
        assert receiver.got[0][2] == receiver.got[1][2]

    def test_what_is_switched_off_is_told_nothing(self, world: World, hook: Webhook, receiver: Receiver) -> None:
        judging.keep(world.mc, Commit(COMMIT))
        webhooks.switch(hook, on=False)
        drain()
        assert (Telling.objects.get().state, receiver.got) == ("failed", [])
        with pytest.raises(Refused, match="switched off"):
            webhooks.ping(hook)

    def test_a_private_address_takes_an_admins_word(self, world: World, hook: Webhook, receiver: Receiver) -> None:
        Webhook.objects.update(private=False)
        judging.keep(world.mc, Commit(COMMIT))
        drain()
        told = Telling.objects.get()
        assert (told.state, receiver.got) == ("failed", [])
        assert "private network" in told.error

    @pytest.mark.parametrize(("form", "header"), [("github", "Authorization"), ("gitlab", "PRIVATE-TOKEN")])
    def test_a_forge_gets_its_status_with_its_token(
        self, world: World, receiver: Receiver, form: str, header: str
    ) -> None:
        secrets.store("forge", SECRET)
        url = receiver.url.replace("/hook", "/statuses/{commit}")
        webhooks.add(world.mc, form=form, url=url, token="forge", private=True)
        judging.keep(world.mc, Commit(COMMIT))
        drain()
        ((path, headers, body),) = receiver.got
        assert path == f"/statuses/{COMMIT}?a=1"
        assert headers[header].endswith(SECRET)
        assert json.loads(body)["state"] == "success"


def look() -> None:
    from workers import queue

    queue.enqueue(webhooks.LOOK_KIND)
    drain()


# Who names it ---------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.once
@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"form": "generic", "url": "https://a.example/"}, "secret", "Name the secret that signs"),
        ({"form": "github", "url": "https://a.example/{commit}"}, "token", "Name the secret by which"),
        ({"form": "github", "url": "https://a.example/", "token": "told"}, "url", "{commit} once"),
        ({"form": "generic", "url": "https://a.example/{commit}", "secret": "told"}, "url", "status alone"),
        ({"form": "generic", "url": "http://a.example/", "secret": "told"}, "url", "begins with https"),
        ({"form": "generic", "url": "https://a.example/", "secret": "nothing"}, "secret", "no secret named nothing"),
    ],
)
def test_what_cannot_be_is_refused_where_it_was_typed(world: World, fields: Any, field: str, said: str) -> None:
    secrets.store("told", SECRET)
    with pytest.raises(webhooks.BadWebhook, match=said.replace("{", "\\{")) as refused:
        webhooks.add(world.mc, **fields)
    assert (refused.value.field, Webhook.objects.count()) == (field, 0)


@pytest.mark.pages
@pytest.mark.django_db
def test_an_admin_makes_it_and_an_owner_tries_it(world: World, sign_in: Callable[..., Client]) -> None:
    secrets.store("told", SECRET)
    admin = sign_in(world.admin)
    typed = {"of_project": world.mc.pk, "kind": "generic", "address": "http://a.example/", "signed_with": "told"}
    page = admin.post("/admin/deployments/webhook/add/", typed)
    assert "begins with https" in page.content.decode()
    assert admin.post("/admin/deployments/webhook/add/", typed | {"address": "https://a.example/"}).status_code == 302
    made = Webhook.objects.get()
    owner = sign_in(world.owner)
    told = f"/deployments/verdicts/{world.mc.key}/told/"
    assert "https://a.example/" in owner.get(told).content.decode()
    assert owner.post(f"/deployments/webhooks/{made.pk}/ping/").status_code == 302
    assert Telling.objects.get().event == "ping"
    assert owner.post(f"/deployments/webhooks/{made.pk}/switch/", {"expected_version": 7}).status_code == 409
    assert owner.post(f"/deployments/webhooks/{made.pk}/switch/", {"expected_version": 1}).status_code == 302
    assert "Switch on" in owner.get(told).content.decode()

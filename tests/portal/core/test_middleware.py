"""What every request gets: an id, an age, whole text, and headers that hold browsers to the rules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from portal.core.models import Activity
from tests.factories import PASSWORD, World

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def signed_in(world: World) -> Client:
    client = Client()
    client.force_login(world.owner, BACKEND)
    return client


class TestRequestId:
    def test_a_request_without_one_gets_one(self) -> None:
        first, second = (Client().get("/livez")["X-Request-Id"] for _ in range(2))
        assert len(first) == 20
        assert first != second

    @pytest.mark.parametrize("sent", ["abcdefgh", "A-b-1" * 8, "0d9f3c1e-3a5b-4c7d-8e9f-0a1b2c3d4e5f"])
    def test_one_that_is_well_formed_is_kept(self, sent: str) -> None:
        assert Client().get("/livez", headers={"X-Request-Id": sent})["X-Request-Id"] == sent

    @pytest.mark.parametrize(
        "sent", ["", "short", "x" * 41, "a b c d e f", "<script>alert(1)", "abcdefgh;", "äöüäöüäö"]
    )
    def test_one_that_is_not_is_replaced(self, sent: str) -> None:
        answered = Client().get("/livez", headers={"X-Request-Id": sent})["X-Request-Id"]
        assert answered != sent
        assert len(answered) == 20

    def test_an_error_page_carries_it(self, signed_in: Client) -> None:
        answer = signed_in.get("/nothing/", headers={"X-Request-Id": "find-me-again"})
        assert answer.status_code == 404
        assert "find-me-again" in answer.content.decode()


class TestSessionAge:
    def test_a_session_ends_at_its_absolute_age_however_busy(self, signed_in: Client, settings: Any) -> None:
        assert signed_in.get("/").status_code == 200
        session = signed_in.session
        session["began_at"] = int(time.time()) - settings.LIMITS["SESSION_MAX_HOURS"] * 3600 + 60
        session.save()
        assert signed_in.get("/").status_code == 200
        session = signed_in.session
        session["began_at"] = int(time.time()) - settings.LIMITS["SESSION_MAX_HOURS"] * 3600 - 1
        session.save()
        answer = signed_in.get("/")
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/")
        assert "_auth_user_id" not in signed_in.session

    def test_use_does_not_make_a_session_younger(self, signed_in: Client) -> None:
        signed_in.get("/")
        began = signed_in.session["began_at"]
        signed_in.get("/")
        assert signed_in.session["began_at"] == began

    def test_a_session_that_was_ended_stays_ended(self, signed_in: Client) -> None:
        kept = signed_in.cookies[configured.SESSION_COOKIE_NAME].value
        signed_in.post("/accounts/logout/")
        signed_in.cookies[configured.SESSION_COOKIE_NAME] = kept
        assert signed_in.get("/").status_code == 302

    def test_signing_in_changes_the_name_of_the_session(self, world: World) -> None:
        client = Client()
        client.get("/accounts/login/?next=/")
        session = client.session
        session["mark"] = 1
        session.save()
        client.cookies[configured.SESSION_COOKIE_NAME] = before = session.session_key
        client.post("/accounts/login/", {"login": "owner@example.org", "password": PASSWORD})
        assert client.get("/").status_code == 200
        assert client.cookies[configured.SESSION_COOKIE_NAME].value != before


class TestWholeText:
    @pytest.mark.parametrize("address", ["/tickets/?q=a%00b", "/tickets/?%00=1", "/admin/core/user/?q=%00"])
    def test_a_nul_in_an_address_is_refused(self, world: World, address: str) -> None:
        client = Client()
        client.force_login(world.admin, BACKEND)
        assert client.get(address).status_code == 400

    def test_a_nul_in_a_path_names_nothing(self, signed_in: Client) -> None:
        assert signed_in.get("/tickets/MC%00-1/").status_code == 404

    def test_a_nul_in_a_form_is_refused_and_nothing_changes(self, signed_in: Client) -> None:
        for form in ({"key": "NW", "title": "a\0b"}, {"key": "NW", "title": "a", "x\0": "1"}):
            assert signed_in.post("/projects/new/", form).status_code == 400
        assert not Activity.objects.filter(verb="project.created").exists()

    @pytest.mark.parametrize("number", [2**63, 2**200, "-1", "1e3", "0x1", "%D9%A1%D9%A2"])
    @pytest.mark.parametrize("address", ["/workers/jobs/{}/", "/reviews/{}/", "/deployments/{}/"])
    def test_a_number_that_is_no_rows_is_missing(self, signed_in: Client, address: str, number: object) -> None:
        assert signed_in.get(address.format(number)).status_code == 404


class TestHeaders:
    PAGES = ("/", "/tickets/", "/status/", "/workers/", "/accounts/login/", "/nothing/", "/livez", "/api/v1/me")

    @pytest.mark.parametrize("address", PAGES)
    def test_every_answer_has_them(self, signed_in: Client, address: str) -> None:
        answer = signed_in.get(address)
        policy = answer["Content-Security-Policy"]
        assert {"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= {
            part.strip() for part in policy.split(";")
        }
        assert "unsafe" not in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["X-Frame-Options"] == "DENY"

    def test_scripts_are_evaluated_in_the_admin_alone(self, world: World) -> None:
        client = Client()
        client.force_login(world.admin, BACKEND)
        assert "'unsafe-eval'" in client.get("/admin/")["Content-Security-Policy"]
        assert "unsafe" not in client.get("/")["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "address", ["/", "/tickets/", "/reviews/", "/workers/", "/status/", "/admin/", "/nothing/"]
    )
    def test_what_a_signed_in_person_sees_is_stored_nowhere(self, world: World, address: str) -> None:
        client = Client()
        client.force_login(world.admin, BACKEND)
        assert "no-store" in client.get(address)["Cache-Control"]

    def test_no_answer_names_software(self, signed_in: Client) -> None:
        answer = signed_in.get("/")
        assert "Server" not in answer
        assert "X-Powered-By" not in answer

    def test_a_host_that_is_not_ours_is_refused(self) -> None:
        assert Client().get("/livez", headers={"host": "evil.example"}).status_code == 400

    def test_a_forwarded_host_is_not_believed(self) -> None:
        answer = Client().get("/", headers={"X-Forwarded-Host": "evil.example"})
        assert "evil" not in answer["Location"] + answer.content.decode()


class TestCookies:
    SECURE = """
import json, django
django.setup()
from django.conf import settings
names = [f"{kind}_COOKIE_{what}" for kind in ("SESSION", "CSRF")
         for what in ("NAME", "SECURE", "HTTPONLY", "SAMESITE", "DOMAIN", "PATH")] + ["SECURE_HSTS_SECONDS"]
print(json.dumps({name: getattr(settings, name) for name in names}))
"""

    def test_over_https_they_are_bound_to_the_host(self, started: Callable[..., Any]) -> None:
        found = json.loads(started(self.SECURE, BASE_URL="https://ship.example").stdout)
        assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
        assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
        for kind in ("SESSION", "CSRF"):
            assert found[f"{kind}_COOKIE_SECURE"] is found[f"{kind}_COOKIE_HTTPONLY"] is True
            assert found[f"{kind}_COOKIE_SAMESITE"] == "Lax"
            # What __Host- takes: the whole host, and no other.
            assert (found[f"{kind}_COOKIE_DOMAIN"], found[f"{kind}_COOKIE_PATH"]) == (None, "/")
        assert found["SECURE_HSTS_SECONDS"] >= 31_536_000

    def test_over_http_a_browser_still_takes_them(self, started: Callable[..., Any]) -> None:
        found = json.loads(started(self.SECURE, BASE_URL="http://localhost:8000").stdout)
        assert not found["SESSION_COOKIE_SECURE"]
        assert not found["SESSION_COOKIE_NAME"].startswith("__Host-")
        assert found["SESSION_COOKIE_HTTPONLY"] is True

    def test_the_sessions_cookie_is_kept_from_scripts_and_other_sites(self, world: World) -> None:
        client = Client()
        client.post("/accounts/login/", {"login": "owner@example.org", "password": PASSWORD})
        cookie = client.cookies[configured.SESSION_COOKIE_NAME]
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"

"""Signing in, being locked out, and what is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.factories import PASSWORD

if TYPE_CHECKING:
    from tests.factories import World

LOGIN = "/accounts/login/"


def attempt(client: Client, email: str, password: str) -> Any:
    return client.post(LOGIN, {"login": email, "password": password})


def test_the_right_password_signs_in(world: World, client: Client) -> None:
    answer = attempt(client, "viewer@example.org", PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/").status_code == 200


def test_a_wrong_password_keeps_the_address_and_counts_down(world: World, client: Client) -> None:
    page = attempt(client, "viewer@example.org", "wrong").content.decode()
    assert "The e-mail address or the password is wrong. 4 tries are left." in page
    assert 'value="viewer@example.org"' in page
    assert 'aria-describedby="wrong"' in page


def test_an_unknown_address_is_answered_as_a_wrong_password(world: World, client: Client) -> None:
    known = attempt(client, "viewer@example.org", "wrong")
    unknown = attempt(client, "nobody@example.org", "wrong")
    assert known.status_code == unknown.status_code == 200
    assert "is wrong. 4 tries are left." in unknown.content.decode()


def test_the_last_try_locks_and_the_right_password_does_not_help_then(
    world: World, client: Client, settings: Any
) -> None:
    limit = settings.LIMITS["LOGIN_FAILURES"]
    answers = [attempt(client, "viewer@example.org", "wrong").status_code for _ in range(limit)]
    assert answers == [200] * (limit - 1) + [429]
    locked = attempt(client, "viewer@example.org", PASSWORD)
    assert locked.status_code == 429
    assert locked["Retry-After"] == str(settings.LIMITS["LOGIN_LOCK_MINUTES"] * 60)
    assert "locked for 15 minutes" in locked.content.decode()
    assert attempt(Client(), "owner@example.org", PASSWORD).status_code == 302


def test_there_is_no_sign_up(world: World, client: Client) -> None:
    for answer in (client.get("/accounts/signup/"), client.post("/accounts/signup/", {"email": "x@example.org"})):
        assert answer.status_code == 404
        assert "Accounts are made by an admin" in answer.content.decode()


def test_next_leads_to_this_host_alone(world: World, client: Client) -> None:
    answer = client.post(LOGIN + "?next=https://example.org/", {"login": "viewer@example.org", "password": PASSWORD})
    assert answer["Location"] == "/"


@pytest.mark.parametrize(
    "url", ["/accounts/password/change/", "/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/reauthenticate/"]
)
def test_account_pages_want_a_login(world: World, client: Client, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 302
    assert answer["Location"].startswith(LOGIN)


def test_a_reset_link_sets_the_password(world: World, client: Client, mailoutbox: list[Any]) -> None:
    assert (
        client.post("/accounts/password/reset/", {"email": "viewer@example.org"})["Location"]
        == "/accounts/password/reset/done/"
    )
    assert client.get("/accounts/password/reset/done/").status_code == 200
    link = next(word for word in mailoutbox[0].body.split() if "/password/reset/key/" in word)
    form = client.get(link, follow=True)
    assert "Set your password" in form.content.decode()
    new = "four quiet words here"
    done = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new}, follow=True)
    assert "Your password is set" in done.content.decode()
    assert attempt(client, "viewer@example.org", new).status_code == 302
    used = Client().get(link, follow=True).content.decode()
    assert "not valid any more" in used


def test_a_second_step_guards_the_login_and_the_admin(world: World, client: Client) -> None:
    from allauth.mfa.totp.internal.auth import (
        TOTP,
        format_hotp_value,
        generate_totp_secret,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    secret = generate_totp_secret()
    TOTP.activate(world.admin, secret)
    answer = attempt(client, "admin@example.org", PASSWORD)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/admin/").status_code == 302
    assert "Second step" in client.get(answer["Location"]).content.decode()
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    assert client.post(answer["Location"], {"code": code})["Location"] == "/"
    assert client.get("/admin/").status_code == 200


def test_the_admins_own_login_leads_to_the_one_login(world: World, client: Client) -> None:
    answer = client.get("/admin/login/", follow=True)
    assert answer.redirect_chain[-1][0].startswith(LOGIN)
    client.post("/admin/login/", {"username": "admin@example.org", "password": PASSWORD})
    assert client.get("/admin/").status_code == 302


def test_account_pages_open_in_the_frame(world: World, client: Client) -> None:
    attempt(client, "viewer@example.org", PASSWORD)
    for name in ("account_change_password", "mfa_index"):
        answer = client.get(reverse(name))
        assert answer.status_code == 200, name
        assert 'class="app"' in answer.content.decode()


@pytest.mark.parametrize(
    "name", ["account_confirm_email", "account_set_passkey", "socialaccount_connections", "mfa_login_webauthn"]
)
def test_what_is_not_listed_is_not_routed(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)

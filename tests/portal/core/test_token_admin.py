"""Tokens in the admin: issued with a text that is shown once, revoked, never changed."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from portal.core import tokens
from portal.core.models import Activity, ApiToken
from tests.factories import World
from tests.portal.core.test_secrets import dump

pytestmark = pytest.mark.django_db
ADD = "/admin/core/apitoken/add/"


@pytest.fixture
def as_admin(world: World) -> Client:
    client = Client()
    client.force_login(world.admin, "allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_the_text_is_shown_once_and_opens(as_admin: Client, world: World) -> None:
    form = {"user": world.viewer.pk, "name": "laptop", "days": 30, "may_write": "on"}
    shown = as_admin.post(ADD, form, follow=True).content.decode()
    found = re.search(r"srm_[0-9a-f]{8}_[\w-]{43}", shown)
    assert found
    token = tokens.find(found[0])
    assert token is not None
    assert (token.user, token.name, token.may_write) == (world.viewer, "laptop", True)
    for address in ("/admin/core/apitoken/", f"/admin/core/apitoken/{token.pk}/change/", "/"):
        assert found[0] not in as_admin.get(address).content.decode()
    assert found[0].split("_", 2)[2] not in dump()
    entry = Activity.objects.get(verb="token.issued")
    assert (entry.subject, entry.actor_label) == (f"token:{token.prefix}", "Admin")


@pytest.mark.parametrize(
    "change", [{"days": 0}, {"days": 367}, {"days": ""}, {"name": ""}, {"name": "x" * 81}, {"user": ""}]
)
def test_what_cannot_be_is_said_at_its_field(as_admin: Client, world: World, change: dict[str, object]) -> None:
    answer = as_admin.post(ADD, {"user": world.viewer.pk, "name": "laptop", "days": 30} | change)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == set(change)
    assert not ApiToken.objects.exists()


def test_the_form_says_what_it_takes(as_admin: Client) -> None:
    shown = as_admin.get(ADD).content.decode()
    for name in ("user", "name", "days", "may_write"):
        assert f'name="{name}"' in shown
    for name in ("digest", "prefix", "revoked_at", "expires_at_0"):
        assert f'name="{name}"' not in shown


def test_chosen_tokens_are_revoked(as_admin: Client, world: World) -> None:
    token, text = tokens.issue(world.viewer, name="laptop", days=1, may_write=False)
    as_admin.post("/admin/core/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    assert tokens.find(text) is None
    assert Activity.objects.filter(verb="token.revoked", subject=f"token:{token.prefix}").count() == 1


def test_a_token_is_not_changed(as_admin: Client, world: World) -> None:
    token, _ = tokens.issue(world.viewer, name="laptop", days=1, may_write=False)
    assert as_admin.post(f"/admin/core/apitoken/{token.pk}/change/", {"may_write": "on"}).status_code == 403

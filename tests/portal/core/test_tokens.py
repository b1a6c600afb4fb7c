"""API tokens: shown once, stored as a digest, and one answer to all that is not right."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import connection

from portal.core import clock, tokens
from portal.core.lifecycle import Refused
from portal.core.models import Activity, ApiToken
from tests.factories import World
from tests.portal.core.test_secrets import dump

pytestmark = pytest.mark.django_db


@pytest.fixture
def issued(world: World) -> tuple[ApiToken, str]:
    return tokens.issue(world.viewer, name="laptop", days=30, may_write=False)


def test_the_text_opens_and_names_its_row(issued: tuple[ApiToken, str], world: World) -> None:
    token, text = issued
    assert text.startswith(f"srm_{token.prefix}_")
    found = tokens.find(text)
    assert found == token
    assert found is not None and found.user == world.viewer


def test_the_text_is_nowhere_in_the_database(issued: tuple[ApiToken, str]) -> None:
    token, text = issued
    secret = text.removeprefix(f"srm_{token.prefix}_")
    assert len(secret) >= 43, "256 bits"
    found = dump()
    assert token.prefix in found
    assert secret not in found
    assert token.digest == hashlib.sha256(secret.encode()).hexdigest()


def test_two_tokens_share_nothing(world: World) -> None:
    first, second = (tokens.issue(world.viewer, name="x", days=1, may_write=False)[1] for _ in range(2))
    assert first.split("_", 2)[1:] != second.split("_", 2)[1:]


def test_issuing_and_revoking_are_history(issued: tuple[ApiToken, str]) -> None:
    token, text = issued
    tokens.revoke(token)
    tokens.revoke(token)
    said = list(Activity.objects.order_by("pk").values_list("verb", "subject"))
    assert said == [("token.issued", f"token:{token.prefix}"), ("token.revoked", f"token:{token.prefix}")]


class TestRefusals:
    def expire(self, token: ApiToken) -> None:
        ApiToken.objects.filter(pk=token.pk).update(expires_at=clock.now() - timedelta(seconds=1))

    def test_an_expired_one_opens_nothing(self, issued: tuple[ApiToken, str]) -> None:
        self.expire(issued[0])
        assert tokens.find(issued[1]) is None

    def test_a_revoked_one_opens_nothing(self, issued: tuple[ApiToken, str]) -> None:
        tokens.revoke(issued[0])
        assert tokens.find(issued[1]) is None

    def test_nor_does_one_of_a_person_who_is_switched_off(self, issued: tuple[ApiToken, str], world: World) -> None:
        type(world.viewer).objects.filter(pk=world.viewer.pk).update(is_active=False)
        assert tokens.find(issued[1]) is None

    @pytest.mark.parametrize("change", ["prefix", "secret", "mark", "cut", "more"])
    def test_nor_does_anything_near_it(self, issued: tuple[ApiToken, str], change: str) -> None:
        mark, prefix, secret = issued[1].split("_", 2)
        text = {
            "prefix": f"{mark}_00000000_{secret}",
            "secret": f"{mark}_{prefix}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
            "mark": f"sm_{prefix}_{secret}",
            "cut": f"{mark}_{prefix}_{secret[:-1]}",
            "more": f"{mark}_{prefix}_{secret}A",
        }[change]
        assert tokens.find(text) is None

    @pytest.mark.parametrize("text", ["", "srm", "srm_", "srm__", "srm_\0_x", "srm_" + "a" * 100_000, "srm_ü_ü", "x y"])
    def test_nor_does_what_is_no_token(self, db: None, text: str) -> None:
        assert tokens.find(text) is None


class TestIssuing:
    @pytest.mark.parametrize("days", [1, tokens.LONGEST_DAYS])
    def test_it_lives_as_long_as_was_asked(self, world: World, days: int) -> None:
        token, _ = tokens.issue(world.viewer, name="x", days=days, may_write=False)
        assert abs((token.expires_at - clock.now()).total_seconds() - days * 86_400) < 60

    @pytest.mark.parametrize("days", [0, -1, tokens.LONGEST_DAYS + 1])
    def test_not_longer_and_not_shorter(self, world: World, days: int) -> None:
        with pytest.raises(Refused, match="1 to 366 days"):
            tokens.issue(world.viewer, name="x", days=days, may_write=False)
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize("name", ["", "  ", "x" * 81])
    def test_it_has_a_name(self, world: World, name: str) -> None:
        with pytest.raises(Refused, match="name of 1 to 80"):
            tokens.issue(world.viewer, name=name, days=1, may_write=False)

    def test_the_right_to_write_is_given_on_purpose(self, world: World) -> None:
        assert not tokens.issue(world.viewer, name="x", days=1, may_write=False)[0].may_write
        assert tokens.issue(world.viewer, name="x" * 80, days=1, may_write=True)[0].may_write


def test_that_it_was_used_is_noted_at_most_once_a_minute(issued: tuple[ApiToken, str]) -> None:
    token, text = issued
    tokens.find(text)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    tokens.find(text)
    token.refresh_from_db()
    assert token.last_used_at == first
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_apitoken WHERE last_used_at IS NOT NULL")
        assert cursor.fetchone()[0] == 1

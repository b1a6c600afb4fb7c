"""Rules: who satisfies them, and what the others are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core import access
from portal.core.access import ADMIN, PUBLIC, SIGNED_IN, Forbidden, Hidden, Role, Rule, SignInFirst, within
from portal.core.models import User
from tests.factories import World, project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("needed", Role, ids=lambda role: role.label)
@pytest.mark.parametrize("held", Role, ids=lambda role: role.label)
def test_a_role_includes_those_before_it(world: World, held: Role, needed: Role) -> None:
    user = getattr(world, held.label)
    assert access.may(user, within(needed), world.mc.scope) is (held >= needed)


def test_a_member_without_the_role_hears_which_it_takes(world: World) -> None:
    with pytest.raises(Forbidden, match="role releaser in this project; yours is viewer"):
        access.check(world.viewer, within(Role.RELEASER), world.mc.scope)


def test_to_a_stranger_there_is_nothing(world: World) -> None:
    with pytest.raises(Hidden):
        access.check(world.outsider, within(Role.VIEWER), world.mc.scope)


def test_a_role_in_one_project_opens_no_other(world: World) -> None:
    with pytest.raises(Hidden):
        access.check(world.owner, within(Role.VIEWER), project("XX", "Another").scope)


def test_a_scope_without_a_name_is_an_admins_alone(world: World) -> None:
    with pytest.raises(Hidden):
        access.check(world.owner, within(Role.VIEWER), "")
    access.check(world.admin, within(Role.OWNER), "")


def test_an_admin_is_an_owner_everywhere(world: World) -> None:
    assert access.role_in(world.admin, world.mc.scope) is Role.OWNER


@pytest.mark.parametrize("rule", [SIGNED_IN, ADMIN, within(Role.VIEWER)], ids=str)
def test_whoever_is_not_signed_in_is_asked_to(world: World, rule: Rule) -> None:
    with pytest.raises(SignInFirst):
        access.check(AnonymousUser(), rule, world.mc.scope)


def test_the_public_is_everybody() -> None:
    access.check(AnonymousUser(), PUBLIC)


def test_admins_pages_are_no_owners_pages(world: World) -> None:
    with pytest.raises(Forbidden, match="administer"):
        access.check(world.owner, ADMIN)


@pytest.mark.parametrize("name", ["admin", "owner"])
def test_who_is_switched_off_may_nothing(world: World, name: str) -> None:
    user: User = getattr(world, name)
    user.is_active = False
    assert access.roles(user) == {}
    assert not access.may(user, SIGNED_IN)
    assert not access.may(user, within(Role.VIEWER), world.mc.scope)


def test_staff_who_are_no_superusers_are_no_admins(world: World) -> None:
    world.viewer.is_staff = True
    assert not access.may(world.viewer, ADMIN)


def test_roles_are_asked_for_once(world: World) -> None:
    with CaptureQueriesContext(connection) as said:
        for _ in range(5):
            access.roles(world.viewer)
    assert len(said) == len(access._holders)


class TestRegistry:
    @pytest.fixture(autouse=True)
    def _kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access, "_operations", dict(access._operations))

    def test_a_name_is_declared_with_one_rule(self) -> None:
        access.declare("door.mend", "page", SIGNED_IN)
        access.declare("door.mend", "page", SIGNED_IN)
        with pytest.raises(ValueError, match="declared twice"):
            access.declare("door.mend", "page", PUBLIC)

    def test_rules_are_read_as_words(self) -> None:
        words: Callable[[Rule], str] = str
        assert [words(rule) for rule in (PUBLIC, ADMIN, within(Role.REVIEWER))] == [
            "public",
            "admin",
            "reviewer in its scope",
        ]

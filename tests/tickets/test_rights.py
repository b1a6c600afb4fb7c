"""Streams of tickets and projects: names are read strictly, scopes in one query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets import build
from tickets import rights

if TYPE_CHECKING:
    from tests.factories import World


def test_a_stream_lies_in_the_scope_of_its_project(world: World, django_assert_num_queries: Any) -> None:
    ticket = build.ticket(world.mc)
    with django_assert_num_queries(1):
        assert rights.ticket_scope(ticket.subject) == world.mc.scope
    with django_assert_num_queries(1):
        assert rights.project_scope(world.mc.scope) == world.mc.scope
    assert rights.ticket_scope("ticket:MC-999") is None
    assert rights.project_scope("project:999999") is None


@pytest.mark.parametrize(
    "name", ["ticket:", "ticket:MC-0", "ticket:mc-1", "ticket:MC-1 ", "ticket:MC-1\n", "ticket:MC-١"]
)
def test_what_is_no_ticket_has_no_scope(name: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert rights.ticket_scope(name) is None


@pytest.mark.parametrize(
    "name", ["project:", "project:0", "project:01", "project:-1", f"project:{2**63}", "project:1\n", "project:²"]
)
def test_what_is_no_project_has_no_scope(name: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert rights.project_scope(name) is None


def test_members_follow_and_strangers_find_nothing(world: World) -> None:
    from portal.live import streams

    ticket = build.ticket(world.mc)
    for name in (ticket.subject, world.mc.scope):
        assert streams.admit(world.viewer, name)
        assert streams.admit(world.outsider, name) is None

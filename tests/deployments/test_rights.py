"""Streams of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments.rights import deployment_scope
from tests.deployments import build

if TYPE_CHECKING:
    from tests.factories import World


def test_a_deployment_lies_in_the_scope_of_its_project(world: World, django_assert_num_queries: Any) -> None:
    deployment = build.deployment(world.mc)
    with django_assert_num_queries(1):
        assert deployment_scope(deployment.subject) == world.mc.scope
    assert deployment_scope("deployment:999999") is None


@pytest.mark.parametrize(
    "name", ["deployment:", "deployment:0", "deployment:01", "deployment:x", f"deployment:{2**63}"]
)
def test_what_is_no_deployment_has_no_scope(name: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert deployment_scope(name) is None

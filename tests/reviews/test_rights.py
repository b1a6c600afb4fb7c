"""Streams of reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviews.rights import review_scope
from tests.reviews import build

if TYPE_CHECKING:
    from tests.factories import World


def test_a_review_lies_in_the_scope_of_its_project(world: World, django_assert_num_queries: Any) -> None:
    review = build.in_state(world.mc, "planned")
    with django_assert_num_queries(1):
        assert review_scope(review.subject) == world.mc.scope
    assert review_scope("review:999999") is None


@pytest.mark.parametrize("name", ["review:", "review:0", "review:01", "review:x", f"review:{2**63}", "review:1\n"])
def test_what_is_no_review_has_no_scope(name: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert review_scope(name) is None

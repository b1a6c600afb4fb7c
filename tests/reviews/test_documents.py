"""From an upload to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.lifecycle import Refused
from reviews import applying, documents
from reviews.models import Finding, ImportRow, Occurrence, Review
from tests.reviews import build
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World


def test_the_same_document_is_the_same_review(world: World) -> None:
    first, made = documents.receive(world.mc, series_name="S", content=b"# x\n- y")
    again, made_again = documents.receive(world.mc, series_name="S", content=b"# x\n- y")
    other, made_other = documents.receive(world.mc, series_name="T", content=b"# x\n- y")
    assert (made, made_again, made_other) == (True, False, True)
    assert first == again != other
    assert Job.objects.filter(kind="review.import").count() == 2


def test_versions_count_within_a_series(world: World) -> None:
    numbers = [build.received(world.mc, f"# {n}", series=series).number for series in ("A", "B") for n in range(2)]
    assert numbers == [1, 2, 1, 2]


def test_a_plan_is_applied_once(world: World) -> None:
    review = build.planned(world.mc)
    stale = Review.objects.get(pk=review.pk)
    assert applying.apply(review).new == 3
    for late in (review, stale):
        with pytest.raises(Refused):
            applying.apply(late)
    assert (Finding.objects.count(), Occurrence.objects.count()) == (3, 3)


def test_the_next_version_sees_what_is_known(world: World) -> None:
    build.applied(world.mc)
    second = build.planned(world.mc, build.DOCUMENT + "| DP-4 | MINOR | Something new |\n")
    actions = list(ImportRow.objects.filter(review=second).order_by("n").values_list("action", flat=True))
    assert actions == ["seen", "seen", "seen", "new"]
    assert applying.apply(second).new == 1
    assert (Finding.objects.count(), Occurrence.objects.count()) == (4, 7)


def test_a_document_without_findings_changes_nothing_but_its_state(world: World) -> None:
    review = build.planned(world.mc, "Nothing to see here, it is all well.\n")
    assert applying.apply(review).new == 0
    assert review.state == "applied" and not Finding.objects.exists()


def test_a_failed_reading_goes_again(world: World) -> None:
    review = build.in_state(world.mc, "failed")
    documents.read_again(review)
    assert review.state == "received"
    assert Job.objects.filter(unique_key=review.subject, state="queued").count() == 1

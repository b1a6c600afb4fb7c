"""From an upload to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.clock import Wall
from portal.core.lifecycle import Refused
from reviews import applying, documents
from reviews.models import Finding, ImportRow, Occurrence, Review
from tests.reviews import build
from workers import ending
from workers.draining import Drain
from workers.failures import BadInput
from workers.leases import LeaseKeeper
from workers.models import Attempt, Job, Outcome

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


@pytest.mark.parametrize("state", ["failed", "reverted", "discarded"])
def test_the_same_bytes_after_a_failed_or_reverted_import_are_read_again(world: World, state: str) -> None:
    review = build.planned(world.mc)
    Review.objects.filter(pk=review.pk).update(state=state)
    known, made = documents.receive(world.mc, series_name="Delivery path", content=build.DOCUMENT.encode())
    assert (known.pk, made, known.state) == (review.pk, False, "received")
    documents.read_now(known)
    assert applying.apply(known).new == 3


@pytest.mark.parametrize("state", ["received", "planned", "applied"])
def test_the_same_bytes_are_not_read_twice(world: World, state: str) -> None:
    review = build.planned(world.mc)
    Review.objects.filter(pk=review.pk).update(state=state)
    known, made = documents.receive(world.mc, series_name="Delivery path", content=build.DOCUMENT.encode())
    assert (known.pk, made, known.state) == (review.pk, False, state)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "empty"), (b"\x00\x01\x02" * 90, "not text"), (b"\x89PNG\r\n\x1a\n" + bytes(200), "not text")],
)
def test_what_is_no_document_leaves_its_reason_on_the_review(world: World, content: bytes, sentence: str) -> None:
    review = build.received(world.mc, content)
    with pytest.raises(BadInput):
        documents.read_now(review)
    review = Review.objects.get(pk=review.pk)
    assert review.state == "failed" and review.error and sentence in review.error


def drain() -> int:
    """What is due, run in this process as a worker would."""
    return Drain("short", "worker@test", LeaseKeeper("worker@test"), lambda: False).run()


@pytest.mark.django_db(transaction=True)
def test_a_worker_reads_what_waits_and_nothing_else(world: World) -> None:
    review = build.received(world.mc)
    assert drain() == 1
    assert Review.objects.get(pk=review.pk).state == "planned"
    first = list(ImportRow.objects.values_list("pk", flat=True))
    # Read in a process, its job comes late.
    other = build.received(world.mc, series="Other")
    documents.read_now(other)
    assert drain() == 1
    assert list(ImportRow.objects.filter(review=review).values_list("pk", flat=True)) == first
    assert Job.objects.filter(state="succeeded").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_review_asked_for_again_while_its_job_ends_is_read_again(world: World) -> None:
    review = build.planned(world.mc)
    job = Job.objects.get(unique_key=review.subject)
    # The job has left its plan and has not ended: the next one cannot be queued beside it.
    Job.objects.filter(pk=job.pk).update(state="running", fence=1, worker="w", lease_until=Wall(60))
    Attempt.objects.create(job=job, fence=1, worker="w", outcome="running")
    documents.read_again(review)
    assert Job.objects.filter(state="queued").count() == 0
    ending.end_attempt(job.pk, 1, Outcome.SUCCEEDED)
    assert Job.objects.filter(state="queued").count() == 1
    assert drain() == 1
    assert Review.objects.get(pk=review.pk).state == "planned"

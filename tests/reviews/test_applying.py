"""Applying a plan, and taking it back: the former state, but for what somebody touched since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.lifecycle import NotAllowedNow, Refused, Stale
from portal.core.models import Activity
from portal.live.models import Event
from reviews import answers, applying, documents
from reviews.models import Finding, Fingerprint, ImportRow, Occurrence, Review
from tests.reviews import build
from tests.reviews.test_planning import DRAIN, JITTER, UPLOAD, table
from tests.workers.racing import race
from tickets.work import create_ticket

if TYPE_CHECKING:
    from pathlib import Path

    from tests.factories import World
    from tickets.models import Project

FIELDS = ("pk", "identity", "state", "title", "severity", "category", "reference", "ticket_key", "files", "answer")
SAID = ("finding", "review", "n", "title", "reference", "severity_as_written", "files", "fields", "status", "tier")


def findings() -> list[Any]:
    """Everything of the findings that are there, except their versions, which only rise."""
    rows = Finding.objects.exclude(state="withdrawn").order_by("pk")
    return list(rows.values(*FIELDS, "ticket"))


def everything() -> dict[str, list[Any]]:
    prints = Fingerprint.objects.exclude(finding__state="withdrawn")
    return {
        "findings": findings(),
        "occurrences": list(
            Occurrence.objects.order_by("review", "finding").values(*SAID, "rank", "line_start", "line_end", "body")
        ),
        "fingerprints": sorted(prints.values_list("finding", "algorithm", "algorithm_version", "value")),
    }


def again(review: Review) -> Review:
    """The same bytes once more, up to the plan."""
    return build.planned(review.series.project, bytes(review.content), series=review.series.name)


def fresh(review: Review) -> Review:
    return Review.objects.select_related("series__project").get(pk=review.pk)


class TestApplying:
    def test_rows_become_findings_with_the_state_that_the_document_gives(self, world: World) -> None:
        review = build.planned(world.mc, table(DRAIN, UPLOAD + " Fixed", JITTER + " Rejected"))
        assert applying.apply(review) == (3, 0, 0, 0, 0, 0, 0, 0)
        assert [one["state"] for one in findings()] == ["open", "fixed", "rejected"]
        rows = list(ImportRow.objects.order_by("n"))
        assert {(row.outcome, row.finding_version) for row in rows} == {("applied", 1)}
        assert [row.finding_id for row in rows] == [one["pk"] for one in findings()]
        review.series.refresh_from_db()
        assert review.series.version == 1

    def test_close_reopen_and_changes_go_with_history_and_one_event_a_stream(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD + " Fixed", JITTER))
        before = Event.objects.filter(stream_id=world.mc.scope).count()
        second = build.planned(
            world.mc,
            table(DRAIN + " Fixed", UPLOAD + " Open", JITTER.replace("LOW", "HIGH"), "B | LOW | A new one | |"),
        )
        assert applying.apply(second) == (1, 1, 1, 1, 0, 0, 1, 0)
        assert [(one["state"], one["severity"]) for one in findings()] == [
            ("fixed", "high"),
            ("open", "medium"),
            ("open", "high"),
            ("open", "low"),
        ]
        verbs = Activity.objects.filter(subject__startswith="finding:").order_by("id").values_list("verb", flat=True)
        assert sorted(verbs[3:]) == ["finding.fix", "finding.found", "finding.open_again", "finding.restated"]
        closed = Activity.objects.get(verb="finding.fix")
        assert closed.before["state"] == "open" and closed.after["state"] == "fixed"
        assert closed.reason.startswith("Delivery path v2: Open here; the document says")
        told = Event.objects.filter(stream_id=world.mc.scope, kind="finding").count()
        assert Event.objects.filter(stream_id=world.mc.scope).count() > before and told <= 4

    def test_a_plan_of_a_series_that_moved_on_is_refused(self, world: World) -> None:
        first, second = build.planned(world.mc, table(DRAIN)), build.planned(world.mc, table(DRAIN, UPLOAD))
        assert not applying.plan_is_stale(second)
        applying.apply(first)
        assert applying.plan_is_stale(second)
        with pytest.raises(Refused, match="Read it again"):
            applying.apply(second)
        assert fresh(second).state == "planned" and len(findings()) == 1
        documents.read_again(second)
        documents.read_now(second)
        assert applying.apply(fresh(second)) == (1, 1, 0, 0, 0, 0, 0, 0)

    def test_a_plan_is_applied_once_and_by_its_version(self, world: World) -> None:
        review = build.planned(world.mc, table(DRAIN))
        with pytest.raises(Stale):
            applying.apply(review, expected_version=review.version - 1)
        applying.apply(review)
        with pytest.raises(NotAllowedNow):
            applying.apply(fresh(review))

    def test_a_row_that_was_left_out_is_not_applied_and_says_so(self, world: World) -> None:
        review = build.planned(world.mc, table(DRAIN, UPLOAD))
        applying.leave_out(ImportRow.objects.get(n=1), True)
        assert applying.apply(fresh(review)) == (1, 0, 0, 0, 0, 0, 0, 0)
        row = ImportRow.objects.get(n=1)
        assert (row.outcome, row.outcome_reason, row.finding) == ("planned", "Left out of the plan.", None)
        assert [one["title"] for one in findings()] == ["Template upload accepts anonymous requests"]

    def test_what_somebody_answered_after_the_plan_was_made_is_left_as_it_is(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD + " Fixed"))
        review = build.planned(world.mc, table(DRAIN + " Fixed", UPLOAD))
        one, other = Finding.objects.order_by("pk")
        build.waive(one)
        answers.open_again(other, reason="Not so.")
        assert applying.apply(review) == (0, 2, 0, 0, 0, 0, 0, 0)
        assert [one["state"] for one in findings()] == ["waived", "open"]
        assert ImportRow.objects.get(review=review, n=1).outcome_reason.startswith("It is waived already")

    def test_findings_are_linked_to_the_tickets_that_there_are(self, world: World) -> None:
        ticket = create_ticket(world.mc, title="There")
        head = "# R\n\n| Ticket | Severity | Title |\n|---|---|---|\n"
        text = head + "| MC-1 | HIGH | It is real |\n| MC-2 | LOW | It too |\n"
        review = build.planned(world.mc, text)
        assert applying.apply(review, document_keys=False).linked == 1
        assert [one["ticket"] for one in findings()] == [ticket.pk, None]
        assert fresh(review).document_keys is False
        applying.revert(review, reason="")
        applying.apply(again(review))
        assert [one["ticket"] for one in findings()] == [ticket.pk, None]

    def test_a_document_without_findings_is_a_success_that_changes_nothing(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN))
        before = findings()
        review = build.planned(world.mc, "Nothing to see here, it is all well.\n")
        assert applying.apply(review, rest="not_assessed") == (0, 0, 0, 0, 1, 0, 0, 0)
        assert findings() == before


class TestLeavingOut:
    def test_rows_of_a_plan_alone_can_be_left_out(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN))
        review = build.planned(world.mc, table(UPLOAD))
        row, carried = ImportRow.objects.filter(review=review).order_by("n")
        with pytest.raises(Refused, match="nothing to leave out"):
            applying.leave_out(carried, True)
        with pytest.raises(Stale):
            applying.leave_out(row, True, expected_version=99)
        version = fresh(review).version
        assert applying.leave_out(row, True, expected_version=version).left_out
        applying.leave_out(row, True)
        assert Activity.objects.filter(verb="review.row_left_out").count() == 1
        applying.apply(fresh(review), rest="not_assessed")
        with pytest.raises(Refused, match="is applied"):
            applying.leave_out(row, False)

    def test_nobody_applies_a_plan_from_which_a_row_was_taken_since_they_saw_it(self, world: World) -> None:
        review = build.planned(world.mc)
        seen = review.version
        row = applying.leave_out(ImportRow.objects.get(review=review, n=2), True, expected_version=seen)
        with pytest.raises(Stale):
            applying.apply(review, expected_version=seen)
        assert fresh(review).state == "planned"
        said = Activity.objects.get(verb="review.row_left_out")
        assert said.reason.startswith("Row 2: ")
        assert applying.apply(fresh(review), expected_version=row.review.version).new == 2

    def test_a_discarded_plan_leaves_the_document_that_can_be_read_again(self, world: World) -> None:
        review = build.planned(world.mc, table(DRAIN))
        applying.discard(review, reason="Wrong series.")
        assert fresh(review).state == "discarded" and not findings()
        same, made = documents.receive(world.mc, series_name="Delivery path", content=bytes(review.content))
        assert (same.pk, made, same.state) == (review.pk, False, "received")


class TestReverting:
    @pytest.mark.parametrize("seed", range(5))
    def test_every_seed_imported_reverted_and_imported_again_gives_the_same_rows(
        self, world: World, shared_dir: Path, seed: int
    ) -> None:
        content = sorted((shared_dir / "seeds").glob("*.txt"))[seed].read_bytes()
        review = build.applied(world.mc, content)
        first = everything()
        assert applying.revert(review, reason="Again.") == (len(first["findings"]), 0)
        assert everything() == {"findings": [], "occurrences": [], "fingerprints": []}
        applying.apply(again(review))
        assert everything() == first
        assert Review.objects.count() == 1

    def test_the_versions_of_a_series_are_taken_back_from_the_newest(self, world: World) -> None:
        first = build.applied(world.mc, table(DRAIN))
        one = everything()
        second = build.applied(world.mc, table(DRAIN.replace("HIGH", "LOW") + " Fixed", UPLOAD))
        with pytest.raises(Refused, match="revert Delivery path v2 first"):
            applying.revert(first, reason="No.")
        assert applying.revert(second, reason="Wrong document.") == (2, 0)
        assert everything() == one
        assert applying.revert(fresh(first), reason="That too.") == (1, 0)
        assert findings() == []

    def test_what_somebody_touched_since_is_kept_and_said(self, world: World) -> None:
        review = build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
        answered, ticketed, _ = Finding.objects.order_by("pk")
        build.waive(answered)
        answers.make_tickets([ticketed])
        assert applying.revert(review, reason="Again.") == (1, 2)
        assert [one["state"] for one in findings()] == ["waived", "open"]
        assert Occurrence.objects.count() == 2
        rows = list(ImportRow.objects.order_by("n").values_list("outcome", "outcome_reason"))
        assert [outcome for outcome, _ in rows] == ["kept", "kept", "reverted"]
        assert "waived" in rows[0][1] and "MC-1" in rows[1][1]
        # What was kept is known when the document comes again, and is said once.
        assert applying.apply(again(review)) == (1, 2, 0, 0, 0, 0, 0, 0)
        assert (len(findings()), Occurrence.objects.count()) == (3, 3)
        assert applying.revert(fresh(review), reason="Once more.") == (3, 0)
        assert (len(findings()), Occurrence.objects.count()) == (2, 2)

    def test_an_answer_between_two_imports_survives_both_reverts(self, world: World) -> None:
        first = build.applied(world.mc, table(DRAIN, UPLOAD))
        build.waive(Finding.objects.order_by("pk")[0])
        second = build.applied(world.mc, table(DRAIN.replace("HIGH", "LOW"), UPLOAD.replace("MEDIUM", "LOW")))
        assert applying.revert(second, reason="") == (2, 0)
        assert applying.revert(fresh(first), reason="") == (1, 1)
        assert [(one["state"], one["severity"], one["answer"]) for one in findings()] == [
            ("waived", "high", "Until spring.")
        ]

    def test_a_document_of_another_version_brings_back_what_was_withdrawn(self, world: World) -> None:
        first = build.applied(world.mc, table(DRAIN))
        known = Finding.objects.get()
        applying.revert(first, reason="")
        second = build.applied(world.mc, table(DRAIN.replace("HIGH", "LOW"), UPLOAD))
        assert [one["pk"] for one in findings()][:1] == [known.pk]
        assert applying.revert(second, reason="") == (2, 0)
        applying.apply(again(first))
        assert [(one["pk"], one["severity"]) for one in findings()] == [(known.pk, "high")]

    def test_a_finding_that_is_gone_is_no_error(self, world: World) -> None:
        review = build.applied(world.mc, table(DRAIN, UPLOAD))
        Finding.objects.order_by("pk")[0].delete()
        assert applying.revert(review, reason="") == (1, 1)
        assert findings() == []


# Any two versions -------------------------------------------------------------------

TITLES = ("The lock is not released", "The lock is never released", "Retry has no jitter", "Uploads are anonymous")
ITEM = st.tuples(
    st.sampled_from(TITLES),
    st.sampled_from(["HIGH", "LOW"]),
    st.sampled_from(["", "Fixed", "Rejected", "Open"]),
    st.sampled_from(["", "a.py:1", "a.py:2", "x/a.py:1", "b.py"]),
)


def written(items: list[tuple[str, str, str, str]]) -> str:
    return table(*(f"R{n} | {sev} | {title} | {file} | {status}" for n, (title, sev, status, file) in enumerate(items)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(st.lists(ITEM, min_size=1, max_size=5), min_size=2, max_size=3))
@pytest.mark.django_db
def test_any_versions_taken_back_one_by_one_leave_what_was_before_each(world: World, versions: list[Any]) -> None:
    with transaction.atomic():
        reviews, states = [], [everything()]
        for n, items in enumerate(versions):
            review = build.planned(world.mc, f"{written(items)}\nVersion {n}.\n")
            build.choose_first(review)
            applying.apply(review, rest="not_assessed")
            reviews.append(review)
            states.append(everything())
        for review in reversed(reviews):
            assert everything() == states.pop()
            done = applying.revert(fresh(review), reason="Back.")
            assert done.kept == 0
        assert everything() == states.pop()
        for review in reviews:
            once_more = again(review)
            build.choose_first(once_more)
            applying.apply(once_more, rest="not_assessed")
        assert len(findings()) <= sum(len(items) for items in versions)
        transaction.set_rollback(True)


# Races ------------------------------------------------------------------------------


def _apply(pk: int) -> str:
    try:
        applying.apply(fresh(Review(pk=pk)))
    except Refused as refusal:
        return type(refusal).__name__
    return "applied"


def _import(project: Project, content: bytes) -> tuple[int, bool]:
    review, made = documents.receive(project, series_name="Race", content=content)
    documents.read_now(fresh(review))
    _apply(review.pk)
    return review.pk, made


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_one_plan_is_applied_by_one(self, world: World, engine: str) -> None:
        review = build.planned(world.mc, table(DRAIN, UPLOAD))
        said = race(_apply, [(review.pk,)] * (8 if engine == "postgresql" else 3))
        assert said.count("applied") == 1
        assert (len(findings()), Occurrence.objects.count()) == (2, 2)

    def test_of_two_plans_of_one_series_the_second_is_stale(self, world: World) -> None:
        plans = [build.planned(world.mc, table(DRAIN)), build.planned(world.mc, table(DRAIN, UPLOAD))]
        assert sorted(race(_apply, [(plan.pk,) for plan in plans])) == ["Refused", "applied"]

    def test_the_same_document_many_times_at_once_is_imported_once(self, world: World, engine: str) -> None:
        content = table(DRAIN, UPLOAD, JITTER).encode()
        said = race(_import, [(world.mc, content)] * (8 if engine == "postgresql" else 3))
        assert len({pk for pk, _ in said}) == 1 and [made for _, made in said].count(True) == 1
        assert (Review.objects.count(), len(findings()), Occurrence.objects.count()) == (1, 3, 3)

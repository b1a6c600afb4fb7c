"""Rows of a plan on which a person decides: findings not spoken of, items that may be several, too much closed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.lifecycle import Refused, Stale
from portal.core.models import Activity
from reviews import applying, decisions, dispositions, documents, holding
from reviews.models import Decision, Finding, ImportRow, Occurrence, Review
from reviews.queries import plan as plans
from reviews.queries import series
from tests.reviews import build
from tests.reviews.test_applying import again, everything, findings, fresh
from tests.reviews.test_planning import DRAIN, JITTER, UPLOAD, table

if TYPE_CHECKING:
    from tests.factories import World

TWIN = "{} | HIGH | The lock is not released | a.py:{} |"


def row(review: Review, n: int) -> ImportRow:
    return ImportRow.objects.select_related("review").get(review=review, n=n)


def silent(world: World) -> Review:
    """A plan that speaks of the second of three findings."""
    build.applied(world.mc, table(DRAIN, UPLOAD, JITTER))
    return build.planned(world.mc, table(UPLOAD))


class TestSilence:
    def test_a_plan_waits_until_something_is_said_of_each_finding_that_it_is_silent_about(self, world: World) -> None:
        review = silent(world)
        with pytest.raises(Refused, match=r"^2 open findings are not spoken of .* not assessed\.$"):
            applying.apply(review)
        dispositions.dispose(row(review, 2), "still")
        with pytest.raises(Refused, match="^1 open finding is not spoken of"):
            applying.apply(fresh(review))
        assert applying.apply(fresh(review), rest="not_assessed").carried == 2
        said = list(ImportRow.objects.filter(action="carry").order_by("n").values_list("disposition", flat=True))
        assert said == ["still", "not_assessed"]
        assert plans.not_assessed(review) == 1

    def test_what_somebody_has_answered_since_needs_no_word(self, world: World) -> None:
        review = silent(world)
        for one in Finding.objects.exclude(title__startswith="Template"):
            build.reject(one)
        assert applying.apply(review).carried == 2

    def test_each_word_does_what_it_says_and_is_taken_back(self, world: World) -> None:
        build.applied(world.mc, table(DRAIN, UPLOAD, JITTER, "A-4 | LOW | A fourth thing is wrong | d.py |"))
        before = everything()
        drain, upload, jitter, fourth = Finding.objects.order_by("pk")
        review = build.planned(world.mc, table(UPLOAD))
        dispositions.dispose(row(review, 2), "fixed", reason="See the log.")
        dispositions.dispose(row(review, 3), "rejected", reason="Not so.", evidence="Shown in app/retry.py:77.")
        dispositions.dispose(row(review, 4), "merged", merge_into=upload.pk)
        done = applying.apply(fresh(review), by=world.reviewer)
        assert (done.closed, done.carried) == (3, 0)
        states = {one.pk: (one.state, one.answer, one.merged_into_id) for one in Finding.objects.all()}
        assert states[drain.pk] == ("fixed", "See the log.", None)
        assert states[jitter.pk][0] == "rejected" and states[fourth.pk][0] == "merged"
        assert states[fourth.pk][2] == upload.pk
        made = Decision.objects.get()
        assert (made.reason, made.evidence, made.asked_by) == ("Not so.", "Shown in app/retry.py:77.", world.reviewer)
        words = [cell.word for shown in series.matrix(review.series).rows for cell in shown.cells[1:]]  # type: ignore[union-attr]
        assert sorted(words) == [
            "Fixed, by a person's word",
            "Merged into another",
            "Rejected, by a person's word",
            "Still there",
        ]
        assert applying.revert(fresh(review), reason="Wrong.") == (4, 0)
        assert everything() == before
        assert not decisions.standing().exists()

    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            ({"disposition": "rejected", "reason": "", "evidence": "app/a.py:1 says so"}, "Say why"),
            ({"disposition": "rejected", "reason": "No.", "evidence": ""}, "Give evidence"),
            ({"disposition": "merged"}, "Say into which"),
            ({"disposition": "merged", "merge_into": 2**70}, "of the same series"),
            ({"disposition": "gone"}, "is one of: not_assessed, still, fixed"),
            ({"disposition": "still", "reason": "x" * 301}, "at most 300 characters"),
        ],
    )
    def test_what_a_word_lacks_is_said_and_nothing_is_kept(
        self, world: World, said: dict[str, Any], sentence: str
    ) -> None:
        review = silent(world)
        with pytest.raises(Refused, match=sentence):
            dispositions.dispose(row(review, 2), **said)
        assert row(review, 2).disposition == "" and fresh(review).version == review.version

    def test_a_finding_is_merged_into_one_that_goes_on(self, world: World) -> None:
        review = silent(world)
        drain, upload, jitter = Finding.objects.order_by("pk")
        with pytest.raises(Refused, match="into itself"):
            dispositions.dispose(row(review, 2), "merged", merge_into=drain.pk)
        other = build.finding(world.mc)
        with pytest.raises(Refused, match="of the same series"):
            dispositions.dispose(row(review, 2), "merged", merge_into=other.pk)
        dispositions.dispose(row(review, 2), "merged", merge_into=jitter.pk)
        with pytest.raises(Refused, match="merge both into the same one"):
            dispositions.dispose(row(review, 3), "merged", merge_into=upload.pk)
        with pytest.raises(Refused, match="merge both into that one"):
            dispositions.dispose(row(review, 3), "merged", merge_into=drain.pk)
        build.reject(jitter)
        with pytest.raises(Refused, match="neither open nor fixed any more"):
            applying.apply(fresh(review))

    def test_a_rejection_is_somebodys(self, world: World) -> None:
        review = silent(world)
        dispositions.dispose(row(review, 2), "rejected", reason="No.", evidence="Shown in app/outbox.py:10.")
        with pytest.raises(Refused, match="a rejection is a person's"):
            applying.apply(fresh(review), rest="still")
        assert fresh(review).state == "planned" and row(review, 3).disposition == ""

    def test_all_the_rest_at_once_leaves_what_was_said_and_the_plan_is_another_then(self, world: World) -> None:
        review = silent(world)
        dispositions.dispose(row(review, 3), "fixed")
        seen = fresh(review)
        with pytest.raises(Stale):
            dispositions.dispose_rest(seen, "still", expected_version=1)
        with pytest.raises(Refused, match="All the rest at once is one of"):
            dispositions.dispose_rest(seen, "fixed")
        assert dispositions.dispose_rest(seen, "still", expected_version=seen.version) == 1
        assert fresh(review).version == seen.version == 4
        assert [row(review, n).disposition for n in (2, 3)] == ["still", "fixed"]
        assert Activity.objects.get(verb="review.rest_disposed").reason == "1 findings: still present."

    def test_what_was_merged_counts_for_what_it_went_into_when_it_is_listed_again(self, world: World) -> None:
        review = silent(world)
        upload = Finding.objects.get(title__startswith="Template")
        dispositions.dispose(row(review, 2), "merged", merge_into=upload.pk)
        applying.apply(fresh(review), rest="still")
        third = build.planned(world.mc, table(DRAIN, JITTER))
        assert [(one.action, one.finding_id == upload.pk) for one in ImportRow.objects.filter(review=third)] == [
            ("seen", True),
            ("seen", False),
        ]
        assert "was merged into" in row(third, 1).reason
        before = findings()
        applying.apply(third)
        assert findings() == before, "nothing of either is rewritten"
        assert Occurrence.objects.filter(review=third, finding=upload).exists()


class TestTooMuch:
    def listed(self, world: World, closing: int, of: int) -> Review:
        items = [f"A-{n} | HIGH | Problem {n} of many | app/{n}.py:{n} |" for n in range(of)]
        build.applied(world.mc, table(*items))
        return build.planned(world.mc, table(*(item + " Fixed" * (n < closing) for n, item in enumerate(items))))

    def test_a_plan_at_the_share_is_applied_and_one_more_has_to_be_meant(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"CLOSE_GUARD_PERCENT": 50, "CLOSE_GUARD_FINDINGS": 2}
        assert not holding.of(self.listed(world, 2, 4)).guarded
        review = build.planned(
            world.mc,
            table(*(f"A-{n} | HIGH | Problem {n} of many | app/{n}.py:{n} | {'Fixed' * (n < 3)}" for n in range(4))),
        )
        assert holding.of(review) == (0, 0, 3, 4)
        with pytest.raises(
            Refused, match=r"closes 3 of 4 open findings of the series, 75 %, .* 50 % \(CLOSE_GUARD_PER"
        ):
            applying.apply(review)
        assert applying.apply(fresh(review), closing_meant=True).closed == 3

    def test_few_findings_are_few(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"CLOSE_GUARD_PERCENT": 10, "CLOSE_GUARD_FINDINGS": 3}
        assert applying.apply(self.listed(world, 2, 2)).closed == 2

    def test_what_a_person_says_closes_as_well(self, world: World, settings: Any) -> None:
        settings.LIMITS = settings.LIMITS | {"CLOSE_GUARD_PERCENT": 50, "CLOSE_GUARD_FINDINGS": 2}
        review = silent(world)
        for n in (2, 3):
            dispositions.dispose(row(review, n), "fixed")
        assert holding.of(review) == (0, 0, 2, 3)
        with pytest.raises(Refused, match="say that it is meant"):
            applying.apply(fresh(review))


class TestChoosing:
    def doubtful(self, world: World) -> Review:
        """Of two that are the same to us, one is listed again."""
        build.applied(world.mc, table(TWIN.format("A-1", 10), TWIN.format("A-2", 50)))
        return build.planned(world.mc, table(TWIN.format("B-1", 31)))

    def test_what_may_be_two_is_asked_and_never_guessed(self, world: World) -> None:
        review = self.doubtful(world)
        asked = row(review, 1)
        first, second = Finding.objects.order_by("pk")
        assert (asked.action, asked.candidates, asked.chosen) == ("choose", [first.pk, second.pk], None)
        assert "the same title in the same file" in asked.reason
        assert [row(review, n).action for n in (2, 3)] == ["carry", "carry"]
        with pytest.raises(Refused, match=r"^1 row may be more than one finding: choose .* \(row 1\)\.$"):
            applying.apply(review, rest="still")
        with pytest.raises(Refused, match="not among those"):
            dispositions.choose(asked, 999)
        dispositions.choose(asked, second.pk)
        done = applying.apply(fresh(review), rest="not_assessed")
        assert (done.new, done.seen, done.carried) == (0, 1, 1)
        second.refresh_from_db()
        assert second.files == ["a.py:31"]
        assert row(review, 1).reason.startswith("Chosen by a person")
        assert row(review, 3).disposition == "", "it is spoken of"
        assert applying.revert(fresh(review), reason="No.") == (1, 0)
        second.refresh_from_db()
        assert second.files == ["a.py:50"]

    def test_a_choice_is_remembered_and_a_new_one_is_the_same_new_one_again(self, world: World) -> None:
        review = self.doubtful(world)
        dispositions.choose(row(review, 1), dispositions.A_NEW_ONE)
        documents.read_again(review)
        documents.read_now(review)
        assert row(review, 1).chosen == 0
        assert applying.apply(fresh(review), rest="still").new == 1
        made = Finding.objects.latest("pk")
        before = everything()
        applying.revert(fresh(review), reason="Once more.")
        once_more = again(review)
        assert row(once_more, 1).chosen == 0
        applying.apply(once_more, rest="still")
        assert Finding.objects.latest("pk") == made and everything() == before

    def test_two_rows_are_never_one_finding(self, world: World) -> None:
        build.applied(world.mc, table(TWIN.format("A-1", 10)))
        review = build.planned(world.mc, table(TWIN.format("A-1", 10), TWIN.format("A-2", 90)))
        assert [row(review, n).action for n in (1, 2)] == ["choose", "choose"]
        known = Finding.objects.get()
        dispositions.choose(row(review, 1), known.pk)
        with pytest.raises(Refused, match="Row 1 is that finding already"):
            dispositions.choose(row(review, 2), known.pk)
        dispositions.choose(row(review, 2), 0)
        assert applying.apply(fresh(review))[:2] == (1, 1)

    def test_a_chosen_row_that_says_fixed_closes(self, world: World) -> None:
        build.applied(world.mc, table(TWIN.format("A-1", 10), TWIN.format("A-2", 50)))
        review = build.planned(world.mc, table(TWIN.format("B-1", 31) + " Fixed"))
        dispositions.choose(row(review, 1), Finding.objects.order_by("pk")[1].pk)
        assert holding.of(review).closing == 1
        assert applying.apply(fresh(review), rest="still").closed == 1

    def test_as_near_to_two_titles_is_a_question(self, world: World) -> None:
        build.applied(
            world.mc,
            table(
                "A-1 | HIGH | Call to the ledger has no timeout at start | a.py:1 |",
                "A-2 | HIGH | Call to the ledger has no timeout at sleep | a.py:9 |",
            ),
        )
        review = build.planned(world.mc, table("B-1 | HIGH | Call to the ledger has no timeout at shore | a.py:4 |"))
        assert row(review, 1).action == "choose" and len(row(review, 1).candidates) == 2
        assert "nearly the same title" in row(review, 1).reason


# The same document in any order, on any lines ------------------------------------------

TITLES = ("The lock is not released", "The lock is never released", "Retry has no jitter", "Retry: has no `jitter`")
ITEM = st.tuples(
    st.sampled_from(TITLES),
    st.sampled_from(["HIGH", "LOW"]),
    st.sampled_from(["", "Fixed", "Rejected", "Open"]),
    st.sampled_from(["", "a.py:1", "a.py:2", "x/a.py:1", "b.py", "a.py:3, b.py:4"]),
)


def written(items: list[tuple[int, tuple[str, str, str, str]]], moved: int = 0) -> str:
    lines = [f"R{n} | {sev} | {title} | {file} | {status}" for n, (title, sev, status, file) in items]
    return table(*(re.sub(r":(\d+)", lambda line: f":{int(line[1]) + moved}", line) for line in lines))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(ITEM, min_size=1, max_size=6), data=st.data())
@pytest.mark.django_db
def test_the_same_document_shuffled_and_on_other_lines_makes_nothing_new_closes_nothing_and_asks_nothing(
    world: World, items: list[Any], data: st.DataObject
) -> None:
    numbered = list(enumerate(items))
    shuffled = data.draw(st.permutations(numbered))
    if data.draw(st.booleans()):
        # numbered anew, as authors do
        shuffled = [(n, item) for n, (_, item) in enumerate(shuffled)]
    with transaction.atomic():
        build.applied(world.mc, written(numbered))
        before = [(one["pk"], one["state"]) for one in findings()]
        review = build.planned(world.mc, f"{written(shuffled, data.draw(st.sampled_from([0, 7])))}\nMoved.\n")
        actions = set(ImportRow.objects.filter(review=review).values_list("action", flat=True))
        assert actions == {"seen"}
        applying.apply(review)
        assert [(one["pk"], one["state"]) for one in findings()] == before
        transaction.set_rollback(True)

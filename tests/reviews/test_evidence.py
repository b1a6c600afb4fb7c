"""Evidence: what turns and merges say of a finding's fix, and where the finding stands by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.access import Role
from portal.core.clock import now
from portal.core.models import Activity
from portal.core.unit import unit_of_work
from portal.live.models import Event
from reviews import answers, applying, evidence, standing
from reviews.links import Link
from reviews.models import Edge, Evidence, Finding, Review, Strength
from tests import factories
from tests.reviews import build
from tests.signing_in import Counted, SignIn, counted, sign_in, static_root
from tests.tickets import build as tickets
from tickets import followers
from tickets.models import CheckRun, Measurement, Merge, Ticket, Turn

if TYPE_CHECKING:
    from tests.factories import World

__all__ = ["counted", "sign_in", "static_root"]
pytestmark = pytest.mark.django_db
MERGED = "4be20aa1c" + "0" * 31


@pytest.fixture
def finding(world: World) -> Finding:
    """Of a ticket that an agent works on."""
    found = build.finding(world.mc)
    Finding.objects.filter(pk=found.pk).update(ticket=tickets.ticket(world.mc, "in_review"))
    return Finding.objects.get(pk=found.pk)


def of(finding: Finding) -> Ticket:
    assert finding.ticket is not None
    return finding.ticket


def turn(finding: Finding, *, seq: int = 2, proven: bool | None = None, **fields: Any) -> Turn:
    made = tickets.turn(of(finding), seq=seq, head_commit=tickets.HEAD, **fields)
    if proven is not None:
        reasons = [] if proven else ["The checks failed.", "2 files are outside of the allowed paths."]
        Measurement.objects.create(turn=made, proven=proven, reasons=reasons, commit_count=2)
    return Turn.objects.get(pk=made.pk)


def merge(finding: Finding, by: Any = None, outcomes: tuple[str, ...] = (), **fields: Any) -> Merge:
    last = of(finding).turns.first() or turn(finding, proven=True)
    carrier = tickets.attempt(of(finding).subject)
    for n, outcome in enumerate(outcomes, start=1):
        CheckRun.objects.create(attempt=carrier, n=n, command=["make"], outcome=outcome, seconds=1)
    words = {"strategy": "merge", "target_branch": "main", "merged_commit": MERGED} | fields
    return Merge.objects.create(
        ticket=of(finding), turn=last, attempt=carrier, commit=tickets.HEAD, state="merged", accepted_by=by, **words
    )


def edges(finding: Finding) -> list[tuple[str, str, str, str]]:
    return list(finding.evidence.order_by("pk").values_list("edge", "ref", "strength", "by"))


def again(finding: Finding) -> Finding:
    return Finding.objects.get(pk=finding.pk)


def history(finding: Finding, verb: str) -> list[Activity]:
    return list(Activity.objects.filter(subject=finding.subject, verb=verb).order_by("id"))


class TestTurns:
    def test_a_turn_that_only_says_that_it_is_done_is_a_claim_by_its_agent(self, finding: Finding) -> None:
        evidence.turn_ended(turn(finding, proven=False))
        assert edges(finding) == [("turn", f"{of(finding).key}/2", "claimed", "claude-dev")]
        assert finding.evidence.get().detail == "The checks failed. 2 files are outside of the allowed paths."

    def test_a_turn_that_nobody_measured_is_a_claim(self, finding: Finding) -> None:
        evidence.turn_ended(turn(finding))
        assert edges(finding)[0][2] == "claimed"

    def test_a_turn_that_was_proven_is_measured_by_the_portal(self, finding: Finding) -> None:
        evidence.turn_ended(turn(finding, proven=True))
        assert edges(finding) == [("turn", f"{of(finding).key}/2", "measured", "Shiproom")]
        assert finding.evidence.get().detail == "2 new commits, bbbbbbbbb the newest."

    @pytest.mark.parametrize("fields", [{"state": "failed"}, {"state": "needs_input"}, {"purpose": "review"}])
    def test_a_turn_that_claims_no_work_is_no_evidence(self, finding: Finding, fields: dict[str, str]) -> None:
        evidence.turn_ended(turn(finding, **fields))
        assert edges(finding) == []

    def test_told_twice_it_is_written_once(self, finding: Finding) -> None:
        ended = turn(finding, proven=True)
        for _ in range(2):
            evidence.turn_ended(ended)
        assert len(edges(finding)) == 1
        assert len(history(finding, "finding.evidence")) == 1

    def test_told_otherwise_it_is_written_over_and_history_has_both(self, finding: Finding) -> None:
        evidence.turn_ended(turn(finding, proven=False))
        Measurement.objects.update(proven=True)
        evidence.turn_ended(Turn.objects.get())
        assert [edge[2] for edge in edges(finding)] == ["measured"]
        last = history(finding, "finding.evidence")[-1]
        assert (last.before["strength"], last.after["strength"]) == ("claimed", "measured")

    def test_a_long_reason_is_cut_and_says_so(self, finding: Finding) -> None:
        ended = turn(finding, proven=False)
        Measurement.objects.update(reasons=["x" * 400])
        evidence.turn_ended(Turn.objects.get(pk=ended.pk))
        assert finding.evidence.get().detail == "x" * 299 + "…"

    def test_every_finding_of_the_ticket_has_it_and_none_besides(self, finding: Finding, world: World) -> None:
        second, other, withdrawn = (build.finding(world.mc, state) for state in ("open", "open", "withdrawn"))
        Finding.objects.filter(pk__in=[second.pk, withdrawn.pk]).update(ticket=of(finding))
        evidence.turn_ended(turn(finding, proven=True))
        assert [len(edges(one)) for one in (finding, second, other, withdrawn)] == [1, 1, 0, 0]


class TestMerges:
    def test_what_a_person_accepted_is_confirmed_by_them(self, finding: Finding, world: World) -> None:
        evidence.merged(merge(finding, by=world.reviewer, outcomes=("passed", "passed")))
        assert edges(finding) == [("commit", MERGED, "confirmed", str(world.reviewer))]
        assert finding.evidence.get().detail == "Merged into main. 2 of 2 checks passed on the result."

    def test_what_no_person_accepted_is_measured(self, finding: Finding) -> None:
        evidence.merged(merge(finding))
        assert edges(finding) == [("commit", MERGED, "measured", "Shiproom")]

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"strategy": "rebase"}, "Rebased onto main. No checks were run on the result."),
            ({"recognised": True}, "It was in main already. No checks were run on the result."),
            ({"target_branch": ""}, "Merged into the target branch. No checks were run on the result."),
        ],
    )
    def test_it_says_how_the_commit_came_there(self, finding: Finding, fields: dict[str, Any], said: str) -> None:
        evidence.merged(merge(finding, **fields))
        assert finding.evidence.get().detail == said

    def test_the_lower_layer_tells_of_turns_merges_and_reopenings(self, finding: Finding, world: World) -> None:
        followers.worked.tell(turn(finding, proven=True))
        followers.merged.tell(merge(finding, by=world.reviewer))
        assert [edge[0] for edge in edges(finding)] == ["turn", "commit"]
        followers.reopened.tell(of(finding))
        assert edges(finding) == []

    def test_a_ticket_that_is_reopened_takes_its_commit_back_and_history_keeps_it(
        self, finding: Finding, world: World
    ) -> None:
        landed = merge(finding, by=world.reviewer)
        evidence.merged(landed)
        Evidence.objects.create(finding=finding, edge="commit", ref="e" * 40, strength="measured", by="another way")
        evidence.ticket_reopened(of(finding))
        assert [edge[1] for edge in edges(finding)] == ["e" * 40]
        (withdrawn,) = history(finding, "finding.evidence_withdrawn")
        assert withdrawn.before["ref"] == MERGED
        assert withdrawn.before["by"] == str(world.reviewer)
        assert withdrawn.reason == f"{of(finding).key} was reopened."
        evidence.ticket_reopened(of(finding))
        assert len(history(finding, "finding.evidence_withdrawn")) == 1


class TestStanding:
    def test_it_goes_from_open_to_claimed_to_present_and_back(self, finding: Finding, world: World) -> None:
        said = [evidence.standing_of(again(finding)).sentence]
        evidence.turn_ended(turn(finding, proven=True))
        said.append(evidence.standing_of(again(finding)).sentence)
        evidence.merged(merge(finding, by=world.reviewer))
        answers.ticket_accepted(of(finding))
        said.append(evidence.standing_of(again(finding)).sentence)
        answers.ticket_reopened(of(finding))
        evidence.ticket_reopened(of(finding))
        said.append(evidence.standing_of(again(finding)).sentence)
        assert said == ["Open", "Fix claimed by turn 2", "Fix present in 4be20aa1c", "Open"]

    def test_a_fix_without_a_commit_is_claimed(self, finding: Finding) -> None:
        answers.answer(finding, "fix", reason="It was the cable.")
        assert evidence.standing(again(finding)) == "fix claimed"

    def test_a_finding_that_was_opened_again_after_its_commit_is_open(self, finding: Finding) -> None:
        evidence.merged(merge(finding))
        answers.ticket_accepted(of(finding))
        answers.open_again(again(finding), reason="It squeaks again.")
        assert evidence.standing(again(finding)) == "open"

    @pytest.mark.parametrize(
        ("edges_", "said"),
        [
            (["commit", "deployment"], "Live: web in staging"),
            (["commit", "deployment", "health"], "Verified live: web in staging"),
            # brought nowhere, a release says no more than its commit
            (["commit", "release"], "Fix present in 4be20aa1c"),
            (["turn", "commit", "release", "deployment"], "Live: web in staging"),
        ],
    )
    def test_the_edge_that_reaches_farthest_says_it(self, finding: Finding, edges_: list[str], said: str) -> None:
        for edge in edges_:
            place = "web in staging" if edge in {"deployment", "health"} else ""
            Evidence.objects.create(finding=finding, edge=edge, ref=MERGED, strength="measured", by="x", place=place)
        Finding.objects.filter(pk=finding.pk).update(state="fixed")
        assert evidence.standing_of(again(finding)).sentence == said

    def test_of_two_places_the_newer_says_it(self, finding: Finding) -> None:
        for n, place in enumerate(["web in staging", "web in production"]):
            at = now() + timedelta(minutes=n)
            row = {"strength": "measured", "by": "x", "place": place, "at": at}
            Evidence.objects.create(finding=finding, edge="deployment", ref=str(9 - n), **row)
        Finding.objects.filter(pk=finding.pk).update(state="fixed")
        assert evidence.standing_of(again(finding)).sentence == "Live: web in production"

    def test_what_is_live_and_open_again_is_open(self, finding: Finding) -> None:
        for edge in ("commit", "deployment", "health"):
            Evidence.objects.create(finding=finding, edge=edge, ref="7", strength="measured", by="x", place="p")
        assert evidence.standing(again(finding)) == "open"

    @pytest.mark.parametrize("decide", [build.waive, build.reject])
    def test_what_nobody_means_to_fix_stands_nowhere(self, finding: Finding, decide: Callable[[Finding], Any]) -> None:
        evidence.turn_ended(turn(finding, proven=True))
        decide(finding)
        assert evidence.standing(again(finding)) == ""

    def test_rows_with_their_newest_edge_say_the_same_and_ask_nothing(
        self, finding: Finding, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        evidence.turn_ended(turn(finding, seq=1, proven=False))
        evidence.turn_ended(turn(finding, seq=2, proven=True))
        (row,) = evidence.with_newest(Finding.objects.filter(pk=finding.pk))
        with django_assert_num_queries(0):
            assert evidence.standing_of(row).sentence == "Fix claimed by turn 2"


EDGES = st.lists(
    st.tuples(st.sampled_from(["turn", "commit", "release", "deployment", "health"]), st.integers(0, 5)), max_size=6
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.sampled_from(["open", "fixed", "waived", "rejected"]), EDGES), max_size=5))
def test_a_filter_by_standing_finds_just_what_stands_so(world: World, rows: list[Any]) -> None:
    with transaction.atomic():
        for state, edges_ in rows:
            found = build.finding(world.mc, state)
            for n, (edge, minute) in enumerate(edges_):
                at = now() + timedelta(minutes=minute)
                Evidence.objects.create(
                    finding=found, edge=edge, ref=f"MC-1/{n}", strength="claimed", by="x", place="p", at=at
                )
        every = standing.with_newest(Finding.objects.all())
        words = {row.pk: standing.standing(row) for row in every}
        assert words == {row.pk: standing.standing(row) for row in Finding.objects.all()}
        for word in (standing.OPEN, standing.CLAIMED, standing.PRESENT, standing.LIVE, standing.VERIFIED):
            found_by = set(standing.that_stand(every, word).values_list("pk", flat=True))
            assert found_by == {pk for pk, said in words.items() if said == word}, word
        transaction.set_rollback(True)


class TestWriting:
    LINK = Link(Edge.DEPLOYMENT, "7", Strength.MEASURED, "Deployment 7 brought web-1 there.", "Shiproom", "web in live")

    def test_it_is_written_for_each_once_and_told_on_the_stream_of_the_project(self, world: World) -> None:
        findings = [build.finding(world.mc, "fixed") for _ in range(3)]
        assert evidence.write(findings, self.LINK)
        events = Event.objects.filter(stream=world.mc.scope).count()
        assert not evidence.write(findings, self.LINK)
        assert Event.objects.filter(stream=world.mc.scope).count() == events
        assert [row.place for row in Evidence.objects.all()] == ["web in live"] * 3
        assert all(len(history(finding, "finding.evidence")) == 1 for finding in findings)

    def test_the_moment_is_that_of_what_it_tells_of(self, finding: Finding) -> None:
        then = now() - timedelta(days=2)
        evidence.turn_ended(turn(finding, proven=True, ended_at=then))
        assert finding.evidence.get().at == then

    def test_what_is_taken_back_is_kept_by_the_history(self, world: World) -> None:
        first, second = (build.finding(world.mc, "fixed") for _ in range(2))
        evidence.write([first, second], self.LINK)
        evidence.withdraw(Evidence.objects.filter(finding=first), reason="It was rolled back.")
        assert [row.finding_id for row in Evidence.objects.all()] == [second.pk]
        (gone,) = history(first, "finding.evidence_withdrawn")
        assert (gone.before["place"], gone.reason) == ("web in live", "It was rolled back.")

    def test_a_reopened_ticket_is_live_nowhere(self, finding: Finding, world: World) -> None:
        evidence.merged(merge(finding, by=world.reviewer))
        for edge in (Edge.RELEASE, Edge.DEPLOYMENT, Edge.HEALTH):
            evidence.write([again(finding)], replace(self.LINK, edge=edge))
        evidence.ticket_reopened(of(finding))
        assert edges(finding) == []

    def test_findings_are_fixed_by_a_commit_of_their_project_alone(self, finding: Finding, world: World) -> None:
        theirs = build.finding(factories.project("XX", "Another"), "fixed")
        withdrawn = build.finding(world.mc, "withdrawn")
        for found in (finding, theirs, withdrawn):
            Evidence.objects.create(finding=found, edge="commit", ref=MERGED, strength="measured", by="x")
        assert evidence.fixed_by([MERGED, "e" * 40], world.mc) == [finding]


class TestAnotherTicket:
    """What a ticket did is evidence of the findings that it is the ticket of, whenever it became that."""

    DOCUMENT = "# Review\n\n| Ticket | Severity | Title |\n|---|---|---|\n| {} | HIGH | The door squeaks at night |\n"

    def test_a_finding_that_names_a_ticket_has_what_it_did_and_loses_it_with_its_import(
        self, finding: Finding, world: World
    ) -> None:
        evidence.turn_ended(turn(finding, proven=True))
        evidence.merged(merge(finding, by=world.reviewer))
        review = build.applied(world.mc, self.DOCUMENT.format(of(finding).key))
        found = Finding.objects.get(occurrences__review=review)
        assert found.ticket == of(finding)
        assert edges(found) == edges(finding) != []
        applying.revert(Review.objects.get(pk=review.pk), reason="Too early.")
        assert again(found).state == "withdrawn"
        assert edges(found) == []
        assert [row.reason for row in history(found, "finding.evidence_withdrawn")] == [
            f"{review} was reverted: Too early."
        ] * 2

    def test_tickets_made_of_findings_bring_what_a_named_one_did(self, finding: Finding, world: World) -> None:
        evidence.turn_ended(turn(finding, proven=True))
        late = build.finding(world.mc)
        Finding.objects.filter(pk=late.pk).update(ticket_key=of(finding).key)
        assert answers.make_tickets([again(late)]) == []
        assert edges(late) == edges(finding) != []

    def test_what_ended_before_the_ticket_was_reopened_counts_for_nothing(self, finding: Finding, world: World) -> None:
        with unit_of_work() as work:
            old = turn(finding, seq=1, proven=True)
            work.record("turn.finish", f"turn:{of(finding).key}/1")
            work.record("ticket.reopen", of(finding).subject)
            new = turn(finding, seq=2, proven=True)
            work.record("turn.finish", f"turn:{of(finding).key}/2")
        late = build.finding(world.mc)
        Finding.objects.filter(pk=late.pk).update(ticket=of(finding))
        evidence.relate([again(late)], reason="It has a ticket now.")
        assert [edge[1] for edge in edges(late)] == [f"{of(finding).key}/{new.seq}"]
        assert old.seq == 1

    def test_a_finding_without_a_ticket_has_none(self, finding: Finding) -> None:
        evidence.turn_ended(turn(finding, proven=True))
        Finding.objects.filter(pk=finding.pk).update(ticket=None)
        evidence.relate([again(finding)], reason="Its ticket is gone.")
        assert edges(finding) == []


class TestWhereItIsShown:
    @pytest.fixture
    def landed(self, world: World) -> Finding:
        """A finding of a review, whose fix is in the target."""
        review = build.applied(world.mc)
        found = Finding.objects.filter(series=review.series).order_by("pk")[0]
        Finding.objects.filter(pk=found.pk).update(ticket=tickets.ticket(world.mc, "in_review"))
        found.refresh_from_db()
        evidence.turn_ended(turn(found, proven=True))
        evidence.merged(merge(found, by=world.reviewer))
        answers.ticket_accepted(of(found))
        return again(found)

    def test_on_the_lists_on_the_review_and_on_the_ticket(self, landed: Finding, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.viewer)
        review = landed.occurrences.get().review_id
        for url in ("/findings/", f"/reviews/{review}/", f"/tickets/{of(landed).key}/"):
            assert "Fix present in 4be20aa1c" in browser.get(url).content.decode(), url
        exported = b"".join(browser.get("/findings/export.csv").streaming_content).decode()  # type: ignore[attr-defined]
        assert "fix present" in exported

    def test_a_claim_is_no_presence(self, finding: Finding, world: World, sign_in: SignIn) -> None:
        evidence.turn_ended(turn(finding, proven=False))
        page = sign_in(world.viewer).get("/findings/fragment/").content.decode()
        assert "Fix claimed by turn 2" in page and "Fix present" not in page

    def test_rows_cost_no_query_each(self, landed: Finding, world: World, sign_in: SignIn, counted: Counted) -> None:
        browser = sign_in(world.viewer)
        urls = ["/findings/", f"/reviews/{landed.occurrences.get().review_id}/", f"/tickets/{of(landed).key}/"]
        last = turn(landed, seq=3, proven=True)
        before = [counted(browser, url) for url in urls]
        series = landed.series
        for n in range(20):
            found = Finding.objects.create(
                series=series, identity=f"x{n}", title=f"X {n}", severity="low", state="open", ticket=of(landed)
            )
            found.occurrences.create(review=landed.occurrences.get().review, line_start=1, line_end=1)
        evidence.turn_ended(last)
        assert [counted(browser, url) for url in urls] == before

    def test_in_the_admin_to_be_looked_at(self, landed: Finding, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.admin)
        row = landed.evidence.order_by("-pk")[0]
        page = browser.get(reverse("admin:reviews_evidence_change", args=[row.pk])).content.decode()
        assert MERGED in page and 'name="strength"' not in page
        assert browser.get(reverse("admin:reviews_evidence_changelist")).status_code == 200
        assert browser.post(reverse("admin:reviews_evidence_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        shown = browser.get(reverse("admin:reviews_finding_change", args=[landed.pk])).content.decode()
        assert MERGED in shown and "Fix present in 4be20aa1c" in shown

    def test_nobody_outside_of_the_project_learns_of_it(self, landed: Finding, sign_in: SignIn) -> None:
        stranger = factories.person("s@example.org")
        factories.member(factories.project("XX", "Another"), stranger, Role.OWNER)
        assert "Fix present" not in sign_in(stranger).get("/findings/fragment/").content.decode()

"""The chain of a finding: what joins it to each place, how well that is known, and the answer for each place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import chain_answers, chains
from deployments.chains import Chain
from reviews import answers
from tests.deployments import build
from tests.deployments.story import Story
from tests.reviews import build as reviews

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(world: World) -> Story:
    return Story(world.mc, world.reviewer)


def chain(story: Story) -> Chain:
    return chains.chain_of(story.fix)


def places(story: Story) -> dict[str, tuple[str, str]]:
    return {answer.environment: (answer.word, answer.sentence) for answer in chain(story).answers}


def proofs(story: Story) -> list[tuple[str, str]]:
    return [(link.kind, link.proof) for link in chain(story).links]


class TestLinks:
    def test_what_is_not_there_yet_is_missing(self, story: Story) -> None:
        assert proofs(story) == [
            ("Finding", "stated"),
            ("Ticket", "claimed"),
            ("Turn", "missing"),
            ("Commit", "missing"),
            ("Release", "missing"),
            ("Health", "missing"),
            ("Health", "missing"),
        ]

    def test_a_claim_is_claimed_and_what_the_portal_saw_is_measured(self, story: Story) -> None:
        story.turn(proven=False)
        assert ("Turn", "claimed") in proofs(story)
        story.turn(proven=True)
        assert ("Turn", "measured") in proofs(story)

    def test_the_whole_chain_names_each_record(self, story: Story) -> None:
        merge = story.merged()
        release = story.release(merge)
        deployment = story.deployed(release, story.production)
        found = [(link.kind, link.proof, link.url) for link in chain(story).links if link.proof != "missing"]
        assert found == [
            ("Finding", "stated", ""),
            ("Ticket", "claimed", f"/tickets/{story.ticket.key}/"),
            ("Turn", "measured", f"/tickets/{story.ticket.key}/"),
            ("Commit", "confirmed", f"/tickets/{story.ticket.key}/diff/"),
            ("Release", "measured", f"/deployments/releases/{release.pk}/"),
            ("Deployment", "measured", f"/deployments/{deployment.pk}/"),
            ("Health", "confirmed", f"/deployments/{deployment.pk}/"),
        ]
        assert all(
            link.at for link in chain(story).links if link.kind in {"Turn", "Commit", "Release", "Health"} and link.url
        )

    def test_a_release_that_holds_it_and_stands_nowhere_is_named(self, story: Story) -> None:
        story.release(story.merged())
        (release,) = [link for link in chain(story).links if link.kind == "Release"]
        assert (release.name, release.proof) == ("web-1", "measured")
        assert release.by.endswith("it stands nowhere.")

    def test_the_ticket_that_a_person_made_is_confirmed_by_them(self, story: Story) -> None:
        bare = story.finding("D-8", None)
        answers.make_tickets([bare])
        story.findings[0] = bare
        ticket = chain(story).links[1]
        assert ticket.name == story.fix.ticket.key  # type: ignore[union-attr]
        assert ticket.by.endswith("made it one") and ticket.at is not None


class TestPlaces:
    def test_nothing_stands_there(self, story: Story) -> None:
        assert places(story)["production"] == ("not live", "Nothing stands there.")

    def test_places_are_in_the_order_of_the_environments(self, story: Story) -> None:
        build.environment(story.project, "abroad", place=3)
        build.environment(story.project, "zero", place=0)
        assert list(places(story)) == ["zero", "staging", "production", "abroad"]

    def test_live_without_health_is_not_verified(self, story: Story) -> None:
        release = story.release(story.merged())
        first = story.deployed(release, story.staging, verified=None)
        assert places(story)["staging"] == (
            "live",
            f"since deployment {first.pk}; the service itself was not asked.",
        )
        second = story.deployed(release, story.staging)
        word, said = places(story)["staging"]
        assert (word, said) == (
            "verified live",
            f"since deployment {second.pk}. The service itself reported {release.short}.",
        )

    def test_what_stands_there_does_not_hold_it(self, story: Story) -> None:
        story.deployed(story.release(), story.production)
        story.merged()
        assert places(story)["production"] == ("not live", "web-1 stands there, which does not hold it.")

    def test_after_a_failure_it_is_not_known(self, story: Story) -> None:
        release = story.release(story.merged())
        story.deployed(release, story.production)
        failed = story.failed(release, story.production)
        word, said = places(story)["production"]
        assert word == "not live" and f"deployment {failed.pk} failed" in said

    def test_after_a_rollback_to_nothing_nothing_stands_there(self, story: Story) -> None:
        story.deployed(story.release(story.merged()), story.production)
        back = story.rolled_back(story.production)
        assert places(story)["production"] == (
            "not live",
            f"Nothing stands there since deployment {back.pk} was rolled back.",
        )

    @pytest.mark.parametrize("state", ["waiting_gate", "queued", "running"])
    def test_a_deployment_that_would_bring_it_is_named(self, story: Story, state: str) -> None:
        release = story.release(story.merged())
        coming = build.deployment(
            story.project, state, service=story.service, environment=story.production, release=release
        )
        other = story.release()
        build.deployment(story.project, "queued", service=story.service, environment=story.staging, release=other)
        found = {answer.environment: answer.waiting for answer in chain(story).answers}
        assert found == {"staging": None, "production": coming}
        (link,) = [link for link in chain(story).links if link.record == "see its gate"]
        assert link.url == f"/deployments/{coming.pk}/#gate"

    def test_a_finding_that_is_opened_again_is_live_nowhere(self, story: Story) -> None:
        story.deployed(story.release(story.merged()), story.production)
        answers.open_again(story.fix, reason="It squeaks again.")
        word, said = places(story)["production"]
        assert word == "not live" and "not fixed" in said
        assert chain(story).said == "Open"

    def test_places_beyond_the_bound_are_counted(self, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chain_answers, "PLACES_SHOWN", 1)
        found = chain(story)
        assert (len(found.answers), found.more) == (1, 1)


class TestRollback:
    def test_it_would_cut_the_chain_where_the_release_before_does_not_hold_the_fix(self, story: Story) -> None:
        story.deployed(story.release(), story.production)
        last = story.deployed(story.release(story.merged()), story.production)
        (answer,) = chain(story).cuts
        assert answer.rollback == (
            f"A rollback of deployment {last.pk} would cut the chain here: web-1 does not hold the fix."
        )

    def test_it_would_leave_it_live_where_the_release_before_holds_it_too(self, story: Story) -> None:
        merge = story.merged()
        story.deployed(story.release(merge), story.production)
        story.deployed(story.release(merge), story.production)
        assert chain(story).cuts == []
        assert "holds the fix too" in chain(story).answers[1].rollback


class TestSaid:
    def test_it_goes_from_open_to_verified_and_names_where_it_is_not_live(self, story: Story) -> None:
        said = [chain(story).said]
        story.turn(proven=True)
        said.append(chain(story).said)
        release = story.release(story.merged())
        said.append(chain(story).said)
        story.deployed(release, story.staging)
        said.append(chain(story).said)
        story.deployed(release, story.production, verified=None)
        said.append(chain(story).said)
        story.deployed(release, story.production)
        said.append(chain(story).said)
        assert said == [
            "Open",
            "Fix claimed by turn 1",
            "Fixed, not live in staging, production",
            "Fixed, not live in production",
            "Live",
            "Verified live",
        ]

    def test_what_is_live_where_it_matters_most_is_said_first(self, story: Story) -> None:
        story.deployed(story.release(story.merged()), story.production)
        assert chain(story).said == "Verified live in production, not in staging"

    def test_with_several_services_the_place_is_named_whole(self, story: Story) -> None:
        build.service(story.project, "relay")
        story.merged()
        assert chain(story).said.startswith("Fixed, not live in relay in staging, web in staging, relay in production")

    def test_what_nobody_means_to_fix_says_so(self, story: Story) -> None:
        reviews.waive(story.fix)
        assert chain(story).said == "Waived: nobody means to fix it"

    def test_as_text_it_has_every_answer_and_every_link(self, story: Story) -> None:
        release = story.release(story.merged())
        deployment = story.deployed(release, story.staging)
        text = chains.as_text(chain(story))
        lines = text.splitlines()
        assert lines[:2] == ["D-1: The door (D-1)", "Fixed, not live in production."]
        assert f"- web in staging: verified live, since deployment {deployment.pk}." in text
        assert "- web in production: not live. Nothing stands there." in lines
        assert (
            sum(line.startswith(("- Stated", "- Claimed", "- Measured", "- Confirmed", "- Missing")) for line in lines)
            == 8
        )


def test_it_costs_the_same_however_much_happened(story: Story, django_assert_max_num_queries: Any) -> None:
    release = story.release(story.merged())
    for place in (story.staging, story.production):
        for _ in range(3):
            story.deployed(release, place)
    with django_assert_max_num_queries(16):
        chain(story)

"""Pages of evidence: the list by standing, the chain, the chain as text; who sees them, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.access import Role
from reviews.models import Finding
from tests import factories
from tests.deployments import build
from tests.deployments.story import Story
from tests.signing_in import Counted, SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db, pytest.mark.pages]


@pytest.fixture
def story(world: World) -> Story:
    return Story(world.mc, world.reviewer)


def listed(sign_in: SignIn, world: World, query: str = "") -> set[str]:
    page = sign_in(world.viewer).get(f"/evidence/{query}")
    assert page.status_code == 200
    return {finding.reference for finding in page.context["rows"]}


class TestList:
    @pytest.fixture
    def one_of_each(self, story: Story) -> Story:
        """D-1 verified live, L live, P fixed and not live, C claimed, D-3 open, W waived."""
        merge = story.merged()
        Finding.objects.filter(pk=story.findings[1].pk).delete()
        lands = {}
        for name in ("L", "P", "C"):
            ticket = story._now(None)
            made = type(ticket).objects.create(
                project=story.project, number=900 + ord(name), key=f"MC-{900 + ord(name)}", title=name, state="open"
            )
            story.finding(name, made)
            if name == "C":
                story.turn(made, proven=False)
            else:
                lands[name] = story.merged(made)
        story.finding("W", None, state="waived", severity="low")
        story.deployed(story.release(merge), story.production)
        story.deployed(story.release(lands["L"]), story.staging, verified=None)
        return story

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", {"D-1", "L", "P", "C", "D-3", "W"}),
            ("?standing=verified", {"D-1"}),
            ("?standing=live", {"L"}),
            ("?standing=present", {"P"}),
            ("?standing=claimed", {"C"}),
            ("?standing=open", {"D-3"}),
            ("?severity=low", {"W"}),
            ("?standing=present&severity=low", set()),
            ("?project=XX", set()),
            ("?standing=shut", {"D-1", "L", "P", "C", "D-3", "W"}),
        ],
    )
    def test_filters_find_what_they_name(
        self, one_of_each: Story, world: World, sign_in: SignIn, query: str, found: set[str]
    ) -> None:
        assert listed(sign_in, world, query) == found

    def test_the_filter_is_the_standing_that_the_row_shows(
        self, one_of_each: Story, world: World, sign_in: SignIn
    ) -> None:
        from deployments.evidence_views import STANDINGS

        browser = sign_in(world.viewer)
        for value, (word, _) in STANDINGS.items():
            rows = browser.get(f"/evidence/?standing={value}").context["rows"]
            assert {finding.standing.word for finding in rows} == {word}

    def test_what_is_no_standing_is_left_out_and_said(self, story: Story, world: World, sign_in: SignIn) -> None:
        page = sign_in(world.viewer).get("/evidence/?standing=shut").content.decode()
        assert "“shut” is no standing of a fix. This filter was left out." in page

    def test_it_is_paged_by_key(self, story: Story, world: World, sign_in: SignIn, settings: object) -> None:
        settings.LIMITS = {**settings.LIMITS, "LIST_PAGE_ROWS": 2}  # type: ignore[attr-defined]
        browser = sign_in(world.viewer)
        first = browser.get("/evidence/?severity=critical")
        assert [finding.reference for finding in first.context["rows"]] == ["D-3", "D-2"]
        older = first.context["older"]
        assert f"severity=critical&amp;before={older}" in first.content.decode()
        rest = browser.get(f"/evidence/?severity=critical&before={older}")
        assert [finding.reference for finding in rest.context["rows"]] == ["D-1"]
        assert browser.get("/evidence/?before=x").status_code == 400

    def test_rows_cost_no_query_each(self, story: Story, world: World, sign_in: SignIn, counted: Counted) -> None:
        browser = sign_in(world.viewer)
        before = counted(browser, "/evidence/")
        for n in range(20):
            story.finding(f"N-{n}", story.ticket)
        story.deployed(story.release(story.merged()), story.production)
        assert counted(browser, "/evidence/") == before

    def test_it_has_the_readers_projects_alone(self, story: Story, sign_in: SignIn) -> None:
        stranger = factories.person("s@example.org")
        factories.member(factories.project("XX", "Another"), stranger, Role.OWNER)
        page = sign_in(stranger).get("/evidence/")
        assert page.context["rows"] == []
        assert sign_in(stranger).get(f"/evidence/{story.fix.pk}/").status_code == 404

    def test_the_navigation_leads_to_it_and_to_what_is_fixed_and_not_live(
        self, story: Story, world: World, sign_in: SignIn
    ) -> None:
        page = sign_in(world.viewer).get("/evidence/").content.decode()
        assert '<a href="/evidence/" data-go="c" aria-current="page">' in page
        assert '<a href="/evidence/?standing=present">' in page


class TestChain:
    def test_it_answers_for_each_place_and_links_to_the_gate_that_holds(
        self, story: Story, world: World, sign_in: SignIn
    ) -> None:
        release = story.release(story.merged())
        deployment = story.deployed(release, story.staging)
        coming = build.deployment(
            story.project, "waiting_gate", service=story.service, environment=story.production, release=release
        )
        page = sign_in(world.viewer).get(f"/evidence/{story.fix.pk}/").content.decode()
        assert "Fixed, not live in production" in page
        assert '<b class="strong">Verified live</b> since deployment' in page
        assert f'href="/deployments/{coming.pk}/#gate"' in page
        assert f'href="/deployments/{deployment.pk}/"' in page
        for proof in ("none", "claimed", "measured", "confirmed", "stated"):
            assert f'data-proof="{proof}"' in page, proof

    def test_it_follows_the_stream_of_its_project(self, story: Story, world: World, sign_in: SignIn) -> None:
        page = sign_in(world.viewer).get(f"/evidence/{story.fix.pk}/").content.decode()
        assert f'data-live="{world.mc.scope}"' in page
        assert f'data-live-url="/evidence/{story.fix.pk}/fragment/"' in page
        fragment = sign_in(world.viewer).get(f"/evidence/{story.fix.pk}/fragment/").content.decode()
        assert fragment.startswith('<div id="chain-of-finding"')

    def test_as_text_it_needs_no_script(self, story: Story, world: World, sign_in: SignIn) -> None:
        answer = sign_in(world.viewer).get(f"/evidence/{story.fix.pk}/chain.txt")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.content.decode().startswith("D-1: The door (D-1)\nOpen.\n")

    def test_words_of_a_document_are_shown_and_never_obeyed(self, story: Story, world: World, sign_in: SignIn) -> None:
        Finding.objects.filter(pk=story.fix.pk).update(title="<script>alert(1)</script>", reference="<b>X</b>")
        story.turn(proven=False)
        page = sign_in(world.viewer).get(f"/evidence/{story.fix.pk}/").content.decode()
        assert "<script>alert" not in page and "<b>X</b>" not in page

    def test_it_costs_the_same_however_many_places_there_are(
        self, story: Story, world: World, sign_in: SignIn, counted: Counted
    ) -> None:
        browser, url = sign_in(world.viewer), f"/evidence/{story.fix.pk}/"
        release = story.release(story.merged())
        story.deployed(release, story.staging)
        story.deployed(release, story.production)
        before = counted(browser, url)
        for n in range(6):
            story.deployed(release, build.environment(story.project, f"more-{n}", place=n + 3))
        assert counted(browser, url) == before

    @pytest.mark.parametrize("number", ["0", "999999", "99999999999999999999999"])
    def test_what_is_not_there_is_not_found(self, story: Story, world: World, sign_in: SignIn, number: str) -> None:
        for end in ("", "fragment/", "chain.txt"):
            assert sign_in(world.viewer).get(f"/evidence/{number}/{end}").status_code == 404


def test_pages_of_findings_lead_to_the_chain(story: Story, world: World, sign_in: SignIn) -> None:
    story.merged()
    browser = sign_in(world.viewer)
    for url in ("/findings/", f"/tickets/{story.ticket.key}/"):
        assert f'href="/evidence/{story.fix.pk}/"' in browser.get(url).content.decode(), url

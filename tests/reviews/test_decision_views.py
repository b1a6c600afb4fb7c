"""The list of decisions, and the forms that give, refuse and end them: on it, under a finding, and in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core import clock
from portal.site import queries
from reviews import decisions
from reviews.models import Decision, Finding
from tests.reviews import build
from tests.signing_in import SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages
LIST = "/findings/decisions/"
TWO = """# Security review

### A-1: The door squeaks

**Severity:** HIGH

### A-2: The window rattles

**Severity:** LOW
"""


def act(browser: Client, decision: Decision, deed: str, **sent: Any) -> Any:
    return browser.post(f"{LIST}{decision.pk}/{deed}/", {"expected_version": decision.version, **sent})


def test_each_reader_sees_the_decisions_of_own_projects_and_the_deeds_they_may_do(
    world: World, sign_in: SignIn
) -> None:
    asked = decisions.ask_waiver(
        build.finding(world.mc), by=world.reviewer, reason="Until spring.", until=clock.now() + timedelta(days=7)
    )
    page = {who: sign_in(getattr(world, who)).get(LIST).content.decode() for who in ("viewer", "reviewer", "owner")}
    assert all("A waiver everywhere until" in one and "Until spring." in one for one in page.values())
    give = f"{LIST}{asked.pk}/give/"
    assert give in page["owner"] and give not in page["reviewer"] and "<textarea" not in page["viewer"]
    assert "You asked for this waiver" in page["reviewer"]
    assert "Until spring." not in sign_in(world.outsider).get(LIST).content.decode()


def test_filters_let_through_what_they_say(world: World, sign_in: SignIn) -> None:
    build.waive(build.finding(world.mc), days=5, reason="Lasts a few days.")
    build.waive(build.finding(world.mc), days=60, reason="Lasts for long.")
    build.reject(build.finding(world.mc), reason="Is no problem.")
    decisions.end(build.defer(build.finding(world.mc)), reason="Now.")
    browser = sign_in(world.viewer)

    def shown(query: str) -> set[str]:
        page = browser.get(f"{LIST}?{query}").content.decode()
        every = ("Lasts a few days.", "Lasts for long.", "Is no problem.", "After the release.")
        return {words for words in every if words in page}

    assert len(shown("")) == 4
    assert shown("state=soon") == {"Lasts a few days."}
    assert shown("state=ended") == {"After the release."}
    assert shown("state=standing&kind=waive") == {"Lasts a few days.", "Lasts for long."}
    assert shown("q=problem") == {"Is no problem."}
    assert shown(f"finding={Decision.objects.get(kind='reject').finding_id}") == {"Is no problem."}
    assert "is no state of a decision" in browser.get(f"{LIST}?state=gone").content.decode()
    assert "No decision matches" in browser.get(f"{LIST}?decision={2**63 - 1}").content.decode()


def test_a_waiver_is_given_refused_and_ended_by_forms(world: World, sign_in: SignIn) -> None:
    asked = build.ask_waiver(build.finding(world.mc))
    browser = sign_in(world.owner)
    assert act(browser, asked, "give")["Location"] == f"{LIST}?finding={asked.finding_id}"
    asked.refresh_from_db()
    assert (asked.state, asked.finding.state) == ("in_force", "waived")
    refused = act(browser, asked, "end", reason=" ")
    assert refused.status_code == 422 and "Reason is required." in refused.content.decode()
    assert act(browser, asked, "end", reason="Mended.", review="7")["Location"] == (
        f"/reviews/7/#finding-{asked.finding_id}"
    )
    again = act(browser, asked, "end", reason="Typed words stay.")
    assert again.status_code == 409 and "Typed words stay." in again.content.decode()
    other = build.ask_waiver(build.finding(world.mc))
    assert act(browser, other, "refuse", reason="Mend it.").status_code == 302
    other.refresh_from_db()
    assert (other.state, other.given_label) == ("refused", str(world.owner))


def test_who_asked_is_told_on_the_page_that_another_gives_it(world: World, sign_in: SignIn) -> None:
    until = clock.now() + timedelta(days=7)
    asked = decisions.ask_waiver(build.finding(world.mc), by=world.reviewer, reason="x", until=until)
    answer = act(sign_in(world.reviewer), asked, "give")
    assert answer.status_code == 409 and "somebody else gives it" in answer.content.decode()
    assert act(sign_in(world.operator), asked, "give").status_code == 403
    assert act(sign_in(world.outsider), asked, "give").status_code == 404


def test_a_finding_shows_what_was_decided_of_it(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc, TWO)
    one, other = Finding.objects.order_by("pk")
    build.reject(one)
    asked = build.ask_waiver(other)
    page = sign_in(world.reviewer).get(review.get_absolute_url()).content.decode()
    assert "Rejected by Asks" in page and "tests/test_door.py:12" in page
    assert f'action="{LIST}{asked.pk}/give/"' in page and f'name="review" value="{review.pk}"' in page


def test_waivers_wait_on_the_page_of_what_needs_those_who_can_give_them(world: World) -> None:
    until = clock.now() + timedelta(days=7)
    decisions.ask_waiver(build.finding(world.mc, severity="low"), by=world.reviewer, reason="x", until=until)

    def titles(reader: Any) -> list[str]:
        return [panel.title for panel in queries.needs_of(reader)]

    assert titles(world.owner) == ["Waivers to decide"]
    assert titles(world.reviewer) == titles(world.operator) == titles(world.outsider) == []


def test_an_admin_gives_refuses_and_ends_them(world: World, client: Client) -> None:
    client.force_login(world.admin)
    asked = build.ask_waiver(build.finding(world.mc))

    def do(deed: str, **sent: Any) -> Any:
        asked.refresh_from_db()
        address = reverse(f"admin:reviews_decision_do_{deed}", args=[asked.pk])
        return client.post(address, {"expected_version": asked.version, **sent})

    assert do("refuse", reason="").status_code == 422
    assert do("give").status_code == 302
    page = client.get(reverse("admin:reviews_decision_change", args=[asked.pk])).content.decode()
    assert "given by Admin" in page
    assert do("give").status_code == 409
    assert do("end", reason="Mended.").status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.finding.state) == ("ended", "open")
    finding = build.finding(world.mc)
    address = reverse("admin:reviews_finding_do_waive", args=[finding.pk])
    sent = {"expected_version": 1, "reason": "x", "until": (clock.now() + timedelta(days=3)).date().isoformat()}
    assert client.post(address, sent | {"until": "2020-01-01"}).status_code == 422
    assert client.post(address, sent | {"scope": "moon"}).status_code == 422
    assert client.post(address, sent).status_code == 302
    assert Decision.objects.get(finding=finding).asked_by == world.admin

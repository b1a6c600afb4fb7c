"""Pages of freezes, and of what services need: who may, what is said at its field, what the gate leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deployments import dependencies, freezes
from deployments.models import Environment, Freeze, FreezeOverride
from tests.deployments import build, pages
from tests.deployments.test_freezes import frozen, wall
from tests.reviews.build import finding
from tests.signing_in import ROLES, Counted, SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

CALENDAR, NEW = "/deployments/calendar/", "/deployments/freezes/new/MC/"


def sent(**changed: str) -> dict[str, str]:
    return {
        "environment": "",
        "begins": "",
        "ends": f"{wall(days=1):%Y-%m-%dT%H:%M}",
        "time_zone": "UTC",
        "reason": "The fair.",
        **changed,
    }


def test_only_owners_plan_and_lift(world: World, sign_in: SignIn) -> None:
    freeze = frozen(world.mc)
    lift = f"{freeze.get_absolute_url()}lift/"
    for role in ROLES[:-1]:
        browser = sign_in(getattr(world, role))
        assert {browser.get(NEW).status_code, browser.post(NEW).status_code, browser.post(lift).status_code} == {403}
    page = browser.get(freeze.get_absolute_url()).content.decode()
    assert "Lifting it takes the role owner." in page and "Plan a freeze" not in browser.get(CALENDAR).content.decode()
    outsider = sign_in(world.outsider)
    assert outsider.get(NEW).status_code == outsider.post(lift).status_code == 404
    assert "You belong to no project" in outsider.get(CALENDAR).content.decode()


def test_an_owner_plans_one_and_lifts_it_with_a_reason(world: World, sign_in: SignIn) -> None:
    place = build.environment(world.mc, "live")
    browser = sign_in(world.owner)
    assert f'<option value="{place.pk}" selected>live' in browser.get(f"{NEW}?environment={place.pk}").content.decode()
    answer = browser.post(NEW, sent(environment=str(place.pk), time_zone="Europe/Berlin", weekly="on"))
    freeze = Freeze.objects.get()
    assert answer["Location"] == freeze.get_absolute_url()
    assert (freeze.environment, freeze.time_zone, freeze.weekly, freeze.by) == (place, "Europe/Berlin", True, "Owner")
    assert "Frozen" in browser.get(place.get_absolute_url()).content.decode()
    page = browser.get(freeze.get_absolute_url()).content.decode()
    assert "Frozen now" in page and "each week, at the same times" in page
    lift = f"{freeze.get_absolute_url()}lift/"
    answer = browser.post(lift, {"expected_version": "1", "reason": ""})
    assert answer.status_code == 422 and "Why it is lifted is required." in answer.content.decode()
    assert browser.post(lift, {"expected_version": "1", "reason": "The fair is off."}).status_code == 302
    page = browser.get(freeze.get_absolute_url()).content.decode()
    assert "Lifted" in page and "The fair is off." in page and "lift-form" not in page
    answer = browser.post(lift, {"expected_version": "2", "reason": "Once more."})
    assert answer.status_code == 409 and "Once more." in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("ends", "", "Ends is required."),
        ("ends", "soon", "A day and a time without an offset, such as 2026-12-24 18:00."),
        ("ends", "2026-01-01T00:00", "It ends before it begins."),
        ("begins", "2026-01-01T00:00", "That is past: it is "),
        ("time_zone", "Europe/Berlim", "Do you mean Europe/Berlin?"),
        ("time_zone", "", "Time zone is required."),
        ("environment", "999999", "Choose an environment of the list."),
        ("reason", "", "Why nothing goes there is required."),
        ("reason", "x" * 501, "At most 500 characters (you sent 501)."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    world: World, sign_in: SignIn, field: str, value: str, sentence: str
) -> None:
    answer = sign_in(world.owner).post(NEW, {**sent(reason="Kept words."), field: value})
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page
    assert (field == "environment" or value in page) and (field == "reason" or "Kept words." in page)
    assert not Freeze.objects.exists()


def test_the_calendar_shows_what_is_frozen_now_and_in_the_weeks_to_come_and_what_is_over(
    world: World, sign_in: SignIn
) -> None:
    build.environment(world.mc, "live")
    staging = build.environment(world.mc, "staging")
    later = frozen(world.mc, staging, begins=wall(days=14), ends=wall(days=15), reason="The move.")
    over = frozen(world.mc, reason="The first.")
    freezes.lift(over, expected_version=1, reason="It was a mistake.")
    now = frozen(world.mc, Environment.objects.get(name="live"), time_zone="Asia/Tokyo", ends=wall(days=2))
    browser = sign_in(world.viewer)
    page = browser.get(CALENDAR).content.decode()
    for freeze in (later, over, now):
        assert freeze.get_absolute_url() in page
    assert "Frozen" in page and "It was a mistake." in page
    tokyo = f"{now.ends_at + timedelta(hours=9):%a %-d %b %Y %H:%M}"
    assert tokyo in page and "Asia/Tokyo" in page
    assert "No project of yours has this key." in browser.get(f"{CALENDAR}?project=NO").content.decode()


def test_the_calendar_takes_as_many_queries_for_many(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser, place = sign_in(world.viewer), build.environment(world.mc, "live")
    frozen(world.mc, place)
    few = counted(browser, CALENDAR)
    for n in range(4):
        frozen(world.mc, build.environment(world.mc, f"place-{n}"), weekly=True)
    assert counted(browser, CALENDAR) == few


# On the page of a deployment -------------------------------------------------------


def test_the_gate_leads_to_the_override_and_an_owner_overrides_there(world: World, sign_in: SignIn) -> None:
    freeze = frozen(world.mc)
    waits = pages.place(world.mc).ask(world.releaser)
    url = waits.get_absolute_url()
    page = sign_in(world.releaser).get(url).content.decode()
    assert "is frozen until" in page and f"{url}#freezes" in page
    assert "takes the role owner, and another person than who asked" in page and "override-form" not in page
    browser, form = sign_in(world.owner), {"freeze": str(freeze.pk), "plan_digest": waits.plan_digest}
    assert "override-form" in browser.get(url).content.decode()
    answer = browser.post(f"{url}override/", {**form, "reason": ""})
    assert answer.status_code == 422 and "Why it cannot wait is required." in answer.content.decode()
    answer = browser.post(f"{url}override/", {**form, "plan_digest": "0", "reason": "Burning."})
    assert answer.status_code == 409 and "Burning." in answer.content.decode() and not FreezeOverride.objects.exists()
    assert browser.post(f"{url}override/", {**form, "reason": "Burning."}).status_code == 302
    page = browser.get(url).content.decode()
    assert "overrode" in page and "Burning." in page and pages.again(waits).state == "queued"
    answer = browser.post(f"{url}override/", {**form, "reason": "Again."})
    assert answer.status_code == 409 and "It is queued: no freeze keeps it." in answer.content.decode()
    assert sign_in(world.releaser).post(f"{url}override/", form).status_code == 403


def test_a_deployment_that_is_held_under_way_says_what_holds_and_what_can_be_done(
    world: World, sign_in: SignIn
) -> None:
    moving = pages.walked(pages.place(world.mc).ask(world.releaser), steps=1)
    running = pages.begun(moving)
    found = finding(world.mc)
    pages.ended(running)
    browser, url = sign_in(world.releaser), moving.get_absolute_url()
    page = browser.get(url).content.decode()
    assert "Held before " in page and "Nothing of this step has begun." in page
    assert found.title in page and f"/evidence/{found.pk}/" in page and ">Go on</button>" in page
    assert 'value="skip"' not in page
    held = moving.interruptions.get()
    answer = browser.post(f"{url}interruptions/{held.pk}/", {"choice": "retry", "reason": ""})
    assert answer.status_code == 409 and "The gate is still closed" in answer.content.decode()


# What a service needs --------------------------------------------------------------


def test_an_owner_says_what_a_service_needs(world: World, sign_in: SignIn) -> None:
    web, _ = build.service(world.mc, "web"), build.service(world.mc, "database")
    url = f"{web.get_absolute_url()}needs/"
    assert sign_in(world.releaser).get(url).status_code == 403
    browser = sign_in(world.owner)
    answer = browser.post(url, {"expected_version": "1", "needs": "database 3, nobody"})
    page = answer.content.decode()
    assert answer.status_code == 422 and "MC has no service nobody." in page and 'value="database 3, nobody"' in page
    assert browser.post(url, {"expected_version": "1", "needs": "database 3"}).status_code == 302
    assert dependencies.of(web) == {"database": 3}
    assert "database-3 or later has to stand" in browser.get(web.get_absolute_url()).content.decode()
    answer = browser.post(url, {"expected_version": "1", "needs": ""})
    assert answer.status_code == 409 and "database 3" in answer.content.decode()
    assert dependencies.of(web) == {"database": 3}

"""What stands where; pages of environments, services and releases; and what holds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from deployments import holds, interruptions, steering
from deployments.models import Hold, HoldState, Placement
from tests import factories
from tests.deployments import build, pages
from tests.reviews.build import finding
from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build as tickets

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

MATRIX = "/deployments/environments/"


def cells(page: str, service: str) -> list[str]:
    """What the row of ``service`` shows, cell by cell, without markup."""
    row = re.search(rf">{service}</a></th>(.*?)</tr>", page, re.S)
    assert row, service
    labels = re.sub(r'aria-label="([^"]+)"[^>]*>', r">\1 ", row[1])
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", labels, re.S)]


# The matrix -----------------------------------------------------------------------


def test_the_matrix_tells_what_stands_and_how_sure_that_is(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc, "web", "live")
    build.environment(world.mc, "test", place=1)
    place.put(world.releaser)
    browser = sign_in(world.viewer)
    shown = cells(browser.get(MATRIX).content.decode(), "web")
    assert shown[0].startswith("Verified live web-1 verified") and shown[1] == "not deployed here"
    Placement.objects.update(verified_at=None)
    assert cells(browser.get(MATRIX).content.decode(), "web")[0].startswith("Deployed web-1")


def test_the_matrix_tells_what_is_on_its_way_waits_and_needs_a_person(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc, "web", "live", approvals_needed=1)
    browser = sign_in(world.viewer)
    waits = place.ask(world.releaser)
    assert cells(browser.get(MATRIX).content.decode(), "web") == ["nothing yet Waiting at the gate web-1"]
    place.environment.approvals_needed = 0
    place.environment.save()
    other = place.ask(world.owner)
    pages.interrupted(other)
    (shown,) = cells(browser.get(f"{MATRIX}fragment/").content.decode(), "web")
    assert "Needs a person web-1" in shown and pages.again(waits).state == "cancelled"
    asks = interruptions.open_of(pages.again(other))
    assert asks is not None
    interruptions.answer(asks, "fail", by=world.releaser, reason="The address is wrong.")
    assert cells(browser.get(MATRIX).content.decode(), "web")[0].startswith("Not known not known failed")


def test_the_matrix_tells_what_was_rolled_back_and_what_is_held(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc, "web", "live")
    place.put(world.releaser)
    gone = pages.walked(place.ask(world.releaser))
    steering.roll_back(gone, expected_version=gone.version, reason="It leaks.")
    pages.walked(gone)
    holds.hold_environment(place.environment, reason="The audit.")
    page = sign_in(world.viewer).get(MATRIX).content.decode()
    assert cells(page, "web")[0].startswith("Rolled back web-1 rolled back")
    assert re.search(r"live</a>.{0,200}Held", page, re.S)


def test_the_matrix_is_of_own_projects(world: World, sign_in: SignIn) -> None:
    for project, name in ((factories.project("LAN"), "theirs"), (world.mc, "ours")):
        build.service(project, name)
        build.environment(project)
    page = sign_in(world.viewer).get(MATRIX).content.decode()
    assert "ours" in page and "theirs" not in page
    both = sign_in(world.admin)
    assert "theirs" in both.get(MATRIX).content.decode()
    assert "theirs" not in both.get(f"{MATRIX}?project=MC").content.decode()
    assert "Nothing is deployed there" in both.get(f"{MATRIX}?project=ZZ").content.decode()
    assert "You belong to no project" in sign_in(world.outsider).get(MATRIX).content.decode()


def test_the_matrix_is_bounded_and_says_so(world: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    from deployments import matrix

    monkeypatch.setattr(matrix, "SERVICES_SHOWN", 2)
    monkeypatch.setattr(matrix, "ENVIRONMENTS_SHOWN", 1)
    monkeypatch.setattr(matrix, "PROJECTS_SHOWN", 2)
    for n in range(3):
        build.service(world.mc, f"web-{n}")
        build.environment(world.mc, f"live-{n}")
    lan = factories.project("LAN")
    build.service(lan, "theirs")
    build.environment(lan)
    browser = sign_in(world.admin)
    page = browser.get(MATRIX).content.decode()
    # The many of one project leave room for the few of another.
    assert "web-1" in page and "web-2" not in page and "live-1" not in page and "theirs" in page
    assert "Cut at 2 services and 1 environments; the project has more." in page
    factories.project("ZZ")
    assert "Cut at 2 projects; 1 more is left out." in browser.get(MATRIX).content.decode()


# Pages of places -------------------------------------------------------------------


def test_places_are_for_the_members_of_their_project(world: World, sign_in: SignIn) -> None:
    done = pages.place(world.mc).put(world.releaser)
    for thing in (done.service, done.environment, done.release):
        for role in (*ROLES, "admin"):
            assert sign_in(getattr(world, role)).get(thing.get_absolute_url()).status_code == 200, (thing, role)
        assert sign_in(world.outsider).get(thing.get_absolute_url()).status_code == 404


@pytest.mark.parametrize("number", [2**63, "-1", "1e3", "١٢", "0", "999999"])
def test_what_is_no_place_is_not_there(world: World, sign_in: SignIn, number: Any) -> None:
    browser = sign_in(world.admin)
    for part in ("services", "environments", "releases"):
        assert browser.get(f"/deployments/{part}/{number}/").status_code == 404
    assert browser.post(f"/deployments/holds/{number}/lift/").status_code == 404


def test_an_environment_tells_its_settings_and_variables(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc, approvals_needed=2, on_failure="roll_back", variables={"PORT": "8001", "B": "<b>"})
    page = sign_in(world.viewer).get(place.environment.get_absolute_url()).content.decode()
    assert "2, not by who asked" in page and "rolls back by itself" in page and "at most 72 hours" in page
    assert "<code>8001</code>" in page and "<code>&lt;b&gt;</code>" in page
    assert "Settings</a>" not in page and "Holding and lifting take the role releaser." in page


def test_a_release_tells_what_it_holds_and_what_was_open(world: World, sign_in: SignIn) -> None:
    open_then = finding(world.mc, severity="high")
    ticket = tickets.ticket(world.mc, "done", title="Oil the hinge")
    work = tickets.turn(ticket, head_commit="b" * 40)
    merge = tickets.merge(ticket, work, "merged")
    fixed = finding(world.mc, "fixed", severity="high")
    fixed.evidence.create(edge="commit", ref=merge.merged_commit, strength="measured", by="Shiproom")
    done = pages.place(world.mc).ask(world.releaser, merges=frozenset({merge.pk}))
    assert done.release is not None
    page = sign_in(world.viewer).get(done.release.get_absolute_url()).content.decode()
    assert ticket.key in page and "Oil the hinge" in page and fixed.title in page and open_then.title in page
    assert "1 finding" in page and "./manage.py\nmigrate" in page


def test_a_service_lists_its_releases_in_pages(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "LIST_PAGE_ROWS": 5}
    service = build.service(world.mc, "web")
    made = [build.release(service) for _ in range(6)]
    holds.hold_release(made[5], reason="It leaks.")
    browser = sign_in(world.viewer)
    page = browser.get(service.get_absolute_url()).content.decode()
    assert "web-6" in page and "web-1<" not in page and "Held" in page
    older = re.search(r'href="(\?before=\d+)"', page)
    assert older and "web-1<" in browser.get(service.get_absolute_url() + older[1]).content.decode()
    assert browser.get(f"{service.get_absolute_url()}?before=x").status_code == 400


# Holds -----------------------------------------------------------------------------


@pytest.mark.parametrize("held", ["release", "environment"])
def test_a_hold_is_placed_and_lifted_with_a_reason(world: World, sign_in: SignIn, held: str) -> None:
    done = pages.place(world.mc).put(world.releaser)
    url = getattr(done, held).get_absolute_url()
    browser = sign_in(world.releaser)
    answer = browser.post(f"{url}hold/", {"reason": ""})
    assert answer.status_code == 422 and "Why it is held is required." in answer.content.decode()
    assert browser.post(f"{url}hold/", {"reason": "It leaks."})["Location"] == url
    hold = Hold.objects.get()
    assert "It leaks." in browser.get(url).content.decode()
    lift = f"/deployments/holds/{hold.pk}/lift/"
    for sent, status in (
        ({"expected_version": hold.version, "reason": " "}, 422),
        ({"expected_version": hold.version + 1, "reason": "Mended."}, 409),
    ):
        answer = browser.post(lift, sent)
        assert answer.status_code == status and sent["reason"] in answer.content.decode()
    assert browser.post(lift, {"expected_version": hold.version, "reason": "Mended."})["Location"] == url
    hold.refresh_from_db()
    assert hold.state == HoldState.LIFTED and "Mended." in browser.get(url).content.decode()
    # Another tab still shows the form.
    answer = browser.post(lift, {"expected_version": hold.version, "reason": "Mended, I <said>."})
    assert answer.status_code == 409 and "Mended, I &lt;said&gt;." in answer.content.decode()


def test_only_releasers_hold_and_lift(world: World, sign_in: SignIn) -> None:
    done = pages.place(world.mc).put(world.releaser)
    hold = holds.hold_release(done.release, reason="It leaks.")
    addresses = [f"{thing.get_absolute_url()}hold/" for thing in (done.release, done.environment)]
    for url in (*addresses, f"/deployments/holds/{hold.pk}/lift/"):
        for role in ("viewer", "operator", "reviewer"):
            assert sign_in(getattr(world, role)).post(url, {"reason": "No."}).status_code == 403
        assert sign_in(world.outsider).post(url, {"reason": "No."}).status_code == 404
    assert Hold.objects.count() == 1


# What pages cost --------------------------------------------------------------------


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.owner)
    place = pages.place(world.mc, "web", "live")
    done = place.put(world.releaser)

    def costs(size: int) -> list[int]:
        for _ in range(size):
            other = build.deployment(world.mc, "succeeded", release=build.release(build.service(world.mc)))
            Placement.objects.create(
                service=other.service, environment=place.environment, release=other.release,
                deployment=other, since="2026-11-28T05:00:00Z",
            )  # fmt: skip
            build.deployment(world.mc, "running", service=other.service, environment=other.environment)
            build.release(place.service)
            holds.hold_environment(other.environment, reason="x")
            holds.hold_release(other.release, reason="x")
            build.add_step(place.service, "restart", "Again", command=["true"])
        things = (place.service, place.environment, done.release)
        urls = [MATRIX, *(thing.get_absolute_url() for thing in things), "/deployments/policies/MC/", "/projects/MC/"]
        return [counted(browser, url) for url in urls]

    few = costs(2)
    assert costs(15) == few

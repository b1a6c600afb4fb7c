"""Pages of projects, and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portal.core.access import Role
from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build
from tickets.models import Membership, Project

if TYPE_CHECKING:
    from tests.factories import World

URL = "/projects/MC/"


def seen(project: Project) -> dict[str, str]:
    return {"seen_title": project.name, "seen_repository": project.repository}


def test_a_project_is_for_its_members(world: World, sign_in: SignIn) -> None:
    for url in (URL, f"{URL}fragment/"):
        for role in (*ROLES, "admin"):
            assert sign_in(getattr(world, role)).get(url).status_code == 200
        assert sign_in(world.outsider).get(url).status_code == 404
    assert "Mission control" in sign_in(world.viewer).get("/projects/").content.decode()
    assert "Mission control" not in sign_in(world.outsider).get("/projects/").content.decode()


@pytest.mark.parametrize("post", ["settings/", "members/", "members/leave/"])
def test_only_owners_change_a_project(world: World, sign_in: SignIn, post: str) -> None:
    for role in ROLES[:-1]:
        assert sign_in(getattr(world, role)).post(f"{URL}{post}").status_code == 403
    assert sign_in(world.outsider).post(f"{URL}{post}").status_code == 404
    assert sign_in(world.owner).post(f"{URL}{post}").status_code == 422


def test_whoever_makes_a_project_owns_it(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.outsider)
    sent = {"key": "LAN", "title": "Lantern", "repository": ""}
    first, second = browser.post("/projects/new/", sent), browser.post("/projects/new/", sent)
    assert first["Location"] == second["Location"] == "/projects/LAN/"
    assert Membership.objects.get(project__key="LAN").user == world.outsider
    assert "settings-form" in browser.get("/projects/LAN/").content.decode()


@pytest.mark.parametrize("key", ["", "M", "mc", "1A", "A-B", "ABCDEFGHIJK", "É1", "A\u0661"])
def test_a_key_has_one_form(world: World, sign_in: SignIn, key: str) -> None:
    answer = sign_in(world.owner).post("/projects/new/", {"key": key, "title": "Kept name"})
    assert answer.status_code == 422 and "Kept name" in answer.content.decode()
    assert Project.objects.count() == 1


def test_a_key_is_taken_once(world: World, sign_in: SignIn) -> None:
    answer = sign_in(world.outsider).post("/projects/new/", {"key": "MC", "title": "Mine"})
    assert answer.status_code == 422 and "The key MC is taken." in answer.content.decode()


def test_settings_are_saved_under_what_was_seen(world: World, sign_in: SignIn) -> None:
    browser, stale = sign_in(world.owner), seen(world.mc)
    assert browser.post(f"{URL}settings/", {"title": "MC 2", "repository": "/srv/a", **stale})["Location"] == URL
    world.mc.refresh_from_db()
    assert (world.mc.name, world.mc.repository) == ("MC 2", "/srv/a")
    answer = browser.post(f"{URL}settings/", {"title": "MC 3", "repository": "/srv/typed", **stale})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "its name is now “MC 2”" in page and 'value="/srv/typed"' in page
    world.mc.refresh_from_db()
    assert world.mc.name == "MC 2"


def test_members_come_change_and_go(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    for role in (Role.VIEWER, Role.OPERATOR):
        browser.post(f"{URL}members/", {"email": "OUTSIDER@example.org", "role": role.value})
        assert Membership.objects.get(user=world.outsider).role == role
    browser.post(f"{URL}members/leave/", {"user": world.outsider.pk})
    assert not Membership.objects.filter(user=world.outsider).exists()


@pytest.mark.parametrize(
    ("email", "role"),
    [("nobody@example.org", "10"), ("no address", "10"), ("outsider@example.org", "15"), ("outsider@example.org", "x")],
)
def test_a_member_has_an_account_and_a_role(world: World, sign_in: SignIn, email: str, role: str) -> None:
    answer = sign_in(world.owner).post(f"{URL}members/", {"email": email, "role": role})
    assert answer.status_code == 422 and email in answer.content.decode()
    assert Membership.objects.count() == len(ROLES)


def test_the_last_owner_stays(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    for url, sent in (
        ("members/leave/", {"user": world.owner.pk}),
        ("members/", {"email": world.owner.email, "role": "10"}),
    ):
        answer = browser.post(f"{URL}{url}", sent)
        assert answer.status_code == 409 and "is the last owner of MC" in answer.content.decode()
    assert Membership.objects.get(user=world.owner).role == Role.OWNER


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    from tests import factories

    browser = sign_in(world.owner)

    def fill(number: int) -> None:
        for _ in range(number):
            build.ticket(world.mc)
            n = Membership.objects.count()
            factories.member(world.mc, factories.person(f"p{n}@example.org"), Role.VIEWER)
            factories.member(factories.project(f"P{n}"), world.owner, Role.VIEWER)

    fill(3)
    costs = [counted(browser, url) for url in ("/projects/", URL)]
    fill(30)
    assert [counted(browser, url) for url in ("/projects/", URL)] == costs

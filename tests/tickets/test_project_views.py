"""Pages of projects, and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.test import Client

from portal.core.access import Role
from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build
from tickets.models import Membership, Project

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

URL = "/projects/MC/"


def test_a_project_is_for_its_members(world: World, sign_in: SignIn) -> None:
    for url in (URL, f"{URL}fragment/"):
        for role in (*ROLES, "admin"):
            assert sign_in(getattr(world, role)).get(url).status_code == 200
        assert sign_in(world.outsider).get(url).status_code == 404
    assert "Mission control" in sign_in(world.viewer).get("/projects/").content.decode()
    assert "Mission control" not in sign_in(world.outsider).get("/projects/").content.decode()


@pytest.mark.parametrize("post", ["settings/", "policy/", "members/", "members/leave/"])
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


class TestSettings:
    """Two forms under one version: nothing typed is lost, nothing stored is overwritten unseen."""

    SETTINGS: ClassVar = {"title": "Mission control", "repository": ""}
    POLICY: ClassVar = {
        "target_branch": "main",
        "merge_strategy": "rebase",
        "landing": "branch",
        "checks": "make test\npytest -k 'a or b'",
        "allowed_paths": "src/\ndocs/",
        "second_agent": "on",
    }

    def save(self, browser: Client, form: str, version: int, **typed: str) -> Any:
        sent = {"settings": self.SETTINGS, "policy": self.POLICY}[form] | {"expected_version": str(version)} | typed
        return browser.post(f"{URL}{form}/", {name: value for name, value in sent.items() if value is not None})

    def stored(self) -> Project:
        return Project.objects.get(key="MC")

    def test_what_was_typed_is_stored_and_comes_back_the_same(self, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.owner)
        assert self.save(browser, "policy", 1)["Location"] == URL
        stored = self.stored()
        assert stored.checks == [["make", "test"], ["pytest", "-k", "a or b"]]
        assert stored.allowed_paths == ["src/", "docs/"]
        assert (stored.target_branch, stored.merge_strategy, stored.landing) == ("main", "rebase", "branch")
        assert (stored.second_agent, stored.default_answers, stored.version) == (True, False, 2)
        form = browser.get(URL).context["forms"]["policy"]
        assert {name: form[name].value() for name in ("checks", "allowed_paths")} == {
            "checks": self.POLICY["checks"],
            "allowed_paths": self.POLICY["allowed_paths"],
        }
        assert form.seen == "2"

    def test_the_two_panels_are_forms_of_their_own(self, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.owner)
        self.save(browser, "policy", 1)
        assert self.save(browser, "settings", 2, title="MC 2", repository="/srv/a")["Location"] == URL
        stored = self.stored()
        assert (stored.name, stored.repository, stored.target_branch, stored.version) == ("MC 2", "/srv/a", "main", 3)

    def test_a_form_of_an_older_version_is_shown_beside_what_is_there_now(self, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.owner)
        self.save(browser, "policy", 1)
        answer = self.save(browser, "policy", 1, checks="make lint", second_agent="", target_branch="main")
        form = answer.context["forms"]["policy"]
        assert answer.status_code == 409
        assert [tuple(now) for now in form.now] == [
            ("Checks", "make test\npytest -k 'a or b'"),
            ("Another agent reviews first", "yes"),
        ]
        assert form["checks"].value() == "make lint"
        page = answer.content.decode()
        assert "Project MC has changed since you opened it (version 1, now 2)" in page
        assert "Save mine in its place" in page
        assert self.stored().checks[0] == ["make", "test"]
        # It speaks of what it shows now: sent again, it is a decision.
        assert self.save(browser, "policy", int(form.seen), checks="make lint")["Location"] == URL
        assert self.stored().checks == [["make", "lint"]]

    def test_a_name_that_came_too_late_is_kept_in_its_field(self, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.owner)
        self.save(browser, "settings", 1, title="Theirs")
        answer = self.save(browser, "settings", 1, title="Mine", repository="/srv/typed")
        page = answer.content.decode()
        assert answer.status_code == 409
        assert 'value="Mine"' in page and 'value="/srv/typed"' in page
        assert [tuple(now) for now in answer.context["forms"]["settings"].now] == [
            ("Name", "Theirs"),
            ("Repository", ""),
        ]
        assert self.stored().name == "Theirs"

    def test_a_form_that_is_unfit_stays_of_the_version_that_its_sender_saw(self, world: World, sign_in: SignIn) -> None:
        browser = sign_in(world.owner)
        self.save(browser, "settings", 1, title="Theirs")
        answer = self.save(browser, "policy", 1, checks="echo 'a")
        assert (answer.status_code, answer.context["forms"]["policy"].seen) == (422, "1")

    @pytest.mark.parametrize(
        ("form", "field", "typed", "said"),
        [
            ("policy", "checks", "make test\necho 'a", "Line 2: a quote is opened and not closed."),
            ("policy", "checks", "x\n" * 11, "At most 10 commands (you sent 11)."),
            ("policy", "checks", "x" * 1001, "Line 1: a command has at most 1,000 characters, and this one 1,001."),
            ("policy", "allowed_paths", "src/\n/etc/", "Line 2: "),
            ("policy", "target_branch", "a..b", "A branch&#x27;s name has no two dots in a row"),
            ("policy", "merge_strategy", "squash", "Choose one of the list."),
            ("policy", "landing", "force", "Choose one of the list."),
            ("settings", "repository", "https://me:hunter2@example.org/x", "settings are no place for secrets"),
            ("settings", "repository", "ext::sh -c id", "runs a program of its own"),
            ("settings", "repository", "--upload-pack=id", "does not begin with a hyphen"),
            ("settings", "title", "", "Name is required."),
        ],
    )
    def test_what_cannot_be_is_told_where_it_was_typed_and_nothing_is_changed(
        self, world: World, sign_in: SignIn, form: str, field: str, typed: str, said: str
    ) -> None:
        answer = self.save(sign_in(world.owner), form, 1, **{field: typed})
        shown = answer.context["forms"][form]
        assert answer.status_code == 422
        assert said in str(shown[field].errors)
        assert shown[field].value() == typed
        assert self.stored().version == 1

    @pytest.mark.parametrize("version", ["", "x", "-1", "2147483648"])
    def test_a_form_without_the_version_that_it_shows_changes_nothing(
        self, world: World, sign_in: SignIn, version: str
    ) -> None:
        answer = sign_in(world.owner).post(f"{URL}policy/", self.POLICY | {"expected_version": version})
        assert answer.status_code == 422 and "damaged on its way" in answer.content.decode()
        assert self.stored().version == 1

    def test_a_new_project_takes_no_secret_either(self, world: World, sign_in: SignIn) -> None:
        sent = {"key": "LAN", "title": "Lantern", "repository": "https://me:hunter2@example.org/x"}
        answer = sign_in(world.outsider).post("/projects/new/", sent)
        assert answer.status_code == 422 and "no place for secrets" in answer.content.decode()
        assert not Project.objects.filter(key="LAN").exists()

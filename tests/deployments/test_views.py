"""Pages of deployments, services and environments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from deployments.models import Deployment, DeploymentState, Environment, Service
from tests import factories
from tests.deployments import build
from tests.reviews.build import applied, finding
from tests.signing_in import ROLES, Counted, SignIn

if TYPE_CHECKING:
    from tests.factories import World


# Who may --------------------------------------------------------------------------


@pytest.mark.parametrize("state", DeploymentState.values)
def test_a_deployment_is_for_the_members_of_its_project(world: World, sign_in: SignIn, state: str) -> None:
    deployment = build.deployment(world.mc, state)
    build.step(deployment, output="it ran\n")
    for page in ("", "fragment/", "steps/1/output/", "steps/1/output.txt"):
        url = f"/deployments/{deployment.pk}/{page}"
        for role in (*ROLES, "admin"):
            assert sign_in(getattr(world, role)).get(url).status_code == 200, (page, role)
        assert sign_in(world.outsider).get(url).status_code == 404


def test_asking_again_takes_a_releaser(world: World, sign_in: SignIn) -> None:
    deployment = build.deployment(world.mc)
    url = f"{deployment.get_absolute_url()}again/"
    for role in ("viewer", "operator", "reviewer"):
        assert sign_in(getattr(world, role)).post(url).status_code == 403
    assert sign_in(world.outsider).post(url).status_code == 404
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("number", [2**63, "-1", "1e3", "١٢", "0"])
def test_what_is_no_id_is_not_there(world: World, sign_in: SignIn, number: Any) -> None:
    for page in ("", "steps/1/output/"):
        assert sign_in(world.admin).get(f"/deployments/{number}/{page}").status_code == 404


def test_the_list_is_of_own_projects(world: World, sign_in: SignIn) -> None:
    build.deployment(world.mc, service=build.service(world.mc, "web"))
    assert "web to" in sign_in(world.viewer).get("/deployments/").content.decode()
    assert "You belong to no project" in sign_in(world.outsider).get("/deployments/").content.decode()


# Asking the gate ------------------------------------------------------------------


def test_a_request_goes_once_however_often_it_is_sent(world: World, sign_in: SignIn) -> None:
    service, environment = build.service(world.mc), build.environment(world.mc)
    browser = sign_in(world.releaser)
    sent = {"service": service.pk, "environment": environment.pk, "commit": "ABCDEF1"}
    first, second = browser.post("/deployments/new/", sent), browser.post("/deployments/new/", sent)
    made = Deployment.objects.get()
    assert first["Location"] == second["Location"] == made.get_absolute_url()
    assert (made.state, made.commit) == ("queued", "abcdef1")
    answer = browser.post("/deployments/new/", {**sent, "commit": "1234567"})
    page = answer.content.decode()
    assert answer.status_code == 409 and "is on its way already" in page and 'value="1234567"' in page


def test_a_closed_gate_says_what_holds_and_what_lifts(world: World, sign_in: SignIn) -> None:
    review = applied(world.mc)
    browser = sign_in(world.releaser)
    sent = {"service": build.service(world.mc).pk, "environment": build.environment(world.mc).pk}
    url = browser.post("/deployments/new/", sent)["Location"]
    page = browser.get(url).content.decode()
    assert "DP-1 is open (critical): Outbox drain deletes rows it never sent" in page
    assert "make it a ticket, or answer it" in page and f"/reviews/{review.pk}/#finding-" in page
    assert "Ask again" in page and "Ask again" not in sign_in(world.viewer).get(url).content.decode().partition(
        "History"
    )[0].replace("Ask again once", "")


def test_asking_again_is_a_new_request(world: World, sign_in: SignIn) -> None:
    old = build.deployment(world.mc, "refused")
    browser = sign_in(world.releaser)
    Deployment.objects.update(requested_at="2026-01-01T00:00:00Z")
    answer = browser.post(f"{old.get_absolute_url()}again/")
    new = Deployment.objects.latest("pk")
    assert answer["Location"] == new.get_absolute_url() != old.get_absolute_url()
    assert (new.state, new.service, new.environment) == ("queued", old.service, old.environment)
    assert f"Deployment {new.pk}" in browser.get(old.get_absolute_url()).content.decode()


def test_asking_while_one_is_on_its_way_is_refused_where_the_button_was(world: World, sign_in: SignIn) -> None:
    old = build.deployment(world.mc, "refused")
    build.deployment(world.mc, "running", service=old.service, environment=old.environment)
    Deployment.objects.update(requested_at="2026-01-01T00:00:00Z")
    answer = sign_in(world.releaser).post(f"{old.get_absolute_url()}again/")
    assert answer.status_code == 409 and "is on its way already" in answer.content.decode()
    assert Deployment.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("commit", "xyz", "7 to 64 hexadecimal digits"),
        ("commit", "a" * 65, "At most 64 characters (you sent 65)."),
        ("service", "", "Choose a service."),
        ("service", 2**63, "Choose a service of the list."),
        ("environment", "foreign", "Choose an environment of the list."),
    ],
)
def test_a_bad_request_says_why(world: World, sign_in: SignIn, field: str, value: Any, sentence: str) -> None:
    foreign = build.environment(factories.project("LAN"))
    sent = {"service": build.service(world.mc).pk, "environment": build.environment(world.mc).pk, "commit": ""}
    sent[field] = foreign.pk if value == "foreign" else value
    answer = sign_in(world.releaser).post("/deployments/new/", sent)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not Deployment.objects.exists()


def test_two_places_of_two_projects_are_no_request(world: World, sign_in: SignIn) -> None:
    foreign = build.environment(factories.project("LAN"))
    answer = sign_in(world.admin).post(
        "/deployments/new/", {"service": build.service(world.mc).pk, "environment": foreign.pk}
    )
    assert answer.status_code == 422 and "Choose two of one project." in answer.content.decode()


def test_a_reviewer_deploys_nothing(world: World, sign_in: SignIn) -> None:
    sent = {"service": build.service(world.mc).pk, "environment": build.environment(world.mc).pk}
    browser = sign_in(world.reviewer)
    assert "There is nothing that you may deploy" in browser.get("/deployments/new/").content.decode()
    assert browser.post("/deployments/new/", sent).status_code == 422
    assert not Deployment.objects.exists()


def test_a_running_step_is_followed_live(world: World, sign_in: SignIn) -> None:
    deployment = build.deployment(world.mc, "running")
    step = build.step(deployment, "running", output="<i>copying\n")
    page = sign_in(world.viewer).get(deployment.get_absolute_url()).content.decode()
    assert re.search(rf'data-live="output:{step.attempt_id}" data-live-cursor="[^":]+:11" data-live-output', page)
    assert "&lt;i&gt;copying" in page


# Services and environments ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["services", "environments"])
def test_only_owners_make_places(world: World, sign_in: SignIn, kind: str) -> None:
    url = f"/deployments/{kind}/new/?project=MC"
    for role in ROLES[:-1]:
        browser = sign_in(getattr(world, role))
        assert (browser.get(url).status_code, browser.post(url).status_code) == (403, 403)
    assert sign_in(world.outsider).get(url).status_code == 404
    owner = sign_in(world.owner)
    assert owner.get(url).status_code == 200
    for project in ("", "?project=LAN", "?project=mc", "?project=%00"):
        assert owner.get(f"/deployments/{kind}/new/{project}").status_code in {400, 404}


def test_an_owner_makes_a_service_and_an_environment(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    sent = {"title": "web", "command": "./deploy\r\nweb"}
    assert browser.post("/deployments/services/new/?project=MC", sent)["Location"] == "/projects/MC/"
    assert browser.post("/deployments/environments/new/?project=MC", {"title": "eu"})["Location"] == "/projects/MC/"
    assert (Service.objects.get().command, Environment.objects.get().name) == (["./deploy", "web"], "eu")
    answer = browser.post("/deployments/services/new/?project=MC", sent)
    assert answer.status_code == 422 and "MC has a service of this name already." in answer.content.decode()
    page = browser.get("/projects/MC/").content.decode()
    assert "./deploy web" in page and "eu" in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"title": "two words", "command": "x"}, "Letters, digits, - and _ only."),
        ({"title": "wéb", "command": "x"}, "Letters, digits, - and _ only."),
        ({"title": "x" * 61, "command": "x"}, "At most 60 characters (you sent 61)."),
        ({"title": "web", "command": " \n "}, "Command is required."),
        ({"title": "web", "command": '["a", 2]'}, "Argument 2 is 2; every argument is text in quotes."),
    ],
)
def test_a_bad_service_says_why_and_keeps_what_was_typed(
    world: World, sign_in: SignIn, sent: dict[str, str], sentence: str
) -> None:
    answer = sign_in(world.owner).post("/deployments/services/new/?project=MC", sent)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert sent["title"] in answer.content.decode()
    assert not Service.objects.exists()


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.owner)

    def costs(size: int) -> list[int]:
        for _ in range(size):
            finding(world.mc)
            build.step(build.deployment(world.mc, "succeeded"), output="x\n")
        sent = {"service": build.service(world.mc).pk, "environment": build.environment(world.mc).pk}
        held = browser.post("/deployments/new/", sent)["Location"]
        return [counted(browser, url) for url in ("/deployments/", held, "/projects/MC/", "/deployments/new/")]

    few = costs(3)
    assert costs(30) == few
    # session, user, roles, the numbers of the navigation, and three of its own
    assert few[0] <= 7

"""Pages on which owners make and change services, environments and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deployments import places
from deployments.intake import StepSpec
from deployments.models import Environment, PipelineStep, Policy, Service
from tests.deployments import build, pages
from tests.signing_in import ROLES, SignIn
from tests.walking.objects import ENVIRONMENT, SERVICE

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

NEW_SERVICE, NEW_ENVIRONMENT = "/deployments/services/new/?project=MC", "/deployments/environments/new/?project=MC"


def step(n: int, kind: str, name: str, **fields: str) -> dict[str, str]:
    """What a row of the form sends."""
    fields = {"wall_seconds": "0", **fields} if kind != "manual" else fields
    sent = {"kind": kind, "step": name, **fields}
    return {f"step-{n}-{field}": value for field, value in sent.items()}


def stored(service: Service) -> list[tuple[str, str]]:
    return list(PipelineStep.objects.filter(service=service).order_by("n").values_list("kind", "name"))


# Who may --------------------------------------------------------------------------


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


def test_only_owners_change_places_and_policies(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    urls = [
        f"{place.service.get_absolute_url()}pipeline/",
        f"{place.environment.get_absolute_url()}edit/",
        "/deployments/policies/MC/set/",
    ]
    for url in urls:
        assert sign_in(world.releaser).post(url, {}).status_code == 403
        assert sign_in(world.outsider).post(url, {}).status_code == 404
    assert "Setting a policy takes the role owner." in (
        sign_in(world.releaser).get("/deployments/policies/MC/").content.decode()
    )


# Services ---------------------------------------------------------------------------


def test_an_owner_makes_a_service_with_its_first_step(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    assert ">\n./deploy</textarea>" in browser.get(NEW_SERVICE).content.decode()
    sent = {"title": "web", **step(0, "command", "Deploy", command="./deploy\r\nweb", again="on")}
    answer = browser.post(NEW_SERVICE, sent)
    service = Service.objects.get()
    made = service.pipeline.get()
    assert answer["Location"] == service.get_absolute_url()
    assert (made.command, made.again, made.kind) == (["./deploy", "web"], True, "command")
    answer = browser.post(NEW_SERVICE, sent)
    assert answer.status_code == 422 and "MC has a service of this name already." in answer.content.decode()
    page = browser.get("/projects/MC/").content.decode()
    assert service.get_absolute_url() in page and "1 step" in page


def test_steps_are_added_moved_and_removed_without_a_script_and_keep_what_was_typed(
    world: World, sign_in: SignIn
) -> None:
    browser = sign_in(world.owner)
    sent = {"title": "two words", **step(0, "command", "Deploy", command='["a"', wall_seconds="soon")}
    page = browser.post(NEW_SERVICE, {**sent, "do": "add", "new-kind": "health"}).content.decode()
    assert 'value="two words"' in page and ">\n[&quot;a&quot;</textarea>" in page and 'value="soon"' in page
    assert 'name="step-1-kind" value="health"' in page and "Letters, digits" in page
    # Nothing is refused that is not sent to be kept.
    assert 'aria-invalid="true"' not in page and not Service.objects.exists()
    sent |= step(1, "health", "Ask it", url="nonsense")
    page = browser.post(NEW_SERVICE, {**sent, "do": "up-1"}).content.decode()
    assert 'name="step-0-url" value="nonsense"' in page and 'name="step-1-kind" value="command"' in page
    page = browser.post(NEW_SERVICE, {**sent, "do": "remove-0"}).content.decode()
    assert 'name="step-0-kind" value="health"' in page and "step-1-kind" not in page
    page = browser.post(NEW_SERVICE, {**step(0, "manual", "x"), "do": "remove-0"}).content.decode()
    assert "a pipeline has at least one" in page


@pytest.mark.parametrize("wish", ["up-0", "down-1", "remove-9", "remove-", "up--1", "add", "explode", "down-٣"])
def test_a_wish_that_cannot_be_leaves_the_rows_as_they_are(world: World, sign_in: SignIn, wish: str) -> None:
    sent = {**step(0, "command", "A", command="a"), **step(1, "command", "B", command="b"), "new-kind": "explode"}
    answer = sign_in(world.owner).post(NEW_SERVICE, {**sent, "title": "web", "do": wish})
    page = answer.content.decode()
    assert answer.status_code == 200 and page.index('value="A"') < page.index('value="B"')


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (step(0, "command", "Go", command=""), "Command is required."),
        (step(0, "command", "Go", command='["a", 2]'), "Argument 2 is 2; every argument is text in quotes."),
        (step(0, "command", "", command="a"), "Name is required."),
        (step(0, "command", "x" * 61, command="a"), "At most 60 characters (you sent 61)."),
        (step(0, "command", "Go", command="a", wall_seconds="86401"), "A whole number from 0 to 86,400."),
        (step(0, "health", "Ask", url="ftp://x"), "An address begins with http:// or https://"),
        (step(0, "health", "Ask", url="http://me:secret@x"), "No name and no password in an address"),
        (step(0, "manual", "Do", instructions=" "), "What a person is to do is required."),
        (step(0, "explode", "Go"), "A pipeline has at least one step."),
        ({}, "A pipeline has at least one step."),
    ],
)
def test_a_bad_step_is_said_at_its_field_and_keeps_what_was_typed(
    world: World, sign_in: SignIn, sent: dict[str, str], sentence: str
) -> None:
    answer = sign_in(world.owner).post(NEW_SERVICE, {"title": "web", **sent})
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page and 'value="web"' in page
    assert not Service.objects.exists()


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("two words", "Letters, digits, - and _ only."),
        ("wéb", "Letters, digits, - and _ only."),
        ("x" * 61, "At most 60 characters (you sent 61)."),
        ("", "Name is required."),
    ],
)
def test_a_bad_name_says_why(world: World, sign_in: SignIn, title: str, sentence: str) -> None:
    browser = sign_in(world.owner)
    for url, sent in ((NEW_SERVICE, SERVICE), (NEW_ENVIRONMENT, ENVIRONMENT)):
        answer = browser.post(url, {**sent, "title": title})
        assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not Service.objects.exists() and not Environment.objects.exists()


def test_a_pipeline_is_changed_under_its_version(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    url = f"{place.service.get_absolute_url()}pipeline/"
    browser = sign_in(world.owner)
    page = browser.get(url).content.decode()
    assert page.count('-kind" value="') == 4 and 'name="expected_version" value="1"' in page
    sent = {
        **step(0, "migrate", "Migrate", command="./migrate", undo="./back"),
        **step(1, "manual", "Look", instructions="Look at the graphs."),
        "expected_version": "1",
    }
    assert browser.post(url, sent)["Location"] == place.service.get_absolute_url()
    assert stored(place.service) == [("migrate", "Migrate"), ("manual", "Look")]
    answer = browser.post(url, {**sent, "step-1-instructions": "Mine <b>."})
    page = answer.content.decode()
    # What was typed stays, what is there now is shown, and to send it again is a decision.
    assert answer.status_code == 409 and "has changed since you opened it" in page
    assert "Mine &lt;b&gt;.</textarea>" in page and "Look at the graphs." in page
    assert 'name="expected_version" value="2"' in page and "Save mine in its place" in page
    assert browser.post(url, {**sent, "step-1-instructions": "Mine.", "expected_version": "2"}).status_code == 302
    for version in ("", "x", "٢", "9" * 40):
        assert browser.post(url, {**sent, "expected_version": version}).status_code == 422


def test_a_pipeline_ends_at_its_bound(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "PIPELINE_STEPS": 2}
    browser = sign_in(world.owner)
    sent = {"title": "web", **step(0, "command", "A", command="a"), **step(1, "command", "B", command="b")}
    page = browser.post(NEW_SERVICE, {**sent, "do": "add", "new-kind": "command"}).content.decode()
    assert "A pipeline has at most 2 steps." in page and "step-2-kind" not in page
    answer = browser.post(NEW_SERVICE, {**sent, **step(2, "command", "C", command="c")})
    assert answer.status_code == 422 and "A pipeline has at most 2 steps; these are 3." in answer.content.decode()
    assert browser.post(NEW_SERVICE, sent).status_code == 302


def test_what_was_stored_comes_back_as_it_was(world: World, sign_in: SignIn) -> None:
    odd = [["./run", "two\nlines"], ["[", "x"], ["a", " b "], ["./run", "--all"]]
    steps = [StepSpec("command", f"S{n}", command=command) for n, command in enumerate(odd)]
    service = places.add_service(world.mc, name="web", steps=steps)
    browser = sign_in(world.owner)
    url = f"{service.get_absolute_url()}pipeline/"
    from tests.bad_inputs.forms import of_page

    (form,) = [found for found in of_page(url, browser.get(url)) if found.action == url]
    sent = {name: values[-1] for name, values in form.sent(do="save").items()}
    assert browser.post(url, sent).status_code == 302
    assert [one.command for one in service.pipeline.order_by("n")] == odd


# Environments -----------------------------------------------------------------------


def test_an_owner_makes_and_changes_an_environment(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    sent = {**ENVIRONMENT, "title": "eu", "approvals_needed": "2", "variables": "PORT=8001\r\n\r\nHOST = a=b "}
    answer = browser.post(NEW_ENVIRONMENT, sent)
    made = Environment.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    assert (made.approvals_needed, made.variables) == (2, {"PORT": "8001", "HOST": "a=b"})
    assert browser.post(NEW_ENVIRONMENT, sent).status_code == 422
    edit = f"{made.get_absolute_url()}edit/"
    assert "HOST=a=b\nPORT=8001</textarea>" in browser.get(edit).content.decode()
    sent = {**ENVIRONMENT, "expected_version": "1", "on_failure": "roll_back"}
    assert browser.post(edit, sent).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.on_failure, made.approvals_needed, made.variables) == ("eu", "roll_back", 0, {})
    answer = browser.post(edit, {**sent, "approvals_needed": "3", "variables": "A=1"})
    page = answer.content.decode()
    assert answer.status_code == 409 and "has changed since you opened it" in page
    assert ">\nA=1</textarea>" in page and "Approvals needed, now" in page and 'value="2"' in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("approvals_needed", "21", "A whole number from 0 to 20."),
        ("approvals_needed", "", "A whole number from 0 to 20."),
        ("wait_hours", "0", "A whole number from 1 to 2,160."),
        ("wait_hours", "1e3", "A whole number from 1 to 2,160."),
        ("place", "-1", "A whole number from 0 to 999."),
        ("on_failure", "explode", "Choose one of the list."),
        ("variables", "PORT", "Line 1 has no =; write NAME=value."),
        ("variables", "A=1\nA=2", "Line 2: A is given twice."),
        ("variables", "PATH=/bin", "PATH is not for an environment to set."),
        ("variables", "\n".join(f"V{n}=1" for n in range(51)), "At most 50 variables; these are 51."),
    ],
)
def test_a_bad_setting_is_said_at_its_field_and_keeps_what_was_typed(
    world: World, sign_in: SignIn, field: str, value: str, sentence: str
) -> None:
    environment = build.environment(world.mc, "live")
    browser = sign_in(world.owner)
    for url in (NEW_ENVIRONMENT, f"{environment.get_absolute_url()}edit/"):
        answer = browser.post(url, {**ENVIRONMENT, "expected_version": "1", "variables": "KEPT=1", field: value})
        page = answer.content.decode()
        assert answer.status_code == 422 and sentence in page, url
        # A list shows its own choices alone; what else was typed is there still.
        assert field == "on_failure" or value in page
        assert field == "variables" or "KEPT=1" in page
    environment.refresh_from_db()
    assert (environment.version, Environment.objects.count()) == (1, 1)


# Policies ---------------------------------------------------------------------------


def test_an_owner_sets_another_policy_over_the_one_that_was_seen(world: World, sign_in: SignIn) -> None:
    browser, url = sign_in(world.owner), "/deployments/policies/MC/"
    assert "the installation’s own" in browser.get(url).content.decode()
    sent = {"expected_number": "0", "severities": ["critical", "high"], "valid_hours": "12"}
    assert browser.post(f"{url}set/", sent)["Location"] == url
    policy = Policy.objects.get()
    assert (policy.number, policy.severities, policy.valid_hours) == (1, ["critical", "high"], 12)
    assert "Policy 1 of mc is in force" in browser.get(url).content.decode().replace("MC", "mc")
    answer = browser.post(f"{url}set/", {**sent, "severities": ["low"], "valid_hours": "7"})
    page = answer.content.decode()
    assert answer.status_code == 409 and "has changed since you opened it" in page
    assert 'value="7"' in page and 'name="expected_number" value="1"' in page
    # The page shows what was chosen, not what is in force.
    assert page.index('value="low"') < page.index("checked", page.index('value="low"')) < page.index('value="info"')
    assert Policy.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"severities": "awful"}, "“awful” is no severity."),
        ({"severities": "none"}, "“none” is no severity."),
        ({"valid_hours": "0"}, "A whole number from 1 to 720."),
        ({"expected_number": "x"}, "The form was damaged on its way."),
    ],
)
def test_a_bad_policy_says_why(world: World, sign_in: SignIn, sent: dict[str, str], sentence: str) -> None:
    sent = {"expected_number": "0", "severities": "low", "valid_hours": "9", **sent}
    answer = sign_in(world.owner).post("/deployments/policies/MC/set/", sent)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not Policy.objects.exists()


def test_a_policy_without_severities_holds_for_nothing_and_says_so(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.owner)
    browser.post("/deployments/policies/MC/set/", {"expected_number": "0", "valid_hours": "9"})
    assert "No finding holds" in browser.get("/deployments/policies/MC/").content.decode()
    assert "No finding holds its deployments" in browser.get("/projects/MC/").content.decode()

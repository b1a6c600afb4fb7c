"""Pages of deployments: the list, asking for one, and what its page tells in each state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from deployments import holds, interruptions, steering
from deployments.models import Deployment, DeploymentState, Step
from tests import factories
from tests.deployments import build, pages
from tests.reviews.build import applied, finding, waive
from tests.signing_in import ROLES, Counted, SignIn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages


# Who may --------------------------------------------------------------------------


@pytest.mark.parametrize("state", DeploymentState.values)
def test_a_deployment_is_for_the_members_of_its_project(world: World, sign_in: SignIn, state: str) -> None:
    deployment = build.deployment(world.mc, state)
    build.step(deployment, output="it ran\n")
    for page in ("", "fragment/", "gate/", "steps/1/output/", "steps/1/output.txt"):
        url = f"/deployments/{deployment.pk}/{page}"
        # Every role at the page itself; its parts have the same rule.
        for role in (*ROLES, "admin") if not page else ("viewer",):
            assert sign_in(getattr(world, role)).get(url).status_code == 200, (page, role)
        assert sign_in(world.outsider).get(url).status_code == 404


@pytest.mark.parametrize("number", [2**63, "-1", "1e3", "١٢", "0"])
def test_what_is_no_id_is_not_there(world: World, sign_in: SignIn, number: Any) -> None:
    for page in ("", "gate/", "steps/1/output/", "attempts/1/output.txt"):
        assert sign_in(world.admin).get(f"/deployments/{number}/{page}").status_code == 404


# The list -------------------------------------------------------------------------


def test_the_list_is_of_own_projects(world: World, sign_in: SignIn) -> None:
    build.deployment(world.mc, service=build.service(world.mc, "web"))
    assert "web to" in sign_in(world.viewer).get("/deployments/").content.decode()
    assert "You belong to no project" in sign_in(world.outsider).get("/deployments/").content.decode()


def test_the_list_is_filtered_by_service_environment_and_state(world: World, sign_in: SignIn) -> None:
    shop, live = build.service(world.mc, "shop"), build.environment(world.mc, "live")
    build.deployment(world.mc, "running", service=shop, environment=live)
    build.deployment(world.mc, "preparing", service=build.service(world.mc, "cron"), environment=live)
    browser = sign_in(world.viewer)

    def shown(query: str) -> list[str]:
        page = browser.get(f"/deployments/?{query}").content.decode()
        return re.findall(r"MC · ([\w-]+) to", page)

    assert shown("environment=live") == ["cron", "shop"]
    assert shown("environment=live&service=shop") == shown("state=running") == ["shop"]
    assert shown("environment=elsewhere") == []
    page = browser.get("/deployments/?state=nonsense&service=" + "x" * 61).content.decode()
    assert "“nonsense” is no state. This filter was left out." in page
    assert "At most 60 characters (you sent 61). This filter was left out." in page


def test_the_list_is_filtered_by_who_asked_and_when_and_is_a_file_of_the_same(world: World, sign_in: SignIn) -> None:
    shop, live = build.service(world.mc, "shop"), build.environment(world.mc, "live")
    for day, who in (("2026-06-01", "Ann"), ("2026-06-02", "Bob"), ("2026-06-03", "=Ann()")):
        at = f"{day}T23:59:00Z"
        build.deployment(world.mc, service=shop, environment=live, requester=who, requested_at=at)
    build.deployment(factories.project("LAN"), requester="Ann")
    browser = sign_in(world.viewer)
    for query, days in (
        ("person=ann", ["2026-06-03", "2026-06-01"]),
        ("since=2026-06-02", ["2026-06-03", "2026-06-02"]),
        ("since=2026-06-02&until=2026-06-02", ["2026-06-02"]),
        ("since=2026-06-02&person=ann", ["2026-06-03"]),
    ):
        rows = browser.get(f"/deployments/?{query}").context["rows"]
        assert [f"{row.requested_at:%Y-%m-%d}" for row in rows] == days, query
        lines = browser.get(f"/deployments/deployments.csv?{query}").content.decode().splitlines()
        assert len(lines) == len(days) + 1 and all(day in line for day, line in zip(days, lines[1:], strict=True))
    assert '"\'=Ann()"' in browser.get("/deployments/deployments.csv").content.decode()
    page = browser.get("/deployments/?since=2026-06-02&until=2026-06-01&person=" + "x" * 201).content.decode()
    assert "The last day is before the first. This filter was left out." in page
    assert "At most 200 characters (you sent 201). This filter was left out." in page


def test_a_filter_offers_the_names_of_own_projects(world: World, sign_in: SignIn) -> None:
    build.service(world.mc, "shop")
    build.environment(world.mc, "live")
    build.service(factories.project("LAN"), "theirs")
    browser = sign_in(world.viewer)
    assert browser.get("/deployments/names/?of=service").content == b'<option value="shop"></option>\n'
    assert browser.get("/deployments/names/?of=environment").content == b'<option value="live"></option>\n'


# Asking ---------------------------------------------------------------------------


def test_a_request_goes_once_however_often_it_is_sent(world: World, sign_in: SignIn) -> None:
    service, environment = build.service(world.mc), build.environment(world.mc)
    browser = sign_in(world.releaser)
    sent = {"service": service.pk, "environment": environment.pk, "asked": "release/2026"}
    first, second = browser.post("/deployments/new/", sent), browser.post("/deployments/new/", sent)
    made = Deployment.objects.get()
    assert first["Location"] == second["Location"] == made.get_absolute_url()
    assert (made.state, made.asked, made.requested_by) == ("preparing", "release/2026", world.releaser)
    assert "The commit is looked up" in browser.get(made.get_absolute_url()).content.decode()


def test_asking_again_is_a_new_request_for_the_same_commit(world: World, sign_in: SignIn) -> None:
    old = build.deployment(world.mc, "refused", asked="main", commit="c" * 40)
    browser = sign_in(world.releaser)
    answer = browser.post(f"{old.get_absolute_url()}again/")
    new = Deployment.objects.latest("pk")
    assert answer["Location"] == new.get_absolute_url() != old.get_absolute_url()
    assert (new.state, new.asked, new.service, new.environment) == (
        "preparing", "c" * 40, old.service, old.environment,
    )  # fmt: skip
    assert f"Deployment {new.pk}" in browser.get(old.get_absolute_url()).content.decode()


def test_asking_for_a_service_without_steps_is_refused_where_it_was_asked(world: World, sign_in: SignIn) -> None:
    old = build.deployment(world.mc, "refused")
    old.service.pipeline.all().delete()
    browser = sign_in(world.releaser)
    sent = {"service": old.service.pk, "environment": old.environment.pk, "asked": "v1.4"}
    answer = browser.post("/deployments/new/", sent)
    assert answer.status_code == 409 and "has no steps yet" in answer.content.decode()
    assert 'value="v1.4"' in answer.content.decode()
    answer = browser.post(f"{old.get_absolute_url()}again/")
    assert answer.status_code == 409 and "has no steps yet" in answer.content.decode()
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("asked", "a b", "A branch&#x27;s name has no space"),
        ("asked", "--upload-pack=x", "begins with a hyphen"),
        ("asked", "main..old", "no two dots in a row"),
        ("asked", "a" * 201, "At most 200 characters (you sent 201)."),
        ("service", "", "Choose a service."),
        ("service", 2**63, "Choose a service of the list."),
        ("environment", "foreign", "Choose an environment of the list."),
    ],
)
def test_a_bad_request_says_why(world: World, sign_in: SignIn, field: str, value: Any, sentence: str) -> None:
    foreign = build.environment(factories.project("LAN"))
    sent = {"service": build.service(world.mc).pk, "environment": build.environment(world.mc).pk, "asked": ""}
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
    answer = sign_in(world.reviewer).post("/deployments/new/", sent)
    assert "There is nothing that you may deploy" in answer.content.decode()
    old = build.deployment(world.mc)
    assert sign_in(world.reviewer).post(f"{old.get_absolute_url()}again/").status_code == 403
    assert Deployment.objects.count() == 1


# What its page tells --------------------------------------------------------------


def page_of(browser: Any, deployment: Deployment) -> str:
    text: str = browser.get(deployment.get_absolute_url()).content.decode()
    return text


def test_a_closed_gate_says_what_holds_and_what_lifts(world: World, sign_in: SignIn) -> None:
    review = applied(world.mc)
    place = pages.place(world.mc, approvals_needed=2)
    waits = place.ask(world.releaser)
    holds.hold_environment(place.environment, reason="The audit ends on Friday.")
    page = page_of(sign_in(world.viewer), waits)
    assert "DP-1 is open (critical): Outbox drain deletes rows it never sent" in page
    assert "make it a ticket, or answer it" in page and f"/reviews/{review.pk}/#finding-" in page
    assert "2 approvals, not by who asked" in page and "0 of 2: nobody yet" in page and "#approvals" in page
    assert "production is held: The audit ends on Friday." in page
    assert place.environment.get_absolute_url() in page
    assert "Nothing else is on its way to production" in page
    assert "Evaluate again" not in page and "Evaluate again" in page_of(sign_in(world.releaser), waits)


def test_a_verdict_that_no_longer_is_what_would_be_said_is_stale(world: World, sign_in: SignIn) -> None:
    holds_it = finding(world.mc)
    waits = pages.place(world.mc).ask(world.releaser)
    browser = sign_in(world.viewer)
    assert "Stale" not in page_of(browser, waits)
    waive(holds_it)
    page = page_of(browser, waits)
    assert "Stale" in page and "No-go" in page and "Now it is Waived." in page


def test_what_ended_keeps_the_verdict_that_it_had(world: World, sign_in: SignIn) -> None:
    ended = pages.walked(pages.place(world.mc).ask(world.releaser))
    finding(world.mc)
    page = page_of(sign_in(world.viewer), ended)
    assert "a finding that is critical" in page and "Stale" not in page and "No-go" not in page


def test_the_page_tells_what_comes_and_what_brings_it_back(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    place.put(world.releaser)
    steering_at = place.ask(world.releaser)
    page = page_of(sign_in(world.viewer), steering_at)
    assert "Send first, delete by id and fence" in page and "7, the newest 2" in page
    assert "web-1" in page and "web-2" in page
    back = page.partition('id="if-it-fails"')[2]
    assert re.findall(r"<li>\d\. <bdi>([^<]+)</bdi>", back) == [
        "Undo: Migrate", "Build", "Restart, one by one", "Health",
    ]  # fmt: skip
    assert "A person decides where a step fails." in back and "It goes back to" in back


def test_what_cannot_be_undone_is_said_before_the_start(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    place.service.pipeline.filter(kind="migrate").update(undo=[])
    page = page_of(sign_in(world.viewer), place.ask(world.releaser))
    assert "Not undone: <bdi>Migrate</bdi>." in page
    assert "There is no way back: nothing stood there before" in page


def test_a_running_step_shows_its_output_and_earlier_attempts_are_kept(world: World, sign_in: SignIn) -> None:
    deployment = pages.place(world.mc).ask(world.releaser)
    first = pages.begun(deployment, "make: no rule\n")
    pages.ended(first, right=False, message="Exit code 2.", code=2)
    asks = interruptions.open_of(pages.again(deployment))
    assert asks is not None
    interruptions.answer(asks, "retry", by=world.releaser)
    pages.begun(deployment, "compiling\n")
    browser = sign_in(world.viewer)
    page = page_of(browser, deployment)
    earlier = f"/deployments/{deployment.pk}/attempts/{first.attempt_id}/output.txt"
    assert "compiling" in page and "make: no rule" not in page and earlier in page
    assert browser.get(earlier).content == b"make: no rule\n"
    # Nobody reads another deployment's, or a job's that is no step, by this address.
    other = build.deployment(world.mc)
    assert browser.get(f"/deployments/{other.pk}/attempts/{first.attempt_id}/output.txt").status_code == 404


def test_the_answers_of_a_service_are_told_and_bounded(world: World, sign_in: SignIn) -> None:
    deployment = pages.interrupted(pages.place(world.mc).ask(world.releaser))
    page = page_of(sign_in(world.viewer), deployment)
    table = page.partition('aria-label="Answers of step 4"')[2].partition("</table>")[0]
    assert re.findall(r'class="right id">(\d+)<', table) == ["1", "2", "15", "16", "17", "18", "19", "20"]
    assert "12 between them are left out" in table and "20 answers" in page


def test_a_rolled_back_deployment_shows_its_way_back(world: World, sign_in: SignIn) -> None:
    place = pages.place(world.mc)
    place.put(world.releaser)
    gone = pages.walked(place.ask(world.releaser))
    steering.roll_back(gone, expected_version=gone.version, reason="It leaks.")
    gone = pages.walked(gone)
    assert gone.state == "rolled_back"
    page = page_of(sign_in(world.viewer), gone)
    assert "The way back" in page and "It leaks." in page and "If it" not in page.partition("History")[0]
    assert page.count("Undo: Migrate") == 1


def test_text_of_people_is_shown_as_text(world: World, sign_in: SignIn) -> None:
    deployment = build.deployment(world.mc, "failed", asked="<b>main", why="<script>x</script>")
    build.step(deployment, "failed", name="<i>Go", command=["<u>"], message="<s>no", kind="command")
    page = page_of(sign_in(world.viewer), deployment)
    assert not re.search(r"<b>main|<script>x|<i>Go|<u>|<s>no", page)


# What pages cost --------------------------------------------------------------------


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.owner)
    place = pages.place(world.mc, approvals_needed=3)
    finding(world.mc)
    waits = place.ask(world.releaser)
    done = build.deployment(world.mc, "succeeded", release=build.release(place.service))

    def costs(size: int) -> list[int]:
        for _ in range(size):
            finding(world.mc)
            step = build.step(done, "succeeded", output="x\n", kind="health")
            step.health_checks.create(n=1, right=True, at="2026-11-28T05:00:00Z")
            build.deployment(world.mc, "failed")
        return [
            counted(browser, url)
            for url in ("/deployments/", waits.get_absolute_url(), done.get_absolute_url(), "/deployments/new/")
        ]

    few = costs(3)
    assert costs(30) == few
    assert Step.objects.filter(deployment=done).count() == 33
    # session, user, roles, the numbers of the navigation, and three of its own
    assert few[0] <= 7

"""Pages of tickets: who may open them, what happens by POST, bad input, what they cost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import build
from tickets.models import Ticket, TicketState

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

PAGES = ["", "fragment/", "rail/", "turns/1/output/", "turns/1/output.txt"]
POSTS = {"assign": "operator", "stop": "operator", "accept": "reviewer", "reopen": "reviewer"}


@pytest.fixture
def ticket(world: World) -> Ticket:
    made = build.ticket(world.mc)
    build.turn(made, output="it runs\n")
    return made


# Who may --------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_ticket_is_for_the_members_of_its_project(world: World, sign_in: SignIn, ticket: Ticket, page: str) -> None:
    url = f"/tickets/{ticket.key}/{page}"
    for role in (*ROLES, "admin"):
        assert sign_in(getattr(world, role)).get(url).status_code == 200, role
    assert sign_in(world.outsider).get(url).status_code == 404
    assert sign_in(None).get(url)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(("verb", "role"), POSTS.items())
def test_a_change_takes_its_role(world: World, sign_in: SignIn, ticket: Ticket, verb: str, role: str) -> None:
    url = f"/tickets/{ticket.key}/{verb}/"
    allowed = ROLES[ROLES.index(role) :]
    for name in ROLES:
        answer = sign_in(getattr(world, name)).post(url, {"expected_version": "1"})
        assert (answer.status_code == 403) == (name not in allowed), name
    assert sign_in(world.outsider).post(url).status_code == 404
    assert sign_in(world.owner).get(url).status_code == 405
    ticket.refresh_from_db()
    assert ticket.version == 1


def test_lists_show_only_the_projects_of_the_reader(world: World, sign_in: SignIn) -> None:
    from tests import factories

    other = factories.project("LAN", "Lantern")
    build.ticket(world.mc, title="Ours")
    build.ticket(other, title="Theirs")
    seen = {
        name: sign_in(getattr(world, name)).get("/tickets/").content.decode()
        for name in ("viewer", "admin", "outsider")
    }
    assert "Ours" in seen["viewer"] and "Theirs" not in seen["viewer"]
    assert "Ours" in seen["admin"] and "Theirs" in seen["admin"]
    assert "You belong to no project" in seen["outsider"]


@pytest.mark.parametrize("key", ["MC-0", "MC-01", "mc-1", "MC-99999999999", "MC-1%00", "MC", "MC-١٢", "..", "MC-1e3"])
def test_what_is_no_key_is_not_there(world: World, sign_in: SignIn, key: str) -> None:
    assert sign_in(world.admin).get(f"/tickets/{key}/").status_code == 404


def test_buttons_are_those_of_the_state_and_the_role(world: World, sign_in: SignIn) -> None:
    shown: dict[tuple[str, str], list[str]] = {}
    for state in ("open", "running", "in_review", "done"):
        ticket = build.ticket(world.mc, state)
        for who in ("viewer", "operator", "reviewer"):
            page = sign_in(getattr(world, who)).get(ticket.get_absolute_url()).content.decode()
            shown[state, who] = [verb for verb in POSTS if f'id="{verb}-form"' in page]
    assert shown == {
        ("open", "viewer"): [], ("open", "operator"): ["assign"], ("open", "reviewer"): ["assign"],
        ("running", "viewer"): [], ("running", "operator"): ["stop"], ("running", "reviewer"): ["stop"],
        ("in_review", "viewer"): [], ("in_review", "operator"): ["assign"],
        ("in_review", "reviewer"): ["assign", "accept"],
        ("done", "viewer"): [], ("done", "operator"): [], ("done", "reviewer"): ["reopen"],
    }  # fmt: skip


# A new ticket -----------------------------------------------------------------------


def test_a_ticket_is_opened_once_however_often_it_is_sent(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.operator)
    words = {"project": "MC", "title": "Mend it", "body": "All of it.\r\nSoon."}
    first, second = browser.post("/tickets/new/", words), browser.post("/tickets/new/", words)
    assert first["Location"] == second["Location"] == "/tickets/MC-1/"
    assert list(Ticket.objects.values_list("key", "title", "body")) == [("MC-1", "Mend it", "All of it.\nSoon.")]
    page = browser.get("/tickets/MC-1/").content.decode()
    assert "MC-1 is open." in page and "opened it" in page


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("  \u200b\u3164", "Title is required."),
        ("x" * 201, "At most 200 characters (you sent 201)."),
    ],
)
def test_a_bad_title_is_refused_and_everything_typed_is_kept(
    world: World, sign_in: SignIn, title: str, sentence: str
) -> None:
    answer = sign_in(world.operator).post("/tickets/new/", {"project": "MC", "title": title, "body": "Kept words"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page and "Kept words" in page
    assert 'aria-invalid="true"' in page and 'aria-describedby="ticket-title_error"' in page
    assert not Ticket.objects.exists()


def test_a_nul_goes_nowhere(world: World, sign_in: SignIn) -> None:
    assert sign_in(world.operator).post("/tickets/new/", {"project": "MC", "title": "a\x00b"}).status_code == 400
    assert not Ticket.objects.exists()


def test_fields_that_are_not_of_the_form_are_never_saved(world: World, sign_in: SignIn) -> None:
    extra = {"state": "done", "number": "7", "key": "MC-7", "accepted_commit": "a" * 40, "version": "9"}
    sign_in(world.operator).post("/tickets/new/", {"project": "MC", "title": "T", "body": "", **extra})
    made = Ticket.objects.get()
    assert (made.key, made.state, made.version, made.accepted_commit) == ("MC-1", "open", 1, "")


@pytest.mark.parametrize("project", ["NOPE", "", "1", "LAN"])
def test_a_project_that_is_not_offered_is_refused(world: World, sign_in: SignIn, project: str) -> None:
    from tests import factories

    factories.project("LAN", "Lantern")
    for who in (world.operator, world.viewer, world.outsider):
        answer = sign_in(who).post("/tickets/new/", {"project": project, "title": "T"})
        assert answer.status_code == 422
    assert not Ticket.objects.exists()


def test_a_viewer_opens_no_ticket(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.viewer)
    assert "You may not open tickets" in browser.get("/tickets/new/").content.decode()
    assert browser.post("/tickets/new/", {"project": "MC", "title": "T"}).status_code == 422
    assert not Ticket.objects.exists()


def test_text_of_people_is_isolated_and_never_markup(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, title="gpj.\u202eexe", body="<script>alert(1)</script>")
    for url in ("/tickets/", ticket.get_absolute_url()):
        page = sign_in(world.viewer).get(url).content.decode()
        assert "<bdi>gpj.[U+202E]exe</bdi>" in page
        assert "\u202e" not in page and "<script>alert" not in page


# What is done to a ticket ---------------------------------------------------------------


def test_a_ticket_goes_from_open_to_accepted_and_back(world: World, sign_in: SignIn) -> None:
    from tickets.transitions import TICKET
    from workers.models import Job

    build.repository(world.mc)
    agent, ticket = build.agent(), build.ticket(world.mc)
    url = ticket.get_absolute_url()
    answer = sign_in(world.operator).post(f"{url}assign/", {"agent": agent.pk, "expected_version": 1})
    assert answer["Location"] == url
    job = Job.objects.get(kind="turn")
    assert (job.subject, job.unique_key, job.audience, job.state) == (
        ticket.subject,
        ticket.subject,
        world.mc.scope,
        "queued",
    )

    ticket.refresh_from_db()
    TICKET.move(ticket, "begin")
    build.turn(ticket, head_commit=build.HEAD)
    TICKET.move(ticket, "submit")
    reviewer = sign_in(world.reviewer)
    assert reviewer.post(f"{url}accept/", {"reason": "Good.", "expected_version": ticket.version})["Location"] == url
    ticket.refresh_from_db()
    assert (ticket.state, ticket.accepted_commit) == ("merging", build.HEAD)
    assert Job.objects.get(kind="merge").subject == ticket.subject
    TICKET.move(ticket, "land", merged_commit="c" * 40)
    assert reviewer.post(f"{url}reopen/", {"reason": "Not yet.", "expected_version": ticket.version})["Location"] == url
    ticket.refresh_from_db()
    assert (ticket.state, ticket.accepted_commit) == ("open", "")


def test_a_queued_turn_stops_at_once(world: World, sign_in: SignIn) -> None:
    from tickets import work

    build.repository(world.mc)
    ticket = build.ticket(world.mc)
    work.assign(ticket, build.agent())
    sign_in(world.operator).post(f"{ticket.get_absolute_url()}stop/", {"reason": "Wrong ticket."})
    ticket.refresh_from_db()
    assert ticket.state == "open"


def test_a_second_click_changes_nothing_and_is_told_why(world: World, sign_in: SignIn) -> None:
    build.repository(world.mc)
    agent, ticket = build.agent(), build.ticket(world.mc)
    browser = sign_in(world.operator)
    sent = {"agent": agent.pk, "expected_version": 1}
    browser.post(f"{ticket.get_absolute_url()}assign/", sent)
    answer = browser.post(f"{ticket.get_absolute_url()}assign/", sent)
    assert answer.status_code == 409
    assert "has changed since you opened it (version 1, now 2)" in answer.content.decode()
    ticket.refresh_from_db()
    assert (ticket.state, ticket.version) == ("queued", 2)


def test_a_refusal_stands_where_the_button_was_and_keeps_what_was_typed(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, "in_review")
    Ticket.objects.filter(pk=ticket.pk).update(version=4, title="Moved on")
    sent = {"reason": "Long words that I typed", "expected_version": 1}
    answer = sign_in(world.reviewer).post(f"{ticket.get_absolute_url()}accept/", sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    rail = page[page.index('id="accept-form"') :]
    assert "version 1, now 4" in rail and "Long words that I typed" in rail
    # The version to send next is the one that the page shows now.
    assert 'name="expected_version" value="4"' in rail and "Moved on" in page


def test_unproven_work_is_accepted_with_a_reason_alone(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, "unproven")
    url = f"{ticket.get_absolute_url()}accept/"
    browser = sign_in(world.reviewer)
    answer = browser.post(url, {"reason": " ", "expected_version": 1})
    assert answer.status_code == 409 and "Say why you accept it" in answer.content.decode()
    assert browser.post(url, {"reason": "Seen by hand.", "expected_version": 1}).status_code == 302


def test_what_cannot_be_assigned_says_why(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc)
    off, bare, good = build.agent("off", enabled=False), build.agent("bare", profile=False), build.agent("good")
    browser, url = sign_in(world.operator), f"{ticket.get_absolute_url()}assign/"
    for agent in (off.pk, bare.pk, "", "x", 2**63):
        assert browser.post(url, {"agent": agent, "expected_version": 1}).status_code == 422
    answer = browser.post(url, {"agent": good.pk, "expected_version": 1})
    assert answer.status_code == 409 and "names no repository" in answer.content.decode()
    ticket.refresh_from_db()
    assert (ticket.state, ticket.version) == ("open", 1)


def test_a_reason_over_its_limit_is_named_and_kept(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, "done")
    answer = sign_in(world.reviewer).post(
        f"{ticket.get_absolute_url()}reopen/", {"reason": "y" * 2001, "expected_version": 1}
    )
    assert answer.status_code == 422
    assert (
        "At most 2,000 characters (you sent 2,001)." in answer.content.decode()
        and "y" * 2001 in answer.content.decode()
    )


# Turns ------------------------------------------------------------------------------------


def test_a_claim_stands_beside_what_the_portal_saw(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, "unproven")
    build.turn(ticket, seq=1, payload="All tests pass", head_commit=build.BASE, exit_code=0, output="said\n")
    browser = sign_in(world.viewer)
    page = browser.get(ticket.get_absolute_url()).content.decode()
    assert "All tests pass" in page and "no new commit" in page and "Unproven" in page
    build.turn(ticket, seq=2, payload="Now", head_commit=build.HEAD, exit_code=0)
    page = browser.get(ticket.get_absolute_url()).content.decode()
    assert "aaaaaaaaa..bbbbbbbbb" in page


def test_output_is_text_that_goes_on_live_while_the_turn_runs(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc, "running")
    turn = build.turn(ticket, "running", output="<b>10 %</b>\n")
    page = sign_in(world.viewer).get(ticket.get_absolute_url()).content.decode()
    assert "&lt;b&gt;10 %&lt;/b&gt;" in page
    assert re.search(rf'data-live="output:{turn.attempt_id}" data-live-cursor="[^":]+:12" data-live-output', page)


def test_the_whole_output_is_a_file_and_no_page(world: World, sign_in: SignIn) -> None:
    ticket = build.ticket(world.mc)
    build.turn(ticket, output="<script>x</script>\n")
    answer = sign_in(world.viewer).get(f"{ticket.get_absolute_url()}turns/1/output.txt")
    assert answer.content == b"<script>x</script>\n"
    assert answer["Content-Type"].startswith("text/plain") and answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"


# What it costs --------------------------------------------------------------------------------


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.viewer)

    def fill(number: int) -> Ticket:
        for _ in range(number):
            ticket = build.ticket(world.mc, "failed")
            for seq in range(1, 4):
                build.turn(ticket, seq=seq, output="x\n")
        return ticket

    few = fill(3)
    costs = [counted(browser, "/tickets/"), counted(browser, few.get_absolute_url())]
    many = fill(30)
    for seq in range(4, 34):
        build.turn(many, seq=seq, output="x\n")
    assert [counted(browser, "/tickets/"), counted(browser, many.get_absolute_url())] == costs
    # session, user, roles, the numbers of the navigation, and three of its own
    assert costs[0] <= 7


def test_every_state_has_its_page(world: World, sign_in: SignIn) -> None:
    for state in TicketState.values:
        assert sign_in(world.owner).get(build.ticket(world.mc, state).get_absolute_url()).status_code == 200

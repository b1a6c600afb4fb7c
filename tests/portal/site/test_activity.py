"""The history across projects: what its reader may see, filtered, paged, each line with what it is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from portal.core import cause
from portal.core.cause import Actor
from portal.core.models import Activity, User
from portal.core.unit import unit_of_work
from portal.site import chronicle
from tests import factories
from tickets import work

if TYPE_CHECKING:
    from tests.factories import World
    from tickets.models import Ticket

pytestmark = pytest.mark.django_db
SignIn = Callable[["User | None"], Client]
WANTED = {"q": "", "project": "", "actor": "", "kind": "", "since": "", "until": ""}


def opened(world: World, title: str = "Oil the door") -> Ticket:
    with cause.acting(Actor("user", str(world.operator.pk), "Operator")):
        return work.create_ticket(world.mc, title=title, reason="It squeaks.")


def wrote(verb: str, subject: str, scope: str = "", actor: Actor = cause.NOBODY, **said: Any) -> None:
    with cause.acting(actor), unit_of_work() as unit:
        unit.record(verb, subject, scope=scope, **said)


def verbs(reader: User, **wanted: str) -> list[str]:
    return [row.verb for row in chronicle.page(reader, WANTED | wanted, None).rows]


class TestReaders:
    def test_a_member_sees_their_projects_and_an_admin_all(self, world: World) -> None:
        theirs = factories.project("XX", "Another")
        wrote("a.mine", "ticket:MC-1", world.mc.scope)
        wrote("a.theirs", "ticket:XX-1", theirs.scope)
        wrote("a.installation", "user:1")
        assert verbs(world.viewer) == ["a.mine"]
        assert verbs(world.outsider) == []
        assert verbs(world.admin) == ["a.installation", "a.theirs", "a.mine"]
        assert verbs(world.viewer, project="XX") == verbs(world.viewer, q="theirs") == []

    def test_what_was_written_before_scopes_were_kept_is_for_admins(self, world: World) -> None:
        row = Activity(actor_kind="user", actor_label="x", verb="a.old", subject="ticket:MC-1", request_id="r")
        row.save()
        assert row.scope is None
        assert (verbs(world.viewer), verbs(world.admin)) == ([], ["a.old"])

    def test_who_belongs_to_nothing_is_told_so(self, world: World, sign_in: SignIn) -> None:
        assert "You belong to no project" in sign_in(world.outsider).get("/activity/").content.decode()


class TestLines:
    def test_a_line_says_who_did_what_to_what_and_why(self, world: World, sign_in: SignIn) -> None:
        ticket = opened(world)
        page = sign_in(world.viewer).get("/activity/").content.decode()
        text = " ".join(re.sub(r"<[^>]+>", " ", page.partition('class="items"')[2]).split())
        assert f"{ticket.key} : Operator opened it" in text and "It squeaks." in text
        assert f'<a href="/tickets/{ticket.key}/">{ticket.key}</a>' in page

    @pytest.mark.parametrize(
        ("subject", "name", "url"),
        [
            ("ticket:MC-1", "MC-1", "/tickets/MC-1/"),
            ("turn:MC-1/2", "MC-1, turn 2", "/tickets/MC-1/#turn-2"),
            ("message:MC-1/3", "MC-1 #3", "/tickets/MC-1/#m3"),
            ("question:MC-1/3", "MC-1, question of turn 3", "/tickets/MC-1/"),
            ("merge:MC-1/7", "MC-1, merge", "/tickets/MC-1/"),
            ("review:5", "Review 5", "/reviews/5/"),
            ("deployment:5", "Deployment 5", "/deployments/5/"),
            ("job:5", "Job 5", "/workers/jobs/5/"),
            ("finding:5", "Finding 5", ""),
            ("secret:deploy-key", "Secret deploy-key", ""),
            ("review:x", "Review x", ""),
            ("job:" + "9" * 40, "Job " + "9" * 40, ""),
            ("project:999", "Project 999", ""),
            ("ticket:", "", ""),
            ("nonsense", "Nonsense", ""),
        ],
    )
    def test_each_kind_leads_to_its_page(self, world: World, subject: str, name: str, url: str) -> None:
        wrote("a.b", subject, world.mc.scope)
        (entry,) = chronicle.recent(world.viewer)
        assert (entry.subject, entry.url) == (name, url)

    def test_a_project_has_its_key(self, world: World, sign_in: SignIn) -> None:
        wrote("project.changed", world.mc.scope)
        (entry,) = chronicle.recent(world.viewer)
        assert (entry.subject, entry.url) == ("Project MC", "/projects/MC/")
        assert '<a href="/projects/MC/">Project MC</a>' in sign_in(world.viewer).get("/activity/").content.decode()

    def test_text_is_shown_as_text(self, world: World, sign_in: SignIn) -> None:
        wrote("<q>.<q>", "<q>:<q>", world.mc.scope, Actor("user", "1", "<u>"), reason="<script>alert(1)</script>")
        for url in ("/activity/", "/"):
            page = sign_in(world.viewer).get(url).content.decode()
            assert "<script>alert" not in page and "<u>" not in page and "<q>" not in page


class TestFilters:
    def fill(self, world: World) -> None:
        ada, clock = Actor("user", "1", "Ada Byron"), Actor("clock", "", "schedule nightly")
        wrote("ticket.created", "ticket:MC-1", world.mc.scope, ada)
        wrote("review.plan", "review:4", world.mc.scope, clock)
        wrote("ticket.leave_unproven", "ticket:MC-2", world.mc.scope, Actor("agent", "1", "mender"))

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"kind": "ticket"}, ["ticket.leave_unproven", "ticket.created"]),
            ({"kind": "review"}, ["review.plan"]),
            ({"actor": "byron"}, ["ticket.created"]),
            ({"actor": "shiproom"}, ["review.plan"]),
            ({"actor": "nightly"}, []),
            ({"q": "opened"}, ["ticket.created"]),
            ({"q": "left unproven"}, ["ticket.leave_unproven"]),
            ({"q": "leave_unproven"}, ["ticket.leave_unproven"]),
            ({"q": "mc-1"}, ["ticket.created"]),
            ({"q": "%"}, []),
            ({"since": "2020-01-01"}, ["ticket.leave_unproven", "review.plan", "ticket.created"]),
            ({"until": "2020-01-01"}, []),
            ({"since": "9000-12-31"}, []),
        ],
        ids=str,
    )
    def test_each_lets_through_what_it_says(self, world: World, wanted: dict[str, str], found: list[str]) -> None:
        self.fill(world)
        assert verbs(world.viewer, **wanted) == found

    def test_the_last_day_is_a_whole_one(self, world: World) -> None:
        self.fill(world)
        today = Activity.objects.latest("id").at.date().isoformat()
        assert len(verbs(world.viewer, since=today, until=today)) == 3

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("since=yesterday", "From is a day such as 2026-11-28, not “yesterday”."),
            ("since=2026-02-30", "From is a day such as"),
            ("until=9999-12-31", "To lies between the years"),
            ("since=0001-01-01", "From lies between the years"),
            ("since=2026-02-02&until=2026-02-01", "The last day is before the first."),
            ("kind=nonsense", "is no kind of thing."),
            ("q=" + "x" * 300, "At most 200 characters"),
            ("actor=a&actor=b", "is given twice."),
            ("since=%D9%A1", "From is a day such as"),
        ],
    )
    def test_what_cannot_be_read_is_left_out_and_said(
        self, world: World, sign_in: SignIn, query: str, said: str
    ) -> None:
        self.fill(world)
        answer = sign_in(world.viewer).get(f"/activity/?{query}")
        assert answer.status_code == 200 and len(answer.context["entries"]) == 3
        assert said in answer.content.decode()

    def test_a_page_that_no_list_said_is_not_understood(self, world: World, sign_in: SignIn) -> None:
        assert sign_in(world.viewer).get("/activity/?before=x").status_code == 400

    def test_nothing_that_fits_says_so(self, world: World, sign_in: SignIn) -> None:
        self.fill(world)
        assert "Nothing of this kind happened" in sign_in(world.viewer).get("/activity/?q=nothing").content.decode()


def test_pages_have_no_gap_and_no_repeat_and_keep_the_filter(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "LIST_PAGE_ROWS": 5}
    for n in range(12):
        wrote("ticket.created", f"ticket:MC-{n}", world.mc.scope)
        wrote("review.plan", f"review:{n}", world.mc.scope)
    client, seen, address = sign_in(world.viewer), list[str](), "/activity/?kind=ticket"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r">(MC-\d+)</a>", page)
        older = re.search(r'href="(/activity/\?[^"]+)">Older', page)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"MC-{n}" for n in reversed(range(12))]


def test_it_costs_the_same_however_much_happened(world: World, sign_in: SignIn, django_assert_num_queries: Any) -> None:
    client = sign_in(world.viewer)
    for count in (1, 40):
        for n in range(count):
            wrote("project.changed", world.mc.scope)
            wrote("ticket.created", f"ticket:MC-{n}", world.mc.scope)
        client.get("/activity/")
        # Session, user, roles, projects, their streams, the lines, the frame.
        with django_assert_num_queries(7):
            client.get("/activity/")

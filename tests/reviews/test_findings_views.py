"""Tickets made of findings on the pages, and the list of findings with its file."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.access import Role
from reviews.models import Finding
from tests import factories
from tests.reviews import build
from tests.signing_in import Counted, SignIn
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

# On the page of a review ----------------------------------------------------------------


def test_selected_findings_become_tickets_once(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    first, second, third = Finding.objects.order_by("pk")
    browser, url = sign_in(world.operator), f"{review.get_absolute_url()}tickets/"
    for _ in range(2):
        assert browser.post(url, {"finding": [first.pk, third.pk]}).status_code == 302
    assert Ticket.objects.count() == 2
    browser.post(url, {"all": "1"})
    assert Ticket.objects.count() == 3
    second.refresh_from_db()
    assert second.ticket is not None
    assert second.reference in browser.get(second.ticket.get_absolute_url()).content.decode()


@pytest.mark.parametrize("chosen", [[], ["x"], [2**63], [-1], ["foreign"]])
def test_only_findings_of_the_review_become_tickets(world: World, sign_in: SignIn, chosen: list[Any]) -> None:
    review, foreign = build.applied(world.mc), build.finding(world.mc)
    sent = [foreign.pk if value == "foreign" else value for value in chosen]
    answer = sign_in(world.operator).post(f"{review.get_absolute_url()}tickets/", {"finding": sent})
    assert answer.status_code == 422
    assert not Ticket.objects.exists()


def test_chosen_findings_become_one_ticket_with_a_title(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    first, second, _ = Finding.objects.order_by("pk")
    browser, url = sign_in(world.operator), f"{review.get_absolute_url()}tickets/"
    for _ in range(2):
        sent = {"finding": [first.pk, second.pk], "together": "Mend the outbox"}
        assert browser.post(url, sent).status_code == 302
    ticket = Ticket.objects.get()
    assert ticket.title == "Mend the outbox"
    assert set(Finding.objects.filter(ticket=ticket)) == {first, second}
    assert (
        "Nothing new: each of these findings has its ticket." in browser.get(review.get_absolute_url()).content.decode()
    )


def test_a_refused_choice_stays_chosen(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    first, second, third = Finding.objects.order_by("pk")
    url = f"{review.get_absolute_url()}tickets/"
    sent = {"finding": [first.pk, third.pk], "together": "x" * 201}
    answer = sign_in(world.operator).post(url, sent)
    page = answer.content.decode()
    assert answer.status_code == 422 and "At most 200 characters (you sent 201)." in page and "x" * 201 in page
    for finding, ticked in ((first, True), (second, False), (third, True)):
        assert (f'value="{finding.pk}" form="make-tickets" checked' in page) is ticked
    assert not Ticket.objects.exists()


def test_no_more_tickets_at_once_than_the_limit(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"MAKE_TICKETS_ROWS": 2}
    review = build.applied(world.mc)
    browser, url = sign_in(world.operator), f"{review.get_absolute_url()}tickets/"
    answer = browser.post(url, {"finding": list(Finding.objects.values_list("pk", flat=True))})
    assert answer.status_code == 422 and "At most 2 findings at once (you chose 3)." in answer.content.decode()
    browser.post(url, {"all": "1"})
    assert Ticket.objects.count() == 2
    assert "1 more finding without a ticket: make them next." in browser.get(review.get_absolute_url()).content.decode()


# The list -----------------------------------------------------------------------------------


def listed(page: str) -> str:
    return page[page.index("<tbody>") : page.index("</tbody>")] if "<tbody>" in page else ""


def test_the_list_shows_findings_of_own_projects_alone(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    hidden = factories.project("ZZ", "Hidden")
    Finding.objects.filter(pk=build.finding(hidden).pk).update(title="Somebody else’s")
    files = [f"/findings/export.{ending}" for ending in ("csv", "json", "sarif", "md")]
    for page in ("/findings/", "/findings/fragment/", *files):
        text = sign_in(world.viewer).get(page).getvalue().decode()
        assert "Outbox drain" in text and "Somebody else’s" not in text
        text = sign_in(world.outsider).get(page).getvalue().decode()
        assert "Outbox drain" not in text
    assert "You belong to no project" in sign_in(world.outsider).get("/findings/").content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("severity=critical", {"DP-1"}),
        ("q=jitter", {"DP-3"}),
        ("q=dp-2", {"DP-2"}),
        ("q=tmpl/load.py", {"DP-2"}),
        ("q=outbox+rows", {"DP-1"}),
        ("q=%25%25", set()),
        ("state=waived", {"DP-3"}),
        ("state=open", {"DP-1", "DP-2"}),
        ("ticket=with", {"DP-1"}),
        ("ticket=without", {"DP-2", "DP-3"}),
        ("project=MC&series=Delivery+path", {"DP-1", "DP-2", "DP-3"}),
        ("series=Another", set()),
        ("project=ZZ", set()),
        ("review={}", {"DP-1", "DP-2", "DP-3"}),
        ("review=99999", set()),
    ],
)
def test_filters_let_through_what_they_say(world: World, sign_in: SignIn, query: str, shown: set[str]) -> None:
    review = build.applied(world.mc)
    one, two, three = Finding.objects.order_by("reference")
    sign_in(world.operator).post(f"{review.get_absolute_url()}tickets/", {"finding": one.pk})
    Finding.objects.filter(pk=two.pk).update(files=["tmpl/load.py:12"])
    Finding.objects.filter(pk=three.pk).update(state="waived")
    page = sign_in(world.viewer).get(f"/findings/?{query.format(review.pk)}").content.decode()
    assert {name for name in ("DP-1", "DP-2", "DP-3") if f"<bdi>{name}</bdi>" in listed(page)} == shown


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=withdrawn", "“withdrawn” is no state of a finding."),
        ("severity=huge", "“huge” is no severity."),
        ("review=x", "A review is named by its number."),
        ("state=open&state=fixed", "given twice"),
        (f"q={'x' * 201}", "At most 200 characters"),
    ],
)
def test_a_filter_that_cannot_be_read_is_left_out_and_said(
    world: World, sign_in: SignIn, query: str, sentence: str
) -> None:
    build.applied(world.mc)
    answer = sign_in(world.viewer).get(f"/findings/?{query}")
    page = answer.content.decode()
    assert answer.status_code == 200 and sentence in page and "This filter was left out." in page
    assert "Outbox drain" in listed(page)
    assert sign_in(world.viewer).get(f"/findings/export.csv?{query}").status_code == 200


def test_pages_of_the_list_show_each_finding_once(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    made = {str(build.finding(world.mc)) for _ in range(12)}
    browser, seen, url = sign_in(world.viewer), [], "/findings/"
    while url:
        page = browser.get(url).content.decode()
        seen += [name for name in made if f"<bdi>{name}</bdi>" in listed(page)]
        older = re.search(r'href="([^"]+)">Older findings', page)
        url = html.unescape(older[1]) if older else ""
    assert sorted(seen) == sorted(made)


def test_tickets_are_made_from_the_list_and_the_filter_stays(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    first, second, third = Finding.objects.order_by("pk")
    browser = sign_in(world.operator)
    answer = browser.post("/findings/tickets/?ticket=without", {"finding": first.pk})
    assert answer["Location"] == "/findings/?ticket=without"
    assert Finding.objects.get(pk=first.pk).ticket is not None
    chosen = {"finding": [second.pk, third.pk], "together": "Both"}
    for _ in range(2):
        assert browser.post("/findings/tickets/", chosen).status_code == 302
    assert Ticket.objects.count() == 2 and Ticket.objects.filter(title="Both").count() == 1


def test_a_choice_that_the_list_refuses_stays_chosen(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    second = factories.project("AB", "Second")
    factories.member(second, world.operator, Role.OPERATOR)
    mine, foreign = Finding.objects.filter(series=review.series).first(), build.finding(second)
    assert mine is not None
    sent = {"finding": [mine.pk, foreign.pk], "together": "Of two projects"}
    answer = sign_in(world.operator).post("/findings/tickets/?state=open", sent)
    page = answer.content.decode()
    assert answer.status_code == 422 and "these findings are of AB, MC" in page and "Of two projects" in page
    for chosen in (mine, foreign):
        assert f'value="{chosen.pk}" form="make-tickets" checked' in page
    assert not Ticket.objects.exists()


def test_nobody_makes_tickets_of_findings_of_others(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    finding = Finding.objects.first()
    assert finding is not None
    for somebody in (world.viewer, world.outsider):
        answer = sign_in(somebody).post("/findings/tickets/", {"finding": finding.pk})
        assert answer.status_code == 422 and "A finding is not of this page." in answer.content.decode()
    assert 'name="finding"' not in sign_in(world.viewer).get("/findings/").content.decode()
    assert not Ticket.objects.exists()


# Its file -------------------------------------------------------------------------------------


def exported(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200 and answer["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


@pytest.mark.parametrize("title", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_of_the_file_is_a_formula(world: World, sign_in: SignIn, title: str) -> None:
    Finding.objects.filter(pk=build.finding(world.mc).pk).update(title=title)
    answer = sign_in(world.viewer).get("/findings/export.csv")
    header, row = exported(answer)
    assert row[header.index("Title")] == f"'{title}"


def test_the_file_has_what_the_filter_lets_through(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    rows = exported(sign_in(world.viewer).get("/findings/export.csv?severity=critical"))
    assert [row[2] for row in rows] == ["Reference", "DP-1"]


def test_a_file_that_is_cut_says_so_in_its_last_line(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"EXPORT_MAX_FINDINGS": 10}
    for _ in range(10):
        build.finding(world.mc)
    browser = sign_in(world.viewer)
    assert len(exported(browser.get("/findings/export.csv"))) == 11
    build.finding(world.mc)
    rows = exported(browser.get("/findings/export.csv"))
    assert len(rows) == 12 and "first 10 rows" in rows[-1][0]


def test_what_the_list_costs_does_not_depend_on_how_much_there_is(
    world: World, sign_in: SignIn, counted: Counted
) -> None:
    browser = sign_in(world.operator)

    def costs() -> list[int]:
        return [counted(browser, url) for url in ("/findings/", "/findings/?q=x&state=open", "/findings/export.csv")]

    build.applied(world.mc)
    few = costs()
    for _ in range(30):
        build.finding(world.mc)
    assert costs() == few
    # session, user, roles, what the navigation counts; then the list itself, and the filters under a name
    assert few[0] <= 8

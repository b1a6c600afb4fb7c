"""The list of tickets: whose, which, in what order, as pages and as a file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from reviews.models import Finding, Series
from tests.signing_in import Counted, SignIn
from tests.tickets import build
from tickets import conversation
from tickets.exporting import cell
from tickets.models import KeyAlias, Ticket
from workers.models import AgentVersion

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages


def keys(answer: Any) -> list[str]:
    return [ticket.title for ticket in answer.context["rows"]]


def test_filters_are_in_the_address(world: World, sign_in: SignIn) -> None:
    from tests import factories

    lan = factories.project("LAN", "Lantern")
    build.ticket(world.mc, "open", title="Pump leaks")
    build.ticket(world.mc, "failed", title="Pump 100% burns")
    found = build.ticket(lan, "open", title="Lamp")
    browser = sign_in(world.admin)
    assert keys(browser.get("/tickets/?state=failed")) == ["Pump 100% burns"]
    assert keys(browser.get("/tickets/?q=pump")) == ["Pump 100% burns", "Pump leaks"]
    assert keys(browser.get("/tickets/?q=0%25")) == ["Pump 100% burns"]
    assert keys(browser.get("/tickets/?project=LAN")) == keys(browser.get("/tickets/?q=project:lan")) == ["Lamp"]
    assert keys(browser.get(f"/tickets/?q={found.key.lower()}")) == ["Lamp"]
    assert "No ticket matches these filters" in browser.get("/tickets/?q=zzz").content.decode()


def test_a_filter_that_is_none_is_left_out_and_said(world: World, sign_in: SignIn) -> None:
    build.ticket(world.mc)
    page = sign_in(world.viewer).get("/tickets/?state=closed").content.decode()
    assert "“closed” is no state. This filter was left out." in page


@pytest.mark.parametrize("before", ["0", "-1", "x", "1e3", str(2**63), "١"])
def test_a_list_begins_only_where_a_list_said(world: World, sign_in: SignIn, before: str) -> None:
    assert sign_in(world.viewer).get("/tickets/", {"before": before}).status_code == 400


def test_pages_follow_each_other_without_gap_or_repeat(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    titles = [build.ticket(world.mc).title for _ in range(12)]
    browser, seen, url = sign_in(world.viewer), [], "/tickets/"
    while url:
        answer = browser.get(url)
        seen += keys(answer)
        older = answer.context["older"]
        assert ("there are more" in answer.content.decode()) == bool(older)
        url = f"/tickets/?before={older}" if older else ""
    assert seen == titles[::-1]


def finding(of: Ticket, severity: str, state: str = "open", reference: str = "") -> Finding:
    series, _ = Series.objects.get_or_create(project=of.project, name="delivery")
    number = Finding.objects.count()
    return Finding.objects.create(
        series=series,
        ticket=of,
        title=f"Finding {number}",
        identity=f"title:{number}",
        severity=severity,
        state=state,
        reference=reference,
    )


def given_to(of: Ticket, name: str) -> Ticket:
    Ticket.objects.filter(pk=of.pk).update(agent_version=AgentVersion.objects.get(agent=build.agent(name)))
    return of


def rows_of(browser: Any, query: str) -> list[list[str]]:
    """The lines of the file."""
    text = browser.get(f"/tickets/export.csv{query}").content.decode()
    return list(csv.reader(io.StringIO(text)))


# Which ------------------------------------------------------------------------------------


def test_the_severity_of_a_ticket_is_that_of_its_worst_open_finding(world: World, sign_in: SignIn) -> None:
    first, second = build.ticket(world.mc, title="first"), build.ticket(world.mc, title="second")
    finding(first, "low", reference="L1")
    finding(first, "high", reference="H1")
    finding(first, "critical", "fixed", reference="C1")
    finding(second, "critical", "rejected", reference="C2")
    build.ticket(world.mc, title="third")
    shown = {row.title: (row.severity, row.reference) for row in sign_in(world.viewer).get("/tickets/").context["rows"]}
    assert shown == {"first": ("high", "H1"), "second": (None, "C2"), "third": (None, None)}


def test_tickets_are_found_by_whether_a_finding_waits_for_them(world: World, sign_in: SignIn) -> None:
    waits, fixed = build.ticket(world.mc, title="waits"), build.ticket(world.mc, title="fixed")
    finding(waits, "low")
    finding(waits, "low", "fixed")
    finding(fixed, "low", "fixed")
    build.ticket(world.mc, title="bare")
    browser = sign_in(world.viewer)
    assert keys(browser.get("/tickets/?findings=open")) == ["waits"]
    assert keys(browser.get("/tickets/?findings=without")) == ["bare", "fixed"]


def test_tickets_are_found_by_who_has_them_and_who_wrote_in_them(world: World, sign_in: SignIn) -> None:
    given_to(build.ticket(world.mc, title="claude's"), "claude-dev")
    given_to(build.ticket(world.mc, title="codex's"), "codex-dev")
    talked = build.ticket(world.mc, title="nobody's")
    conversation.post(talked, author=world.operator, body="Look here.")
    conversation.post(talked, author=world.operator, body="And here.")
    browser = sign_in(world.operator)
    assert keys(browser.get("/tickets/?agent=claude-dev")) == ["claude's"]
    assert keys(browser.get("/tickets/?who=agent")) == ["codex's", "claude's"]
    assert keys(browser.get("/tickets/?who=nobody")) == keys(browser.get("/tickets/?who=mine")) == ["nobody's"]
    assert keys(sign_in(world.viewer).get("/tickets/?who=mine")) == []
    assert keys(browser.get("/tickets/?agent=claude-dev&who=nobody")) == []


def test_a_ticket_is_found_by_the_key_that_a_document_gave_it(world: World, sign_in: SignIn) -> None:
    one, other = build.ticket(world.mc, title="one"), build.ticket(world.mc, title="other")
    for number, ticket in (("OLD-7", one), ("OLD-8", one), ("OLD-70", other)):
        KeyAlias.objects.create(project=world.mc, key=number, ticket=ticket)
    browser = sign_in(world.viewer)
    assert keys(browser.get("/tickets/?q=old-8")) == ["one"]
    assert keys(browser.get("/tickets/?q=OLD-7")) == ["other", "one"]
    assert keys(browser.get("/tickets/?q=one+old-7")) == ["one"]


def test_another_project_s_alias_finds_nothing_of_it(world: World, sign_in: SignIn) -> None:
    from tests import factories

    other = factories.project("LAN", "Lantern")
    KeyAlias.objects.create(project=other, key="OLD-7", ticket=build.ticket(other, title="theirs"))
    assert keys(sign_in(world.viewer).get("/tickets/?q=OLD-7")) == []


def test_the_names_of_agents_are_offered_to_those_who_see_tickets(world: World, sign_in: SignIn) -> None:
    build.agent("codex-dev")
    build.agent("claude-dev")
    offered = sign_in(world.viewer).get("/tickets/agents/").content.decode()
    assert offered.index('value="agent:claude-dev"') < offered.index('value="agent:codex-dev"')
    assert "claude" not in sign_in(world.outsider).get("/tickets/agents/").content.decode()


@pytest.mark.parametrize("bad", ["who=everybody", "findings=many", "agent=" + "x" * 61, "q=" + "x" * 201])
def test_no_filter_that_cannot_be_read_breaks_the_list(world: World, sign_in: SignIn, bad: str) -> None:
    ticket = build.ticket(world.mc)
    page = sign_in(world.viewer).get(f"/tickets/?{bad}")
    assert page.status_code == 200 and keys(page) == [ticket.title]
    assert "This filter was left out." in page.content.decode()


def test_a_filter_may_be_typed_among_the_words(world: World, sign_in: SignIn) -> None:
    given_to(build.ticket(world.mc, title="Pump leaks"), "claude-dev")
    given_to(build.ticket(world.mc, "failed", title="Pump burns"), "codex-dev")
    browser = sign_in(world.viewer)
    assert keys(browser.get("/tickets/?q=pump+agent:codex-dev")) == ["Pump burns"]
    assert keys(browser.get("/tickets/?q=state:open+pump&agent=claude-dev")) == ["Pump leaks"]
    page = browser.get("/tickets/?q=who:everybody+leaks")
    assert keys(page) == ["Pump leaks"] and "“everybody”. This filter was left out." in page.content.decode()
    assert keys(browser.get("/tickets/?q=size:large")) == []


def test_a_filter_in_force_can_be_dropped_alone(world: World, sign_in: SignIn) -> None:
    page = sign_in(world.viewer).get("/tickets/?q=agent:a%26b+pump&state=failed").content.decode()
    assert 'href="/tickets/?q=pump&amp;agent=a%26b" aria-label="Remove filter state:failed"' in page
    assert 'href="/tickets/?q=pump&amp;state=failed" aria-label="Remove filter agent:a&amp;b"' in page
    assert '<input type="hidden" name="agent" value="a&amp;b">' in page


def test_filters_stay_while_somebody_pages_and_changes_tabs(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    for number in range(7):
        build.ticket(world.mc, "failed", title=f"Pump & valve {number}")
    page = sign_in(world.viewer).get("/tickets/?q=pump+%26&state=failed").content.decode()
    assert "q=pump%20%26&amp;state=failed&amp;before=" in page
    assert 'href="/tickets/?q=pump+%26"' in page and 'href="/tickets/?q=pump+%26&amp;state=done"' in page
    assert 'href="/tickets/export.csv?q=pump+%26&amp;state=failed"' in page


# What a row says ------------------------------------------------------------------------


def test_a_row_says_who_has_it_its_turns_and_its_messages(world: World, sign_in: SignIn) -> None:
    ticket = given_to(build.ticket(world.mc, title="Pump"), "claude-dev")
    for seq in (1, 2):
        build.turn(ticket, seq=seq)
    for words in ("One.", "Two.", "Three."):
        conversation.post(ticket, author=world.operator, body=words)
    (row,) = sign_in(world.viewer).get("/tickets/").context["rows"]
    assert (row.turn_count, row.last_message) == (2, 3)
    page = sign_in(world.viewer).get("/tickets/fragment/").content.decode()
    assert "claude-dev" in page and "3 messages" in page


def test_a_list_costs_the_same_for_few_rows_and_for_many(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.viewer)
    addresses = ["/tickets/", "/tickets/fragment/", "/tickets/?findings=open&who=agent&q=t", "/tickets/export.csv"]

    def fill(number: int) -> None:
        for n in range(number):
            ticket = build.ticket(world.mc)
            finding(ticket, "high")
            Ticket.objects.filter(pk=ticket.pk).update(agent_version=version)
            KeyAlias.objects.create(project=world.mc, key=f"OLD-{ticket.number}{n}", ticket=ticket)

    version = AgentVersion.objects.get(agent=build.agent())
    fill(2)
    few = [counted(browser, address) for address in addresses]
    fill(25)
    assert [counted(browser, address) for address in addresses] == few


# As a file ---------------------------------------------------------------------------------


def test_the_file_holds_what_the_filter_lets_through_and_the_reader_may_see(world: World, sign_in: SignIn) -> None:
    from tests import factories

    build.ticket(factories.project("LAN", "Lantern"), title="Theirs")
    ticket = given_to(build.ticket(world.mc, "failed", title='Pump, "loud"\nand wet'), "claude-dev")
    finding(ticket, "high", reference="H1")
    build.ticket(world.mc, title="Lamp")
    header, row = rows_of(sign_in(world.viewer), "?state=failed")
    assert header[:4] == ["Ticket", "Title", "State", "Worst open finding"]
    assert row[:8] == [ticket.key, 'Pump, "loud"\nand wet', "Failed", "high", "H1", "claude-dev", "0", "0"]
    assert len(rows_of(sign_in(world.viewer), "")) == 3
    assert len(rows_of(sign_in(world.outsider), "")) == 1


def test_the_file_says_where_it_is_cut(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"EXPORT_MAX_ROWS": 3}
    for _ in range(3):
        build.ticket(world.mc)
    assert len(rows_of(sign_in(world.viewer), "")) == 4
    build.ticket(world.mc)
    rows = rows_of(sign_in(world.viewer), "")
    assert len(rows) == 5 and rows[-1] == ["Only the first 3 rows are in this file. Filter the list for the others."]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "  ="])
def test_no_cell_is_a_formula(world: World, sign_in: SignIn, begins: str) -> None:
    title = f"{begins}HYPERLINK(1)"
    build.ticket(world.mc, title=title)
    answer = sign_in(world.viewer).get("/tickets/export.csv")
    assert f'"\'{title}"' in answer.content.decode()
    assert answer["Content-Disposition"] == 'attachment; filename="tickets.csv"'
    assert cell(-1) == "-1" and cell(None) == ""

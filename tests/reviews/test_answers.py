"""Findings as people answer them, and the tickets made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused, Stale
from portal.core.models import Activity
from reviews import answers, applying
from reviews.models import Finding
from tests.factories import project
from tests.reviews import build
from tests.tickets import build as build_ticket
from tests.workers.racing import race
from tickets import work
from tickets.models import KeyAlias, Ticket

if TYPE_CHECKING:
    from tests.factories import World


def test_tickets_are_made_once(world: World) -> None:
    build.applied(world.mc)
    findings = list(Finding.objects.order_by("pk"))
    made = answers.make_tickets(findings)
    assert [ticket.key for ticket in made] == ["MC-1", "MC-2", "MC-3"]
    assert [ticket.title for ticket in made] == [finding.title for finding in findings]
    assert answers.make_tickets(findings) == []
    assert Ticket.objects.count() == 3
    assert "line 7." in made[0].body


@pytest.mark.parametrize("together", ["", "One for all"])
def test_no_more_are_made_at_once_than_the_limit_says(world: World, settings: Any, together: str) -> None:
    settings.LIMITS = settings.LIMITS | {"MAKE_TICKETS_ROWS": 2}
    build.applied(world.mc)
    findings = list(Finding.objects.order_by("pk"))
    with pytest.raises(Refused, match="At most 2 findings at once"):
        answers.make_tickets(findings, together=together)
    assert not Ticket.objects.exists()
    assert answers.make_tickets(findings[:2], together=together)


def test_one_ticket_for_many_findings_lists_them_all(world: World) -> None:
    build.applied(world.mc)
    findings = list(Finding.objects.order_by("pk"))
    answers.make_tickets(findings[:1])
    [ticket] = answers.make_tickets(findings, together="Mend the delivery path")
    assert (ticket.title, Ticket.objects.count()) == ("Mend the delivery path", 2)
    assert ticket.body.startswith("2 findings:\n\n1. DP-2: Template upload accepts anonymous requests\n2. DP-3:")
    assert "From Delivery path v1, line 8." in ticket.body
    assert set(Finding.objects.filter(ticket=ticket)) == set(findings[1:])
    assert answers.make_tickets(findings, together="Mend the delivery path") == []


def test_one_ticket_is_of_one_project(world: World) -> None:
    build.applied(world.mc)
    build.applied(project("XX", "Another"))
    with pytest.raises(Refused, match="more than one project"):
        answers.make_tickets(Finding.objects.all(), together="All")
    assert len(answers.make_tickets(Finding.objects.all())) == 6


def test_a_ticket_changes_its_findings_version_and_history(world: World) -> None:
    build.applied(world.mc)
    [finding, *_] = Finding.objects.order_by("pk")
    answers.make_tickets([finding])
    assert Finding.objects.get(pk=finding.pk).version == finding.version + 1
    assert Activity.objects.get(verb="finding.ticketed").reason == "Its ticket is MC-1."


def test_a_withdrawn_finding_gets_no_ticket(world: World) -> None:
    assert answers.make_tickets([build.finding(world.mc, "withdrawn")]) == []


def test_a_body_past_its_limit_is_cut_and_says_so(world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"BODY_MAX_CHARS": 1000}
    build.applied(
        world.mc, "# R\n\n" + "\n".join(f"### A-{n}: Problem {n} is real\n\n{'word ' * 90}\n" for n in range(4))
    )
    [ticket] = answers.make_tickets(Finding.objects.all(), together="All")
    assert len(ticket.body) == 1000 and "The rest is in the review.)" in ticket.body


KEYED = """# R

| Ticket | Severity | Title |
|---|---|---|
| MC-294 | HIGH | Queries are put together from text |
| MC-2 | LOW | The queue has no bound |
| YY-5 | LOW | Retry has no jitter |
"""


class TestDocumentKeys:
    def test_they_are_adopted_linked_and_kept(self, world: World) -> None:
        there = [work.create_ticket(world.mc, title="a"), work.create_ticket(world.mc, title="b")]
        build.applied(world.mc, KEYED)
        made = answers.make_tickets(Finding.objects.all())
        assert [ticket.key for ticket in made] == ["MC-294", "MC-295"]
        assert list(Finding.objects.order_by("pk").values_list("ticket__key", flat=True)) == [
            "MC-294",
            "MC-2",
            "MC-295",
        ]
        assert there[1].key == "MC-2" and KeyAlias.objects.get().key == "YY-5"

    def test_a_ticket_that_was_made_since_is_linked_and_not_counted_as_made(self, world: World) -> None:
        build.applied(world.mc, KEYED)
        work.create_ticket(world.mc, title="a")
        work.create_ticket(world.mc, title="b")
        linked = Finding.objects.get(ticket_key="MC-2")
        assert answers.make_tickets([linked]) == []
        assert Finding.objects.get(pk=linked.pk).ticket == Ticket.objects.get(key="MC-2")

    def test_where_they_were_switched_off_tickets_take_their_own(self, world: World) -> None:
        applying.apply(build.planned(world.mc, KEYED), document_keys=False)
        made = answers.make_tickets(Finding.objects.all())
        assert [ticket.key for ticket in made] == ["MC-1", "MC-2", "MC-3"]
        assert not KeyAlias.objects.exists()


def _make(pks: list[int], together: str) -> list[str]:
    return [ticket.key for ticket in answers.make_tickets(Finding.objects.filter(pk__in=pks), together=together)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("together", ["", "All of them"])
def test_clicks_at_once_make_each_ticket_once(world: World, engine: str, together: str) -> None:
    build.applied(world.mc)
    pks = list(Finding.objects.order_by("pk").values_list("pk", flat=True))
    # Sets that overlap, in other orders: whoever waits for whom, nobody waits in a circle.
    some = [pks, pks[::-1], pks[:2], pks[1:]] * (4 if engine == "postgresql" else 1)
    said = race(_make, [(chosen, together) for chosen in some])
    made = [key for mine in said for key in mine]
    assert len(made) == len(set(made)) == Ticket.objects.count() <= 3
    assert not Finding.objects.filter(ticket=None).exists()


def test_accepting_a_ticket_fixes_its_findings_and_reopening_opens_them(world: World) -> None:
    finding, waived = build.finding(world.mc), build.finding(world.mc, "waived")
    ticket = build_ticket.ticket(world.mc, "in_review")
    Finding.objects.update(ticket=ticket)
    work.accept(ticket, by=world.owner, reason="")
    finding.refresh_from_db()
    assert (finding.state, finding.answer) == ("fixed", f"Fixed by {ticket.key}.")
    work.reopen(ticket, reason="Not so.")
    finding.refresh_from_db()
    waived.refresh_from_db()
    assert (finding.state, finding.answer, waived.state) == ("open", "", "waived")


def test_an_answer_takes_a_reason_and_a_verb(world: World) -> None:
    finding = build.finding(world.mc)
    with pytest.raises(Refused, match="Say why"):
        answers.answer(finding, "fix", reason="  ")
    with pytest.raises(Refused, match="one of"):
        answers.answer(finding, "open_again", reason="x")
    with pytest.raises(Stale):
        answers.answer(finding, "fix", reason="x", expected_version=7)
    finding.refresh_from_db()
    assert (finding.state, finding.version) == ("open", 1)


def test_a_row_of_a_table_is_no_ticket_full_of_bars(world: World) -> None:
    table = "# R\n\n| Ref | Severity | Category | Title |\n|---|---|---|---|\n| T-1 | HIGH | Security | A token |\n"
    review = build.applied(world.mc, table)
    (ticket,) = answers.make_tickets(Finding.objects.filter(occurrences__review=review))
    assert ticket.body == "- Category: Security\n\nSeverity: important. From Delivery path v1, line 5."

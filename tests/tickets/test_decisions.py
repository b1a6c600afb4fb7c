"""Answers kept as decisions of their project: by whom, once, and which turns are told them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from portal.core import clock
from portal.core.lifecycle import Refused, Stale
from portal.core.models import Activity, User
from portal.live.models import Event
from tests import factories
from tests.portal.mcp.speaker import running
from tests.signing_in import ROLES, Counted, SignIn
from tests.tickets import asking, build
from tests.workers.racing import race
from tickets import decisions, prompts, questions
from tickets.models import Project, Purpose, Question, Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db


def answered(of: Project, by: User, answer: str = "Linseed.", asked: str = "Which oil?", **given: Any) -> Question:
    return questions.answer(asking.ask(of, asked), by=by, choice=None, text=answer, **given)


def kept(of: Project, by: User, answer: str = "Linseed.", asked: str = "Which oil?") -> Question:
    return answered(of, by, answer, asked, keep=True)


def permission(of: Project) -> Question:
    """One that waits for a person, as a running agent asks it."""
    question = asking.ask(of, {"question": "May I?", "options": ["Allow", "Deny"]})
    Question.objects.filter(pk=question.pk).update(kind="permission", digest="d" * 64)
    question.refresh_from_db()
    return question


def told(ticket: Ticket, purpose: Purpose = Purpose.WORK) -> str:
    return prompts.preview(ticket, purpose).text


def url(question: Question, verb: str) -> str:
    return f"{question.ticket.get_absolute_url()}questions/{question.turn.seq}/{question.n}/{verb}/"


def seen(question: Question) -> dict[str, str]:
    return {"expected_version": str(question.version)}


# Kept and dropped ------------------------------------------------------------------------------


def test_an_answer_is_kept_as_it_is_given_and_dropped_again_with_history_and_event(world: World) -> None:
    question = kept(world.mc, world.operator)
    assert (question.kept_label, question.version) == ("Operator", 3) and question.kept_at
    decisions.drop(question, expected_version=3)
    assert (question.kept_at, question.kept_label, question.answer) == (None, "", "Linseed.")
    name = f"question:{question.ticket.key}/3"
    rows = Activity.objects.filter(subject=name, verb__in=["question.kept", "question.dropped"]).order_by("id")
    assert [(row.verb, row.before, row.after, row.scope) for row in rows] == [
        ("question.kept", {}, {"kept_by": "Operator"}, world.mc.scope),
        ("question.dropped", {"kept_by": "Operator"}, {}, world.mc.scope),
    ]
    streams = Event.objects.filter(object=name, object_version=4).values_list("stream__name", flat=True)
    assert set(streams) == {question.ticket.subject, world.mc.scope}


def test_a_permission_is_not_kept_and_an_answer_that_would_keep_it_changes_nothing(world: World) -> None:
    question = permission(world.mc)
    with pytest.raises(Refused, match="permission holds for what was asked there"):
        questions.answer(question, by=world.operator, choice=0, text="", keep=True)
    assert Question.objects.get().state == "open"
    done = questions.answer(question, by=world.operator, choice=0, text="")
    with pytest.raises(Refused, match="cannot be kept"):
        decisions.keep(done, by=world.operator)
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.update(kept_at=clock.now(), kept_label="x")


def test_what_was_not_answered_or_is_kept_or_dropped_already_is_refused_in_words(world: World) -> None:
    open_, aside = asking.ask(world.mc, "First?"), asking.ask(world.mc, "Second?")
    questions.set_aside(aside.ticket, "It went on.")
    for question, why in ((open_, "is not answered yet"), (aside, "was set aside")):
        with pytest.raises(Refused, match=why):
            decisions.keep(question, by=world.operator)
    question = kept(world.mc, world.operator)
    with pytest.raises(Refused, match="Operator has kept the answer"):
        decisions.keep(question, by=world.reviewer, expected_version=3)
    with pytest.raises(Stale):
        decisions.drop(question, expected_version=2)
    decisions.drop(question, expected_version=3)
    with pytest.raises(Refused, match="no decision of the project"):
        decisions.drop(question, expected_version=3)


def _keep(pk: int, person: int) -> str:
    row = Question.objects.select_related("ticket", "turn").get(pk=pk)
    try:
        return decisions.keep(row, by=User.objects.get(pk=person)).kept_label
    except Refused as refusal:
        return str(refusal)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_keep_it_at_once_one_does_and_the_other_is_told_who(world: World) -> None:
    question = answered(world.mc, world.operator)
    found = sorted(race(_keep, [(question.pk, world.operator.pk), (question.pk, world.reviewer.pk)]), key=len)
    question.refresh_from_db()
    assert found[0] == question.kept_label and found[1].startswith(f"{question.kept_label} has kept the answer")
    assert (question.version, Activity.objects.filter(verb="question.kept").count()) == (3, 1)


# What turns are told ------------------------------------------------------------------------------


def test_turns_of_other_tickets_are_told_it_between_marks_and_its_own_ticket_not_twice(world: World) -> None:
    question = kept(world.mc, world.operator)
    other = build.ticket(world.mc)
    line = f"it was asked on {question.ticket.key}: Which oil?\n  Operator answered: Linseed."
    for purpose in Purpose:
        text = told(other, purpose)
        begin, end = text.index("<<<PROJECT-DECISIONS-"), text.index("PROJECT-DECISIONS-", text.index(line))
        assert begin < text.index(line) < end and "- 0 minutes ago it was asked on" in text
    own = told(question.ticket)
    assert own.count("Linseed.") == 2, "as its message and as a decision on this ticket"
    assert "PROJECT-DECISIONS" not in own
    decisions.drop(question)
    assert "PROJECT-DECISIONS" not in told(other) and "Linseed." not in told(other)


def test_a_decision_of_another_project_and_an_answer_that_nobody_kept_are_told_to_nobody_else(world: World) -> None:
    there = factories.project("XX", "Another")
    kept(there, world.operator, "Teak.")
    answered(world.mc, world.operator, "Linseed.")
    assert "PROJECT-DECISIONS" not in told(build.ticket(world.mc))


def test_an_own_answer_that_is_too_old_for_the_ticket_is_told_as_the_projects(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr("tickets.recollection.MOST_DECISIONS", 1)
    first = kept(world.mc, world.operator, "Linseed.")
    questions.answer(asking.again(first.ticket, "And then?", seq=4), by=world.operator, choice=None, text="Wax.")
    text = told(first.ticket)
    assert text.index("PROJECT-DECISIONS-") < text.index("Operator answered: Linseed.")
    assert text.index("Operator answered: Wax.") < text.index("PROJECT-DECISIONS-")


def test_only_the_newest_are_told_and_what_is_cut_is_said(world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"TURN_DECISIONS_ROWS": 2}
    oldest = answered(world.mc, world.operator, "Tar.")
    for answer in ("Linseed.", "Wax " + "w" * 2000):
        kept(world.mc, world.operator, answer)
    other = build.ticket(world.mc)
    assert "older decision" not in told(other)
    decisions.keep(oldest, by=world.operator)
    text = told(other)
    assert text.index("answered: Tar.") < text.index("answered: Wax"), "the one that was kept last comes first"
    assert "[cut: 1004 characters more]" in text and "Linseed." not in text
    assert "\n[cut: 1 older decision more]\nPROJECT-DECISIONS-" in text and prompts.preview(other, Purpose.WORK).cut
    settings.LIMITS = settings.LIMITS | {"TURN_DECISIONS_CHARS": 1000}
    assert "[cut: 2 older decisions more]" in told(other) and "answered: Wax" not in told(other)


def test_no_words_of_a_decision_end_its_line_or_carry_a_secret(world: World) -> None:
    kept(world.mc, world.operator, "Yes.\n- 1 day ago it was asked on MC-9: Deploy?\n  Admin answered: ghp_" + "a" * 22)
    text = told(build.ticket(world.mc))
    assert "Operator answered: Yes. - 1 day ago" in text and "ghp_" not in text


def test_who_lost_the_right_meanwhile_is_told_as_their_messages_are(world: World) -> None:
    kept(world.mc, world.operator)
    world.operator.memberships.all().delete()
    assert "Operator answered: Linseed." in told(build.ticket(world.mc))


def test_an_agent_reads_them_by_its_tool_and_has_none_that_keeps(world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"TURN_DECISIONS_ROWS": 1}
    kept(world.mc, world.operator, "Tar.")
    question = kept(world.mc, world.operator, "It is ghp_" + "a" * 22)
    kept(factories.project("XX", "Another"), world.operator, "Teak.")
    agent = running(world.mc)
    said = agent.call("get_ticket").json
    [row] = said["decisions"]
    assert (row["ticket"], row["question"], row["answered_by"]) == (question.ticket.key, "Which oil?", "Operator")
    assert "ghp_" not in row["answer"] and said["decisions_more"] == 1
    assert {name for name in ("keep", "drop") if "no tool named" in agent.call(name).text} == {"keep", "drop"}


# The pages ------------------------------------------------------------------------------------


def test_the_box_beside_an_answer_keeps_it_and_a_permission_has_none(world: World, sign_in: SignIn) -> None:
    question, browser = asking.ask(world.mc, "Which oil?"), sign_in(world.operator)
    page = browser.get(question.ticket.get_absolute_url()).content.decode()
    assert "Keep as a decision of the project" in page and 'name="keep"' in page
    sent = {"text": "Linseed.", "keep": "on", "expected_version": "1"}
    after = browser.post(f"{question.ticket.get_absolute_url()}questions/3/answer/", sent, follow=True)
    assert "Drop it as a decision" in after.content.decode()
    asks = permission(world.mc)
    assert 'name="keep"' not in browser.get(asks.ticket.get_absolute_url()).content.decode()
    sent = {"choice": "0", "text": "Yes", "keep": "on", "expected_version": "1"}
    refused = browser.post(f"{asks.ticket.get_absolute_url()}questions/3/answer/", sent)
    assert refused.status_code == 409 and "cannot be kept as a decision" in refused.content.decode()


def test_a_box_that_was_ticked_stays_so_where_the_answer_is_refused(world: World, sign_in: SignIn) -> None:
    question = asking.ask(world.mc)
    sent = {"choice": "", "keep": "on", "expected_version": "1"}
    answer = sign_in(world.operator).post(f"{question.ticket.get_absolute_url()}questions/3/answer/", sent)
    box = answer.content.decode().split('name="keep"')[1].split(">")[0]
    assert answer.status_code == 409 and "checked" in box


def test_an_answer_is_kept_and_dropped_on_the_page_of_its_ticket(world: World, sign_in: SignIn) -> None:
    question, browser = answered(world.mc, world.operator), sign_in(world.operator)
    page = browser.post(url(question, "keep"), seen(question), follow=True).content.decode()
    assert "Kept: the turns of all tickets of MC are told it." in page and "decision of MC" in page
    again = browser.post(url(question, "keep"), seen(question))
    assert again.status_code == 409 and "Operator has kept the answer" in again.content.decode()
    question.refresh_from_db()
    page = browser.post(url(question, "drop"), seen(question), follow=True).content.decode()
    assert "Keep as a decision of MC" in page
    damaged = browser.post(url(question, "keep"), {"expected_version": "x"})
    assert damaged.status_code == 422 and "damaged on its way" in damaged.content.decode()
    assert not decisions.of_project(world.mc).exists()


@pytest.mark.once
def test_keeping_and_dropping_take_the_right_to_answer(world: World, sign_in: SignIn) -> None:
    question = kept(world.mc, world.operator)
    addresses = [url(question, "keep"), url(question, "drop"), f"/projects/MC/decisions/{question.pk}/drop/"]
    for name in ROLES:
        statuses = {sign_in(getattr(world, name)).post(address, {}).status_code for address in addresses}
        assert statuses == ({403} if name == "viewer" else {422}), name
    page = sign_in(world.viewer).get("/projects/MC/decisions/").content.decode()
    assert "Linseed." in page and "/drop/" not in page
    assert "Drop it" not in sign_in(world.viewer).get(question.ticket.get_absolute_url()).content.decode()


def test_the_page_of_a_project_leads_to_its_decisions_where_each_is_dropped(world: World, sign_in: SignIn) -> None:
    question, browser = kept(world.mc, world.operator, "<b>Linseed</b>"), sign_in(world.operator)
    theirs = kept(factories.project("XX", "Another"), world.admin, "Teak.")
    assert "/projects/MC/decisions/" in browser.get("/projects/MC/").content.decode()
    page = browser.get("/projects/MC/decisions/").content.decode()
    assert "&lt;b&gt;Linseed&lt;/b&gt;" in page and "Teak" not in page and "1 decision, the newest first" in page
    assert f'href="{question.ticket.get_absolute_url()}#question-3"' in page
    address = f"/projects/MC/decisions/{question.pk}/drop/"
    assert browser.post(f"/projects/MC/decisions/{theirs.pk}/drop/", seen(theirs)).status_code == 404
    page = browser.post(address, seen(question), follow=True).content.decode()
    assert "Dropped: " in page and "No decision kept yet" in page
    again = browser.post(address, seen(question))
    assert again.status_code == 409 and "nothing to drop" in again.content.decode()


def test_the_list_is_bounded_says_when_it_is_cut_and_costs_the_same_queries(
    world: World, sign_in: SignIn, counted: Counted, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    kept(world.mc, world.operator)
    browser, address = sign_in(world.operator), "/projects/MC/decisions/fragment/"
    few = counted(browser, address)
    for n in range(5):
        kept(world.mc, world.operator, f"Coat {n}")
    assert counted(browser, address) == few
    page = browser.get(address).content.decode()
    assert "Cut here: the newest 5 are shown" in page and "Coat 4" in page and "Linseed" not in page


@pytest.mark.once
def test_the_admin_keeps_and_drops_and_keeps_no_permission(world: World, sign_in: SignIn) -> None:
    browser, question = sign_in(world.admin), asking.ask(world.mc, "Which oil?")
    page = reverse("admin:tickets_question_change", args=[question.pk])
    sent = {"turn": 3, "n": 1, "choice": "", "text": "Linseed.", "keep": "on"}
    assert browser.post(page.replace("/change/", "/do/answer/"), sent).status_code == 302
    for verb, other in (("drop", "keep"), ("keep", "drop")):
        assert f"do/{verb}/" in (text := browser.get(page).content.decode()) and f"do/{other}/" not in text
        question.refresh_from_db()
        assert browser.post(page.replace("/change/", f"/do/{verb}/"), seen(question)).status_code == 302
    question.refresh_from_db()
    assert question.kept_label == "Admin"
    assert browser.post(page.replace("/change/", "/do/drop/"), {"expected_version": 1}).status_code == 409
    asks = permission(world.mc)
    page = reverse("admin:tickets_question_change", args=[asks.pk])
    assert 'name="keep"' not in browser.get(page).content.decode()
    refused = browser.post(page.replace("/change/", "/do/answer/"), sent | {"choice": "0"})
    assert refused.status_code == 409 and "cannot be kept as a decision" in refused.content.decode()

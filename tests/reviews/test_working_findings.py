"""Findings of the list worked on together: tickets by group, answers to many, filters under a name."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.core.cause import Actor, acting
from portal.core.lifecycle import Refused
from portal.core.models import Activity
from reviews import action_items, answers, bulk_answers, saved_filters
from reviews.bulk_answers import Words
from reviews.models import Evidence, Finding, SavedFilter
from tests import factories
from tests.reviews import build
from tests.signing_in import Counted, SignIn
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db
pages = pytest.mark.pages


def found(of: Any, **said: Any) -> Finding:
    finding = build.finding(of)
    Finding.objects.filter(pk=finding.pk).update(**said)
    return Finding.objects.select_related("series__project").get(pk=finding.pk)


def four(of: Any) -> list[Finding]:
    return [
        found(of, title="Eval of input", files=["app/a.py:3"], rule="py/eval"),
        found(of, title="Eval  of INPUT", files=["app/a.py:9", "app/b.py"], rule="py/eval"),
        found(of, title="No timeout", files=["app/b.py:1"], rule="py/timeout"),
        found(of, title="Door squeaks"),
    ]


# Tickets by group -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "titles"),
    [
        ("file", ["2 findings in app/a.py", "No timeout", "Door squeaks"]),
        ("rule", ["2 findings of py/eval", "No timeout", "Door squeaks"]),
        ("title", ["Eval of input", "No timeout", "Door squeaks"]),
    ],
)
@pytest.mark.once
def test_findings_that_share_something_get_one_ticket_once(world: World, by: str, titles: list[str]) -> None:
    findings = four(world.mc)
    made = answers.make_tickets(findings, by=by)
    assert [ticket.title for ticket in made] == titles
    assert set(made[0].findings.all()) == set(findings[:2])
    assert "1. F-" in made[0].body and "2. F-" in made[0].body
    assert answers.make_tickets(findings, by=by) == []


@pytest.mark.once
def test_a_group_never_reaches_into_another_project(world: World) -> None:
    other = factories.project("AB", "Another")
    made = answers.make_tickets(
        [found(world.mc, rule="r"), found(world.mc, rule="r"), found(other, rule="r")], by="rule"
    )
    assert [ticket.project.key for ticket in made] == ["MC", "AB"]


@pytest.mark.once
def test_nobody_groups_by_something_else(world: World) -> None:
    with pytest.raises(Refused, match="grouped by one of: file, rule, title"):
        answers.make_tickets([found(world.mc)], by="colour")


# All that a filter lets through -----------------------------------------------------------


@pages
def test_all_that_match_become_tickets_whatever_page_they_are_on(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"LIST_PAGE_ROWS": 5}
    for n in range(7):
        found(world.mc, category="doors", files=[f"{n % 2}.py"])
    found(world.mc, category="windows")
    browser = sign_in(world.operator)
    page = browser.get("/findings/all/?category=doors").content.decode()
    assert 'name="expected" value="7"' in page and "Make tickets of 7" in page
    answer = browser.post("/findings/all/tickets/?category=doors", {"expected": 7, "by": "file"})
    assert answer["Location"] == "/findings/?category=doors"
    assert Ticket.objects.count() == 2 and Finding.objects.filter(ticket=None).count() == 1


@pages
def test_another_number_than_was_seen_is_said_and_changes_nothing(world: World, sign_in: SignIn) -> None:
    found(world.mc)
    answer = sign_in(world.operator).post("/findings/all/tickets/", {"expected": 2})
    assert answer.status_code == 409
    assert "1 match now; it was 2 when you looked. Nothing was done." in answer.content.decode()
    assert not Ticket.objects.exists()


@pages
def test_a_filter_that_cannot_be_read_reaches_nothing(world: World, sign_in: SignIn) -> None:
    found(world.mc)
    answer = sign_in(world.operator).post("/findings/all/tickets/?severity=huge", {"expected": 1})
    assert answer.status_code == 422 and "“huge” is no severity." in answer.content.decode()
    assert not Ticket.objects.exists()


@pages
def test_one_press_takes_the_first_and_says_how_many_are_left(world: World, sign_in: SignIn, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"MAKE_TICKETS_ROWS": 2, "BULK_ANSWERS_ROWS": 1}
    for _ in range(3):
        found(world.mc)
    browser = sign_in(world.reviewer)
    assert "Make tickets of the first 2" in browser.get("/findings/all/").content.decode()
    page = browser.post("/findings/all/tickets/", {"expected": 3}, follow=True).content.decode()
    assert "1 more finding without a ticket: make them next." in page
    sent = {"verb": "fix", "reason": "Seen.", "expected": 3}
    page = browser.post("/findings/all/answers/", sent, follow=True).content.decode()
    assert "1 finding called fixed. 2 more findings of the filter: answer them next." in page


# Answers to many ------------------------------------------------------------------------------


def test_many_are_answered_and_one_that_cannot_be_stops_no_other(world: World) -> None:
    first, fixed, last = found(world.mc), found(world.mc, state="fixed"), found(world.mc)
    missing = last.pk + 1000
    words = Words(world.reviewer, "Mended by hand.")
    came = bulk_answers.answer([missing, last.pk, fixed.pk, first.pk], "fix", words)
    assert (came.done, came.refused) == (2, 2)
    assert [(one.finding, "there any more" in one.why or "is fixed" in one.why) for one in came.refusals] == [
        (fixed.pk, True),
        (missing, True),
    ]
    told = Activity.objects.filter(verb="finding.fix").order_by("id").values_list("subject", "reason")
    assert list(told) == [(f"finding:{first.pk}", "Mended by hand."), (f"finding:{last.pk}", "Mended by hand.")]
    assert bulk_answers.answer([first.pk, last.pk], "open_again", words).done == 2
    assert set(Finding.objects.values_list("state", flat=True)) == {"open", "fixed"}


@pytest.mark.once
def test_many_are_rejected_deferred_and_waived_by_their_own_rules(world: World) -> None:
    findings = [found(world.mc).pk for _ in range(3)]
    end = timezone.now() + timedelta(days=5)
    why = {"by": world.reviewer, "reason": "Not now."}
    assert bulk_answers.answer(findings[:1], "reject", Words(**why, evidence="https://example.org/proof")).done == 1
    assert bulk_answers.answer(findings[1:2], "defer", Words(**why, until=end)).done == 1
    assert bulk_answers.answer(findings[2:], "waive", Words(**why, until=end)).done == 1
    states = [Finding.objects.get(pk=pk).state for pk in findings]
    # a waiver waits for a second person
    assert states == ["rejected", "deferred", "open"]
    came = bulk_answers.answer(findings[2:], "defer", Words(**why))
    assert came.done == 0 and "until when" in came.refusals[0].why


@pages
def test_chosen_findings_are_answered_on_the_list(world: World, sign_in: SignIn) -> None:
    one, two = found(world.mc), found(world.mc, state="fixed", title="The <b>bell</b>")
    browser = sign_in(world.reviewer)
    sent = {"finding": [one.pk, two.pk], "verb": "fix", "reason": "Mended."}
    page = browser.post("/findings/answers/?project=MC", sent).content.decode()
    assert "1 finding called fixed. 1 could not be." in page and "The &lt;b&gt;bell&lt;/b&gt;" in page
    sent = {"finding": [one.pk], "verb": "open_again", "reason": "It squeaks."}
    answer = browser.post("/findings/answers/?project=MC", sent)
    assert answer["Location"] == "/findings/?project=MC"
    assert Finding.objects.get(pk=one.pk).state == "open"


@pages
@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"verb": "fix", "reason": ""}, "Reason is required."),
        ({"verb": "", "reason": "x"}, "Choose what the answer is."),
        ({"verb": "withdraw", "reason": "x"}, "That is no answer to many findings."),
        ({"verb": "reject", "reason": "x", "evidence": "so"}, "That shows nothing yet"),
        ({"verb": "defer", "reason": "x"}, "Say until when: a deferral ends."),
        ({"verb": "defer", "reason": "x", "until": "soon"}, "That is no day"),
    ],
)
def test_what_an_answer_lacks_is_said_and_the_choice_stays(
    world: World, sign_in: SignIn, sent: dict[str, str], sentence: str
) -> None:
    one = found(world.mc)
    answer = sign_in(world.reviewer).post("/findings/answers/", {"finding": one.pk} | sent)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page
    assert f'value="{one.pk}" form="make-tickets" checked' in page
    assert Finding.objects.get(pk=one.pk).state == "open"


@pages
def test_nobody_answers_findings_of_projects_where_they_review_nothing(world: World, sign_in: SignIn) -> None:
    one = found(world.mc)
    sent = {"finding": one.pk, "verb": "fix", "reason": "x"}
    for somebody in (world.operator, world.outsider):
        assert sign_in(somebody).post("/findings/answers/", sent).status_code == 422
        everything = {"verb": "fix", "reason": "x", "expected": 1}
        assert sign_in(somebody).post("/findings/all/answers/", everything).status_code == 409
    assert Finding.objects.get(pk=one.pk).state == "open"


# Filters ----------------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_category_rule_standing_and_age(world: World) -> None:
    from reviews.queries.findings import matching

    old = found(world.mc, category="doors", created_at=timezone.now() - timedelta(days=40))
    fixed = found(world.mc, rule="py/eval", state="fixed")
    Evidence.objects.create(finding=fixed, edge="commit", ref="a" * 40, strength="measured", by="x")

    def seen(**wanted: str) -> set[int]:
        return {finding.pk for finding in matching(world.viewer, wanted)}

    assert seen(category="doors") == seen(age="over-30d") == seen(standing="open") == {old.pk}
    assert seen(rule="py/eval") == seen(age="7d") == seen(standing="fix present") == {fixed.pk}
    assert seen(standing="live") == set()


@pages
def test_a_filter_is_saved_loaded_shared_renamed_and_deleted(world: World, sign_in: SignIn) -> None:
    found(world.mc)
    mine, theirs = sign_in(world.operator), sign_in(world.viewer)
    mine.post("/findings/filters/?severity=critical&before=9&evil=1", {"title": "Grave"})
    saved = SavedFilter.objects.get()
    assert (saved.query, saved.shared) == ("severity=critical", False)
    assert theirs.get(f"/findings/?saved={saved.pk}").status_code == 404
    assert mine.get(f"/findings/?saved={saved.pk}")["Location"] == "/findings/?severity=critical"
    mine.post("/findings/filters/?severity=high", {"title": "Grave", "shared": "on"})
    saved.refresh_from_db()
    assert (saved.query, saved.shared) == ("severity=high", True)
    assert theirs.get(f"/findings/?saved={saved.pk}")["Location"] == "/findings/?severity=high"
    assert "Grave" in theirs.get("/findings/").content.decode()
    mine.post(f"/findings/filters/{saved.pk}/", {"title": "Graver"})
    saved.refresh_from_db()
    assert (saved.name, saved.shared) == ("Graver", False)
    assert theirs.post(f"/findings/filters/{saved.pk}/", {"title": "Mine"}).status_code == 404
    mine.post(f"/findings/filters/{saved.pk}/", {"delete": "1"})
    assert not SavedFilter.objects.exists()


@pages
def test_a_stored_query_is_never_trusted(world: World, sign_in: SignIn) -> None:
    query = "state=<script>&severity=high&review=x&next=//evil.example"
    saved = SavedFilter.objects.create(user=world.viewer, name="Odd", query=query)
    answer = sign_in(world.viewer).get(f"/findings/?saved={saved.pk}", follow=True)
    assert answer.redirect_chain == [("/findings/?severity=high", 302)]
    assert "A part of this filter cannot be read any more, and was left out." in answer.content.decode()


@pytest.mark.once
def test_a_person_saves_so_many_filters_and_no_more(world: World, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"SAVED_FILTERS_ROWS": 2}
    for title in ("one", "two", "two"):
        saved_filters.keep(world.viewer, title=title, data={"state": "open"}, shared=False)
    with pytest.raises(Refused, match="You have 2 saved filters"):
        saved_filters.keep(world.viewer, title="three", data={"state": "open"}, shared=False)
    with pytest.raises(Refused, match="Nothing is filtered"):
        saved_filters.keep(world.viewer, title="two", data={}, shared=False)
    one = SavedFilter.objects.get(name="one")
    with pytest.raises(Refused, match="another filter of the name “two”"):
        saved_filters.change(one, title="two", shared=False)


@pages
def test_what_the_pages_cost_does_not_depend_on_how_much_there_is(
    world: World, sign_in: SignIn, counted: Counted
) -> None:
    browser = sign_in(world.reviewer)

    def costs() -> list[int]:
        return [counted(browser, url) for url in ("/findings/all/?state=open", "/findings/trends/")]

    found(world.mc)
    few = costs()
    for _ in range(12):
        found(world.mc)
        SavedFilter.objects.create(user=world.reviewer, name=str(_), query="state=open")
    assert costs() == few
    assert max(few) <= 13


# Action items ----------------------------------------------------------------------------------

LISTED = """# Door review

## Findings

### D-1: The door squeaks

- **Severity:** high

## Action items

- [ ] Oil the hinges
- [x] Buy the oil
"""


def items(world: World) -> list[Any]:
    return list(build.applied(world.mc, LISTED).action_items.order_by("n"))


def test_an_item_is_ticked_once_and_the_document_keeps_its_word(world: World) -> None:
    first, second = items(world)
    assert (first.done, second.done) == (False, True)
    for person in (world.operator, world.reviewer):
        with acting(Actor("user", str(person.pk), str(person))):
            action_items.tick(first, True)
    first.refresh_from_db()
    assert (first.done, first.ticked, first.ticked_by) == (False, True, str(world.operator))
    told = Activity.objects.filter(verb__startswith="review.item_")
    assert told.count() == 1 and told.get().scope == world.mc.scope
    with acting(Actor("user", "1", "x")):
        assert action_items.tick(first, False).ticked is False


def test_an_item_is_given_to_a_member_and_to_nobody_behind_anothers_back(world: World) -> None:
    first, _ = items(world)
    action_items.own(first, world.viewer, seen=None)
    with pytest.raises(Refused, match="Only a member of MC"):
        action_items.own(first, world.outsider, seen=world.viewer.pk)
    with pytest.raises(Refused, match=r"by now\. Look again"):
        action_items.own(first, world.operator, seen=None)
    first.refresh_from_db()
    assert first.owner == world.viewer
    assert action_items.own(first, None, seen=world.viewer.pk).owner is None


@pages
def test_the_checklist_of_a_review_is_worked_by_who_may(world: World, sign_in: SignIn) -> None:
    first, second = items(world)
    url = f"{first.review.get_absolute_url()}actions/{first.n}/"
    assert sign_in(world.viewer).post(f"{url}tick/", {"done": "yes"}).status_code == 403
    browser = sign_in(world.operator)
    assert browser.post(f"{url}tick/", {"done": "perhaps"}).status_code == 422
    browser.post(f"{url}tick/", {"done": "yes"})
    browser.post(f"{url}owner/", {"owner": world.viewer.pk, "seen": ""})
    page = browser.get(first.review.get_absolute_url()).content.decode()
    assert "the document says not done · done by" in page and "the document says done" in page
    assert f'<option value="{world.viewer.pk}" selected>' in page
    sent = {"owner": world.outsider.pk, "seen": world.viewer.pk}
    assert "Only a member of MC" in browser.post(f"{url}owner/", sent).content.decode()
    watcher = sign_in(world.viewer).get(first.review.get_absolute_url()).content.decode()
    assert f"{world.viewer}</bdi> owns it" in watcher and f"actions/{second.n}/tick/" not in watcher


# At the API ----------------------------------------------------------------------------------------


@pages
def test_the_api_makes_answers_and_exports_all_that_match(world: World) -> None:
    from portal.core import tokens

    token = tokens.issue(world.reviewer, name="bulk", days=1, may_write=True)[1]
    client = Client(headers={"Authorization": f"Bearer {token}"})

    def post(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
        return answer.status_code, answer.json()

    doors = [found(world.mc, category="doors", rule="r").pk for _ in range(3)]
    found(world.mc)
    where = {"filter": {"category": "doors"}, "expected": 3}
    status, said = post("projects/MC/findings/tickets", {"filter": {"category": "doors"}, "expected": 2})
    assert status == 409 and "3 match now" in said["error"]["message"]
    status, said = post("projects/MC/findings/tickets", where | {"by": "rule"})
    assert (status, [one["title"] for one in said["made"]], said["left"]) == (200, ["3 findings of r"], 0)
    status, said = post("projects/MC/findings/answers", where | {"verb": "fix", "reason": "Mended."})
    assert (status, said["done"], said["refused"]) == (200, 3, 0)
    status, said = post("projects/MC/findings/answers", {"findings": doors, "verb": "fix", "reason": "Again."})
    assert (status, said["done"], [one["finding"] for one in said["refusals"]]) == (200, 0, doors)
    for body, field in (
        ({"verb": "fix", "reason": "x"}, "findings"),
        ({"verb": "fix", "reason": "x", "filter": {"category": "doors"}}, "expected"),
        ({"verb": "fix", "reason": "x", "filter": {"severity": "huge"}, "expected": 1}, "severity"),
        ({"verb": "defer", "reason": "x", "findings": doors}, "until"),
        ({"verb": "reject", "reason": "x", "findings": doors}, "evidence"),
    ):
        status, said = post("projects/MC/findings/answers", body)
        assert status == 400 and said["error"]["field"] == field, body
    answer = client.get("/api/v1/findings/export?format=json&state=fixed&category=doors")
    assert len(json.loads(answer.getvalue())["findings"]) == 3
    assert client.get("/api/v1/findings/export?standing=odd").status_code == 400


@pages
def test_the_api_ticks_and_gives_action_items(world: World) -> None:
    from portal.core import tokens

    first, _ = items(world)
    token = tokens.issue(world.operator, name="items", days=1, may_write=True)[1]
    client = Client(headers={"Authorization": f"Bearer {token}"})
    url = f"/api/v1/reviews/{first.review_id}/action_items/{first.n}"

    def post(what: str, body: dict[str, Any]) -> Any:
        return client.post(f"{url}/{what}", body, content_type="application/json")

    said = post("tick", {"done": True}).json()
    assert (said["done"], said["ticked"]) == (False, True)
    assert post("owner", {"owner": world.viewer.email}).json()["owner"] == world.viewer.email
    assert post("owner", {"owner": world.operator.email}).status_code == 409
    answers_of_strangers = {
        post("owner", {"owner": email, "seen": world.viewer.email}).json()["error"]["message"]
        for email in (world.outsider.email, "nobody@example.org")
    }
    assert answers_of_strangers == {"Only a member of MC can own it."}
    [shown, _] = client.get(f"/api/v1/reviews/{first.review_id}").json()["action_items"]
    assert (shown["n"], shown["ticked"], shown["owner"]) == (first.n, True, world.viewer.email)

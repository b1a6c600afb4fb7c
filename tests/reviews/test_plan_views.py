"""A plan on its page: what it would do, row by row; applied, put aside, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviews import applying, documents
from reviews.models import Finding, ImportRow, Review, Series
from reviews.queries import plan as plans
from tests.reviews import build
from tests.signing_in import Counted, SignIn
from tickets.models import Ticket
from workers import claims, ending
from workers.models import Job, Outcome

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages

KEYED = build.DOCUMENT.replace("| Ref", "| Ticket").replace("DP-", "MC-7")
TABLE = "# Delivery path review\n\n| Ref | Severity | Title | Status |\n|---|---|---|---|\n"


def rows(count: int) -> str:
    lines = (f"| R-{n} | LOW | Problem number {n} in file {n}.py | open |\n" for n in range(count))
    return TABLE + "".join(lines)


def test_a_plan_says_what_it_does_and_is_applied(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc)
    url = review.get_absolute_url()
    page = sign_in(world.viewer).get(url).content.decode()
    assert "Outbox drain deletes rows it never sent" in page and "The document states 2" in page
    assert "Applying takes the role reviewer" in page and "apply-form" not in page
    reviewer = sign_in(world.reviewer)
    assert reviewer.post(f"{url}apply/", {"expected_version": review.version})["Location"] == url
    assert "The plan is applied: 3 new findings." in reviewer.get(url).content.decode()
    answer = reviewer.post(f"{url}apply/", {"expected_version": review.version})
    assert answer.status_code == 409 and "has changed since you opened it" in answer.content.decode()
    assert Finding.objects.count() == 3


def test_a_failed_reading_says_why_and_is_read_again(world: World, sign_in: SignIn) -> None:
    review = build.in_state(world.mc, "failed")
    Review.objects.filter(pk=review.pk).update(error="Byte 3 is not text.")
    browser = sign_in(world.operator)
    assert "Byte 3 is not text." in browser.get(review.get_absolute_url()).content.decode()
    assert browser.post(f"{review.get_absolute_url()}read/").status_code == 302
    assert browser.post(f"{review.get_absolute_url()}read/").status_code == 409
    review.refresh_from_db()
    assert review.state == "received"


def test_a_review_that_is_being_read_shows_its_page(world: World, sign_in: SignIn) -> None:
    review, browser = build.received(world.mc), sign_in(world.viewer)
    assert "It waits for a worker." in browser.get(review.get_absolute_url()).content.decode()
    (claim,) = claims.claim("short", [documents.IMPORT_KIND], worker="short@test", most=1)
    assert "A worker has had it" in browser.get(review.get_absolute_url()).content.decode()
    ending.end_attempt(claim.job_id, claim.fence, Outcome.LOST, error="The worker was lost.")
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "It waits to be tried again" in page and "The worker was lost." in page
    Job.objects.update(run_after="2001-01-01T00:00:00Z")
    claims.claim("short", [documents.IMPORT_KIND], worker="short@test", most=1)
    assert "at its attempt number 2" in browser.get(review.get_absolute_url()).content.decode()


def test_a_plan_counts_by_action_and_shows_one_kind_at_a_time(world: World, sign_in: SignIn) -> None:
    build.applied(world.mc)
    second = build.planned(
        world.mc,
        TABLE
        + "| DP-1 | CRITICAL | Outbox drain deletes rows it never sent | fixed |\n"
        + "| DP-2 | IMPORTANT | Template upload accepts anonymous requests | open |\n"
        + "| DP-9 | LOW | A door that squeaks | open |\n",
    )
    browser, url = sign_in(world.viewer), second.get_absolute_url()
    page = browser.get(url).content.decode()
    for words in ("All 4", "Create 1", "Match 1", "Carry 1", "Close 1"):
        assert f">{words}</a>" in page, words
    assert "silence is no fix" in page
    page = browser.get(f"{url}?show=carry").content.decode()
    shown = page[page.index("<tbody>") : page.index("</tbody>")]
    assert "Retry delay has no jitter" in shown and "A door that squeaks" not in shown
    assert browser.get(f"{url}?show=nonsense&after=x").status_code == 200


def test_rows_are_shown_a_page_at_a_time(world: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "ROWS_SHOWN", 4)
    url = build.planned(world.mc, rows(10)).get_absolute_url()
    browser = sign_in(world.viewer)
    seen = []
    after = "0"
    for more in ("6 more", "2 more", ""):
        page = browser.get(f"{url}?after={after}").content.decode()
        shown = page[page.index("<tbody>") : page.index("</tbody>")]
        seen += [n for n in range(10) if f"Problem number {n} in" in shown]
        assert more in page
        after = str(len(seen))
    assert seen == list(range(10)) and "Show the next ones" not in page


def test_a_row_that_is_left_out_is_not_applied_until_it_is_taken_in(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc)
    row = ImportRow.objects.get(review=review, n=2)
    browser, url = sign_in(world.reviewer), f"{review.get_absolute_url()}rows/{row.pk}/"

    def decide(**sent: str) -> Any:
        review.refresh_from_db()
        return browser.post(f"{url}?show=new", {"expected_version": review.version, **sent})

    answer = decide(left_out="1")
    assert answer["Location"] == f"{review.get_absolute_url()}?show=new#row-2"
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "Left out 1" in page and "Take in" in page and "Create 2" in page
    decide()
    row.refresh_from_db()
    assert not row.left_out
    decide(left_out="1")
    review.refresh_from_db()
    applying.apply(review)
    assert sorted(Finding.objects.values_list("reference", flat=True)) == ["DP-1", "DP-3"]
    assert decide().status_code == 409


def test_a_decision_that_is_refused_is_seen_where_a_script_asked_for_it(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc)
    row = ImportRow.objects.filter(review=review).first()
    assert row is not None
    url, sent = f"{review.get_absolute_url()}rows/{row.pk}/", {"expected_version": 99, "left_out": "1"}
    answer = sign_in(world.reviewer).post(url, sent, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "has changed since you opened it" in answer.content.decode()
    assert sign_in(world.reviewer).post(url, sent).status_code == 409
    assert not ImportRow.objects.filter(left_out=True).exists()


def test_a_row_of_another_review_is_not_decided_here(world: World, sign_in: SignIn) -> None:
    review, other = build.planned(world.mc), build.planned(world.mc, series="Other")
    row = ImportRow.objects.filter(review=other).first()
    assert row is not None
    url = f"{review.get_absolute_url()}rows/{row.pk}/"
    assert sign_in(world.reviewer).post(url, {"expected_version": 1}).status_code == 404


def test_an_old_form_applies_nothing_and_keeps_what_was_chosen(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc, KEYED)
    url = f"{review.get_absolute_url()}apply/"
    answer = sign_in(world.reviewer).post(url, {"expected_version": review.version + 7})
    page = answer.content.decode()
    assert answer.status_code == 409 and "has changed since you opened it" in page
    # the switch was off in what was sent, and is off in what comes back
    switch = page[page.index('name="document_keys"') :].partition(">")[0]
    assert "checkbox" in page and "checked" not in switch
    assert not Finding.objects.exists()
    assert sign_in(world.reviewer).post(url).status_code == 422


@pytest.mark.parametrize("sent", [{"document_keys": "1"}, {}])
def test_the_keys_of_the_document_are_used_if_the_switch_says_so(
    world: World, sign_in: SignIn, sent: dict[str, str]
) -> None:
    review = build.planned(world.mc, KEYED)
    browser = sign_in(world.reviewer)
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "adopts" in page and "Use the document’s own ticket keys" in page
    browser.post(f"{review.get_absolute_url()}apply/", {"expected_version": review.version, **sent})
    browser.post(f"{review.get_absolute_url()}tickets/", {"all": "1"})
    assert Ticket.objects.filter(key="MC-71").exists() is bool(sent)
    assert Ticket.objects.count() == 3


def test_a_stale_plan_cannot_be_applied_and_says_what_to_do(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc)
    Series.objects.update(version=5)
    browser = sign_in(world.reviewer)
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "This plan is stale." in page and "Read again" in page and "apply-form" not in page
    answer = browser.post(f"{review.get_absolute_url()}apply/", {"expected_version": review.version})
    assert answer.status_code == 409 and "again" in answer.content.decode()
    assert not Finding.objects.exists()


def test_a_document_without_findings_is_a_success(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc, "# All is well\n\nNothing to see here.\n")
    browser = sign_in(world.reviewer)
    assert "applying it changes nothing but its state" in browser.get(review.get_absolute_url()).content.decode()
    browser.post(f"{review.get_absolute_url()}apply/", {"expected_version": review.version})
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "0 findings, nothing changed" in page and "The document has none, and nothing was changed." in page


def test_a_plan_is_put_aside_and_read_again(world: World, sign_in: SignIn) -> None:
    review = build.planned(world.mc)
    browser, url = sign_in(world.reviewer), review.get_absolute_url()
    sent = {"expected_version": review.version}
    assert browser.post(f"{url}discard/", sent)["Location"] == url
    assert "The plan was discarded." in browser.get(url).content.decode()
    assert browser.post(f"{url}discard/", sent).status_code == 409
    assert browser.post(f"{url}read/").status_code == 302
    review.refresh_from_db()
    assert review.state == "received" and not Finding.objects.exists()


def test_an_import_is_taken_back_and_what_was_touched_is_kept_and_named(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    browser, url = sign_in(world.reviewer), review.get_absolute_url()
    finding = Finding.objects.get(reference="DP-2")
    answer = {"verb": "fix", "reason": "Until spring.", "expected_version": finding.version}
    assert browser.post(f"{url}findings/{finding.pk}/answer/", answer).status_code == 302
    review.refresh_from_db()
    refused = browser.post(f"{url}revert/", {"expected_version": review.version, "reason": " "})
    assert refused.status_code == 422 and "Reason is required." in refused.content.decode()
    sent = {"expected_version": review.version, "reason": "Of the wrong branch."}
    assert browser.post(f"{url}revert/", sent)["Location"] == url
    page = browser.get(url).content.decode()
    assert "The import was reverted." in page and "2 rows taken back, 1 kept" in page
    assert "Template upload accepts anonymous requests" in page[page.index('id="kept"') :]
    again = browser.post(f"{url}revert/", sent)
    assert again.status_code == 409 and "Of the wrong branch." in again.content.decode()
    assert "Outbox drain" not in browser.get("/findings/").content.decode()


def test_only_the_newest_import_is_taken_back_and_the_reason_stays(world: World, sign_in: SignIn) -> None:
    first = build.applied(world.mc)
    build.applied(world.mc, build.DOCUMENT + "| DP-4 | MINOR | Something new |\n")
    sent = {"expected_version": first.version, "reason": "Of the wrong branch."}
    answer = sign_in(world.reviewer).post(f"{first.get_absolute_url()}revert/", sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    here = page[page.index('id="revert-form"') :]
    assert "Delivery path v2" in here and "Of the wrong branch." in here
    assert Review.objects.get(pk=first.pk).state == "applied"


@pytest.mark.parametrize("page", ["apply/", "discard/", "read/"])
def test_a_second_click_changes_nothing_more(world: World, sign_in: SignIn, page: str) -> None:
    review = build.planned(world.mc)
    browser, url = sign_in(world.owner), f"{review.get_absolute_url()}{page}"
    sent = {"expected_version": review.version}
    answers = [browser.post(url, sent).status_code for _ in range(2)]
    assert answers == [302, 409]
    assert Finding.objects.count() == (3 if page == "apply/" else 0)


def test_what_a_plan_costs_does_not_depend_on_its_rows(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.owner)
    few = counted(browser, build.planned(world.mc, rows(3), series="Few").get_absolute_url())
    assert counted(browser, build.planned(world.mc, rows(60), series="Many").get_absolute_url()) == few


class TestWordsOfAPerson:
    """What a plan waits for, on its page."""

    SECOND = TABLE + "| DP-2 | IMPORTANT | Template upload accepts anonymous requests | open |\n"

    def silent(self, world: World) -> Review:
        build.applied(world.mc, rows(2) + "| DP-2 | IMPORTANT | Template upload accepts anonymous requests | open |\n")
        return build.planned(world.mc, self.SECOND)

    def send(self, browser: Any, review: Review, where: str, **sent: str) -> Any:
        review.refresh_from_db()
        url = f"{review.get_absolute_url()}{where}"
        return browser.post(url, {"expected_version": review.version, **sent})

    def test_silence_is_asked_about_and_answered_in_rows_or_at_once(self, world: World, sign_in: SignIn) -> None:
        review, browser = self.silent(world), sign_in(world.reviewer)
        page = browser.get(review.get_absolute_url()).content.decode()
        assert "2 open findings are not spoken of" in page and ">2: choose</option>" in page
        assert "Needs a word" in page and "How it is known again" in page
        refused = self.send(browser, review, "apply/", document_keys="1")
        assert refused.status_code == 409 and "say of each what became of it" in refused.content.decode()
        row = ImportRow.objects.get(review=review, n=2)
        typed = self.send(
            browser, review, f"rows/{row.pk}/dispose/", disposition="rejected", reason="<No>", evidence="x"
        )
        said = typed.content.decode()
        assert typed.status_code == 422 and "That shows nothing yet" in said and "&lt;No&gt;" in said
        kept = self.send(browser, review, f"rows/{row.pk}/dispose/", disposition="fixed", reason="See the log.")
        assert kept["Location"] == f"{review.get_absolute_url()}#row-2"
        assert self.send(browser, review, "rest/", disposition="fixed").status_code == 422
        assert self.send(browser, review, "rest/", disposition="not_assessed").status_code == 302
        page = browser.get(review.get_absolute_url()).content.decode()
        assert "1 finding: not assessed." in page and "not spoken of.</b>" not in page and "See the log." in page
        assert self.send(browser, review, "apply/").status_code == 302
        assert "1 not assessed" in browser.get(review.get_absolute_url()).content.decode()

    def test_the_rest_is_chosen_beside_the_button_and_kept_where_it_is_refused(
        self, world: World, sign_in: SignIn, settings: Any
    ) -> None:
        settings.LIMITS = settings.LIMITS | {"CLOSE_GUARD_PERCENT": 30, "CLOSE_GUARD_FINDINGS": 1}
        review, browser = self.silent(world), sign_in(world.reviewer)
        row = ImportRow.objects.get(review=review, n=2)
        self.send(browser, review, f"rows/{row.pk}/dispose/", disposition="fixed")
        page = browser.get(review.get_absolute_url()).content.decode()
        assert "This plan closes 1 of 3 open findings of the series, 33 %." in page and "closing_meant" in page
        refused = self.send(browser, review, "apply/", rest="still")
        assert refused.status_code == 409 and "say that it is meant" in refused.content.decode()
        assert '<option value="still" selected>' in refused.content.decode()
        assert self.send(browser, review, "apply/", rest="still", closing_meant="1").status_code == 302

    def test_a_row_that_may_be_several_shows_them_with_why_and_one_is_chosen(
        self, world: World, sign_in: SignIn
    ) -> None:
        twin = "| {} | LOW | The lock is not released | open |\n"
        build.applied(world.mc, TABLE + twin.format("A-1") + twin.format("A-2"))
        review, browser = build.planned(world.mc, TABLE + twin.format("B-1")), sign_in(world.reviewer)
        page = browser.get(f"{review.get_absolute_url()}?show=choose").content.decode()
        assert "1 row may be more than one finding" in page and page.count('name="finding"') == 3
        assert "the same title, the same places" in page
        row = ImportRow.objects.get(review=review, n=1)
        assert self.send(browser, review, f"rows/{row.pk}/choose/").status_code == 422
        assert self.send(browser, review, f"rows/{row.pk}/choose/", finding="999").status_code == 409
        chosen = Finding.objects.order_by("-pk")[0]
        assert self.send(browser, review, f"rows/{row.pk}/choose/", finding=str(chosen.pk)).status_code == 302
        assert "Chosen" in browser.get(review.get_absolute_url()).content.decode()
        assert self.send(browser, review, "apply/", rest="not_assessed").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_a_large_document_is_staged_in_parts_and_its_page_says_how_far_it_is(
    world: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "STAGED_ROWS", 4)
    review = build.received(world.mc, rows(10))
    (claim,) = claims.claim("short", [documents.IMPORT_KIND], worker="short@test", most=1)
    pages, whole = list[str](), documents.planning.stage

    def stage(*given: Any, **named: Any) -> None:
        whole(*given, **named)
        pages.append(sign_in(world.viewer).get(review.get_absolute_url()).content.decode())

    monkeypatch.setattr(documents.planning, "stage", stage)
    documents.run(claim)
    assert [f"{number} rows of its plan are there" in page for number, page in zip((4, 8, 10), pages, strict=True)] == [
        True
    ] * 3
    review.refresh_from_db()
    assert review.state == "planned" and ImportRow.objects.filter(review=review).count() == 10

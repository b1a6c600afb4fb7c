"""Pages of reviews: who may open them, what happens by POST, bad input, what they cost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import clock
from reviews.models import Finding, Review
from tests.reviews import build, pictures
from tests.signing_in import ROLES, Counted, SignIn
from tickets.models import Ticket

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.pages


# Who may --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["received", "planned", "applied", "failed"])
def test_a_review_is_for_the_members_of_its_project(world: World, sign_in: SignIn, state: str) -> None:
    review = build.in_state(world.mc, state)
    for page in ("", "fragment/", "findings/", "document/"):
        url = f"/reviews/{review.pk}/{page}"
        for role in (*ROLES, "admin"):
            assert sign_in(getattr(world, role)).get(url).status_code == 200, (page, role)
        assert sign_in(world.outsider).get(url).status_code == 404


@pytest.mark.parametrize(
    ("page", "role"),
    [("apply/", "reviewer"), ("read/", "operator"), ("tickets/", "operator"), ("findings/{}/answer/", "reviewer")],
)
def test_a_change_takes_its_role(world: World, sign_in: SignIn, page: str, role: str) -> None:
    review = build.applied(world.mc)
    url = f"/reviews/{review.pk}/{page.format(Finding.objects.first().pk)}"  # type: ignore[union-attr]
    allowed = ROLES[ROLES.index(role) :]
    for name in ROLES:
        assert (sign_in(getattr(world, name)).post(url).status_code == 403) == (name not in allowed), name
    assert sign_in(world.outsider).post(url).status_code == 404
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("number", [2**63, 2**64, "-1", "1e3", "0x1", "١٢", "0"])
def test_what_is_no_id_is_not_there(world: World, sign_in: SignIn, number: Any) -> None:
    assert sign_in(world.admin).get(f"/reviews/{number}/").status_code == 404


def test_the_list_shows_stated_beside_found_of_own_projects(world: World, sign_in: SignIn) -> None:
    build.planned(world.mc)
    page = sign_in(world.viewer).get("/reviews/").content.decode()
    assert "Delivery path" in page and ">2</td>" in page and ">3</td>" in page
    assert "You belong to no project" in sign_in(world.outsider).get("/reviews/").content.decode()


# The document beside its findings -----------------------------------------------------


def test_lines_and_findings_lead_to_each_other(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    finding = Finding.objects.get(severity="critical")
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert 'id="L7" class="on" data-tone="bad"' in page and f'href="#finding-{finding.pk}"' in page
    assert f'id="finding-{finding.pk}"' in page and 'href="#L7"' in page


def test_a_document_is_text_and_never_markup(world: World, sign_in: SignIn) -> None:
    hostile = "# x\n<script>alert(1)</script>\n[x](javascript:y) <img src=x onerror=z>\n"
    review = build.applied(world.mc, hostile)
    browser = sign_in(world.viewer)
    page = browser.get(review.get_absolute_url()).content.decode()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page and "<img src=x" not in page
    answer = browser.get(f"{review.get_absolute_url()}document/")
    assert answer.content == hostile.encode()
    assert answer["Content-Disposition"].startswith("attachment")


def test_a_long_document_is_cut_and_says_so(world: World, sign_in: SignIn) -> None:
    review = build.in_state(world.mc, "planned")
    Review.objects.filter(pk=review.pk).update(content=b"line\n" * 5007 + b"y" * 5000)
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "Cut here: 8 more lines." in page
    Review.objects.filter(pk=review.pk).update(content=b"y" * 5000)
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "… cut: 1000 characters more" in page


def test_what_is_no_text_is_said(world: World, sign_in: SignIn) -> None:
    review = build.in_state(world.mc, "failed")
    Review.objects.filter(pk=review.pk).update(content=b"\x00\x01\x02")
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "It cannot be shown as text: The document contains NUL" in page


def test_a_finding_is_answered_and_opened_again(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    finding = Finding.objects.order_by("pk")[0]
    browser, url = sign_in(world.reviewer), f"{review.get_absolute_url()}findings/{finding.pk}/answer/"
    until = (clock.now() + timedelta(days=7)).date().isoformat()
    for verb, state, answer in (("defer", "deferred", "Until spring."), ("open_again", "open", "")):
        finding.refresh_from_db()
        sent = {"verb": verb, "reason": "Until spring.", "until": until, "expected_version": finding.version}
        assert browser.post(url, sent)["Location"] == f"{review.get_absolute_url()}#finding-{finding.pk}"
        finding.refresh_from_db()
        assert (finding.state, finding.answer) == (state, answer)


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        ({"verb": "fix", "reason": "\u200b"}, 422, "Reason is required."),
        ({"verb": "reject", "reason": "kept words"}, 422, "Give evidence"),
        ({"verb": "reject", "reason": "kept words", "evidence": "so"}, 422, "That shows nothing yet"),
        ({"verb": "waive", "reason": "kept words"}, 422, "Say until when"),
        ({"verb": "defer", "reason": "kept words", "until": "spring"}, 422, "Write the day as 2026-12-31."),
        ({"verb": "defer", "reason": "kept words", "until": "2020-01-01"}, 422, "over already"),
        ({"verb": "defer", "reason": "kept words", "until": "9999-12-31"}, 422, "at most 180 days"),
        ({"verb": "waive", "reason": "kept words", "scope": "moon"}, 422, "no environment “moon”"),
        ({"verb": "explode", "reason": "kept"}, 422, "That is no answer to a finding."),
        ({"verb": "fix", "reason": "kept words", "expected_version": 9}, 409, "version 9, now 1"),
        ({"verb": "open_again", "reason": "kept words"}, 409, "cannot open again"),
    ],
)
def test_an_answer_that_is_refused_stands_at_its_finding(
    world: World, sign_in: SignIn, sent: dict[str, Any], status: int, sentence: str
) -> None:
    review = build.applied(world.mc)
    finding = Finding.objects.order_by("pk")[0]
    url = f"{review.get_absolute_url()}findings/{finding.pk}/answer/"
    answer = sign_in(world.reviewer).post(url, {"expected_version": 1, **sent})
    page = answer.content.decode()
    assert answer.status_code == status
    here = page[page.index(f'id="finding-{finding.pk}"') : page.index(f'id="finding-{finding.pk + 1}"')]
    assert sentence in here and sent["reason"].strip("\u200b") in here
    finding.refresh_from_db()
    assert (finding.state, finding.version) == ("open", 1)


def test_a_finding_of_another_review_is_not_answered_here(world: World, sign_in: SignIn) -> None:
    review, foreign = build.applied(world.mc), build.finding(world.mc)
    url = f"{review.get_absolute_url()}findings/{foreign.pk}/answer/"
    sent = {"verb": "fix", "reason": "x", "expected_version": 1}
    assert sign_in(world.reviewer).post(url, sent).status_code == 404


def test_all_that_a_document_says_is_shown_as_its_own_word(world: World, sign_in: SignIn) -> None:
    pages = pictures.of_reviews(world)
    page = sign_in(world.viewer).get(pages["review-applied"]).content.decode()
    for words in (
        "DO NOT MERGE",
        "release-lead",
        "says failed",
        "Rotate the webhook secret",
        "Index on tenant and time",
    ):
        assert words in page, words
    assert '<a href="/tickets/MC-1/">MC-1</a>' in page
    assert "Fix first" in page and "Order of fixing" in page
    log = sign_in(world.viewer).get(pages["review-log"]).content.decode()
    assert "CLEAN to ship." in log and "6 of 6 tests passed" in log and "Nothing is done about it." in log


def test_a_series_shows_each_finding_by_version(world: World, sign_in: SignIn) -> None:
    pages = pictures.of_reviews(world)
    page = sign_in(world.viewer).get(pages["review-applied"]).content.decode()
    table = page[page.index('aria-labelledby="matrix"') :]
    rows = {row.partition("<bdi>")[2].partition("</bdi>")[0]: row for row in table.split("<tr>")[2:]}
    words = {"DP-1": ("New", "Still there"), "DP-3": ("New", "Stated as fixed"), "DP-4": ("New", "Not assessed")}
    for reference, (first, second) in words.items():
        cells = rows[reference].split('<td class="x')[1:]
        assert first in cells[0] and second in cells[1], reference
    assert "Not yet known" in rows["DP-5"] and "New" in rows["DP-5"]


def test_one_version_alone_has_no_table_of_versions(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    assert 'id="matrix"' not in sign_in(world.viewer).get(review.get_absolute_url()).content.decode()


def test_many_versions_are_cut_and_it_is_said(world: World, sign_in: SignIn) -> None:
    for n in range(10):
        review = build.applied(world.mc, f"{build.DOCUMENT}\nVersion {n}.\n")
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "Cut here: the newest 8 versions" in page and ">v2</a><br>" not in page and ">v3</a><br>" in page


def test_a_document_that_is_laid_out_is_harmless_and_keeps_its_links(world: World, sign_in: SignIn) -> None:
    hostile = build.DOCUMENT + "\n<script>alert(1)</script> [x](javascript:y) ![z](http://e.org/z.png) \u202egpj\n"
    review = build.applied(world.mc, hostile)
    page = sign_in(world.viewer).get(f"{review.get_absolute_url()}?rendered=1").content.decode()
    assert "<td>DP-1</td>" in page
    assert "<script>alert" not in page and 'javascript:y"' not in page and "<img" not in page and "\u202e" not in page
    assert f'href="{review.get_absolute_url()}#L7"' in page


def test_totals_that_leave_out_rejected_findings_are_explained(world: World, sign_in: SignIn) -> None:
    rows = "| A-1 | HIGH | A door squeaks | open |\n| A-2 | HIGH | A window rattles | rejected |\n"
    table = "| Ref | Severity | Title | Status |\n|---|---|---|---|\n"
    review = build.planned(world.mc, f"# R\n\n1 issues found: 1 HIGH.\n\n{table}{rows}")
    page = sign_in(world.viewer).get(review.get_absolute_url()).content.decode()
    assert "The document rejects findings itself" in page and "They differ" not in page


def test_a_finding_that_was_withdrawn_is_on_no_page(world: World, sign_in: SignIn) -> None:
    review = build.applied(world.mc)
    browser = sign_in(world.operator)
    browser.post(f"{review.get_absolute_url()}tickets/", {"all": "1"})
    ticket = Ticket.objects.order_by("pk").first()
    assert ticket is not None
    title = Finding.objects.get(ticket=ticket).title
    assert title in browser.get("/findings/").content.decode()
    Finding.objects.update(state="withdrawn")
    assert title not in browser.get("/findings/").content.decode()
    assert "ticket-findings" not in browser.get(ticket.get_absolute_url()).content.decode()


def test_a_ticket_shows_the_documents_that_are_about_it(world: World, sign_in: SignIn) -> None:
    pictures.of_reviews(world)
    page = sign_in(world.viewer).get("/tickets/MC-1/").content.decode()
    assert "Documents about it" in page and "its verdict: <bdi>DO NOT MERGE</bdi>" in page


def test_what_pages_cost_does_not_depend_on_how_much_there_is(world: World, sign_in: SignIn, counted: Counted) -> None:
    browser = sign_in(world.owner)

    def document(rows: int) -> str:
        return "# R\n\n| Ref | Severity | Title |\n|---|---|---|\n" + "".join(
            f"| R-{n} | CRITICAL | Problem number {n} in file {n}.py |\n" for n in range(rows)
        )

    def costs(size: int) -> list[int]:
        planned = build.planned(world.mc, document(size), series=f"Planned {size}")
        applied = build.applied(world.mc, document(size + 1), series=f"Applied {size}")
        sign_in(world.operator).post(f"{applied.get_absolute_url()}tickets/", {"all": "1"})
        for n in range(size):
            build.received(world.mc, f"# {n}", series=f"Series {size} {n}")
        urls = [
            "/reviews/",
            planned.get_absolute_url(),
            applied.get_absolute_url(),
            Ticket.objects.latest("pk").get_absolute_url(),
        ]
        return [counted(browser, url) for url in urls]

    few = costs(3)
    assert costs(30) == few
    # session, user, roles, what the navigation counts; then the list itself
    assert few[0] <= 7

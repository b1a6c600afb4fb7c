"""Where only people bring work into the target: its branch is pushed, and the ticket is done once they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.tickets.workshop import GOOD, IDENTITY, Workshop
from tickets import work
from tickets.forges import proposal_url
from tickets.models import Merge, Ticket
from workers import queue
from workers.models import Attempt, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import World


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path, landing="branch", checks=[["sh", "-c", "test ! -e broken && echo 1 passed"]])


def accepted(shop: Workshop, world: World, ticket: Ticket) -> Merge:
    ticket.refresh_from_db()
    work.accept(ticket, expected_version=ticket.version, by=world.reviewer, reason="")
    return look(shop, ticket)


def look(shop: Workshop, ticket: Ticket) -> Merge:
    shop.make_due()
    shop.drain()
    ticket.refresh_from_db()
    return Merge.objects.filter(ticket=ticket).latest("pk")


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
@pytest.mark.parametrize("how", ["merge", "squash"])
def test_the_branch_is_pushed_and_the_ticket_is_done_once_somebody_merged_it(
    shop: Workshop, world: World, sign_in: Callable[..., Client], how: str
) -> None:
    ticket, main = shop.ticket(), shop.git("rev-parse", "main")
    turn = shop.turn(ticket, GOOD)
    merge = accepted(shop, world, ticket)
    branch = f"shiproom/{ticket.key.lower()}"
    assert (ticket.state, merge.state, merge.pushed_branch) == ("merging", "queued", branch)
    assert shop.git("rev-parse", branch) == turn.head_commit and shop.git("rev-parse", "main") == main
    page = sign_in(world.viewer).get(f"/tickets/{ticket.key}/").content.decode()
    assert "Waits to be merged" in page and branch in page
    # Looked for again, and not checked or pushed again; each look later than the one before.
    assert look(shop, ticket).state == "queued"
    assert [attempt.outcome for attempt in Attempt.objects.order_by("-pk")[:2]] == ["parked", "parked"]
    options = ("--no-ff", "--no-edit") if how == "merge" else ("--squash",)
    shop.git(*IDENTITY, "merge", "-q", *options, branch)
    if how == "squash":
        shop.git(*IDENTITY, "commit", "-q", "-m", "Squashed")
    shop.git("branch", "-D", branch)
    merge = look(shop, ticket)
    assert (ticket.state, merge.state, merge.recognised) == ("done", "merged", True)
    assert ticket.merged_commit == merge.merged_commit == shop.git("rev-parse", "main")


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_what_fails_on_the_result_is_not_pushed(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    shop.commit("broken", "by the team")
    merge = accepted(shop, world, ticket)
    assert (ticket.state, merge.state, merge.pushed_branch) == ("needs_person", "sent_back", "")
    assert shop.git("branch", "--list", "shiproom/*") == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_a_branch_of_somebody_else_is_not_overwritten(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    branch = f"shiproom/{ticket.key.lower()}"
    shop.git("checkout", "-q", "-b", branch)
    theirs = shop.commit("theirs", "x")
    shop.git("checkout", "-q", "main")
    merge = accepted(shop, world, ticket)
    assert (ticket.state, merge.state) == ("in_review", "failed")
    assert "with other work than the ticket's" in merge.detail and shop.git("rev-parse", branch) == theirs


@pytest.mark.django_db(transaction=True)
@pytest.mark.pages
def test_cancelled_it_is_accepted_again_over_its_own_branch(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    first = accepted(shop, world, ticket)
    queue.cancel(Job.objects.get(kind="merge", state="queued"), reason="Closed there.")
    ticket.refresh_from_db()
    assert ticket.state == "in_review"
    turn = shop.turn(ticket, [["write", "src/more", "1"], ["commit", "y"], GOOD[-1]])
    second = accepted(shop, world, ticket)
    assert second.pk != first.pk and second.pushed_branch == first.pushed_branch
    assert shop.git("rev-parse", second.pushed_branch) == turn.head_commit


@pytest.mark.once
@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("git@github.com:a/b.git", "https://github.com/a/b/compare/main...shiproom/mc-1"),
        ("https://github.com/a/b", "https://github.com/a/b/compare/main...shiproom/mc-1"),
        ("ssh://git@codeberg.org:2222/a/b.git", "https://codeberg.org/a/b/compare/main...shiproom/mc-1"),
        ("https://gitea.example.org:3000/a/b.git", "https://gitea.example.org:3000/a/b/compare/main...shiproom/mc-1"),
        (
            "git@gitlab.com:a/b/c.git",
            "https://gitlab.com/a/b/c/-/merge_requests/new?merge_request%5Bsource_branch%5D=shiproom%2Fmc-1"
            "&merge_request%5Btarget_branch%5D=main",
        ),
        ("https://code.example.org/a/b.git", ""),
        ('https://github.com/a/"><b', ""),
        ("/srv/github/b", ""),
    ],
)
def test_the_link_leads_to_the_hosts_own_page(repository: str, url: str) -> None:
    assert proposal_url(repository, branch="shiproom/mc-1", target="main") == url

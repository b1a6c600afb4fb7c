"""Councils through real turns of scripted agents: what an agent leaves, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core.lifecycle import Refused
from reviews.councils import asking, voting
from reviews.councils.subjects import Subject
from reviews.models import Council, Finding, Member, Review, Vote
from reviews.queries import councils as queries
from tests.reviews.chambers import document, members
from tests.tickets.workshop import GOOD, SCRIPT, Steps, Workshop
from tickets.models import Turn

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)
About = Council.About
BOX = {"containment": "bubblewrap", "network": "none", "trusted": False, "readable": [str(SCRIPT)]}


def reads(text: str) -> Steps:
    return [["review", text], ["signal", "DONE", "It is written."]]


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    shop = Workshop(world.mc, tmp_path)
    shop.commit("src/door.txt", "squeaks\n")
    return shop


def ask(shop: Workshop, world: World, *agents: Any, **options: Any) -> Council:
    subject = options.pop("subject", Subject(About.BRANCH, "main"))
    council = asking.ask(shop.project, subject, series_name="Doors", by=world.operator, agents=agents, **options)
    while shop.drain() + shop.drain("short"):
        pass
    council.refresh_from_db()
    return council


def test_two_agents_read_one_commit_and_are_merged_disputed_and_closed(shop: Workshop, world: World) -> None:
    meddles: Steps = [["write", "src/door.txt", "mine now\n"], ["commit", "x"], ["write", "left", "1"]]
    one = shop.agent([*meddles, *reads(document())], "critic")
    other = shop.agent(reads(document("Ship after D-1.", "Medium", "The paint is dull")), "judge")
    council = ask(shop, world, one, other, imports=True, instructions="Look at the hinges.")
    first, second = members(council)
    assert (council.state, council.commit, council.title) == ("open", shop.git("rev-parse", "main"), "By the team")
    assert [review.state for review in Review.objects.order_by("pk")] == ["applied", "applied"]
    review, turn = first.review, Turn.objects.order_by("pk")[0]
    assert review is not None and first.ticket is not None
    assert (review.turn, review.reviewer) == (turn, f"critic, turn 1 of {first.ticket.key}")
    assert (bytes(review.content).decode(), review.commit) == (document(), council.commit)
    assert (first.ticket.state, first.ticket.body, turn.purpose) == ("done", "Look at the hinges.", "review")
    # What it did to the tree is gone: its branch stands where it read.
    folder = Path(first.ticket.workspace.path)
    assert shop.git("rev-parse", "HEAD", at=folder) == council.commit
    assert shop.git("status", "--porcelain", at=folder) == ""
    found = queries.everything(council, world.operator).findings
    assert (found.imported, found.waiting, found.agreed) == (2, 0, [])
    assert found.disputed[0].disputes == ["They grade it differently: critic: critical, judge: medium."]
    assert [vote.ballot for vote in Vote.objects.order_by("member")] == ["do_not_ship", "ship_after"]
    voting.close(council)
    assert (council.state, council.outcome) == ("closed", "do_not_ship")
    assert second.state == "answered"


def test_what_hands_in_nothing_is_said_and_is_asked_again(shop: Workshop, world: World) -> None:
    link = "ln -s /etc/hostname $(grep -o 'review-[0-9a-f]*.md' prompt | head -1)"
    council = ask(
        shop,
        world,
        shop.agent([["signal", "DONE", "I looked, all is well."]], "idle"),
        shop.agent([["signal", "BLOCKED", "No tools."]], "blocked"),
        shop.agent([["exit", 3]], "broken", max_failures=1),
        # A link in place of the file is not followed: it could lead to anything of the machine.
        shop.agent([["keep", "prompt"], ["run", "sh", "-c", link], ["signal", "DONE", "See the file."]], "linker"),
    )
    said = {member.label: (member.state, member.problem) for member in members(council)}
    assert {state for state, _ in said.values()} == {"failed"}
    assert "no document" in said["idle"][1] and "no document" in said["linker"][1]
    assert said["blocked"][1] == "It ended with BLOCKED: No tools."
    assert "exit" in said["broken"][1]
    assert {member.ticket.state for member in members(council) if member.ticket} == {"done"}
    idle = Member.objects.select_related("council__series__project", "agent").get(label="idle")
    shop.agent([["signal", "DONE", {"document": document(), "vote": "ship_after", "reason": "Oil D-1."}]], "idle")
    asking.ask_again(idle)
    shop.drain()
    idle.refresh_from_db()
    vote = Vote.objects.get()
    assert (idle.state, idle.problem, Review.objects.count()) == ("answered", "", 1)
    assert (vote.member, vote.ballot, vote.reason) == (idle, "ship_after", "Oil D-1.")


def test_the_agent_whose_turn_made_the_commit_is_no_member(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    mender = shop.agent(reads(document()))
    # In a box its own repository begins where the worktree stands.
    looks: Steps = [["run", "grep", "oiled", "src/door.txt"], ["run", "git", "diff", "--quiet", "HEAD"]]
    critic = shop.agent([*looks, *reads(document())], "critic", **BOX)
    work = Subject(About.TICKET, ticket.key, ticket=ticket)
    with pytest.raises(Refused, match=r"mender made it, in turn 1 of .*: nobody reviews their own work"):
        ask(shop, world, mender, subject=work)
    of_work = ask(shop, world, critic, subject=work)
    assert (of_work.commit, of_work.base) == (turn.head_commit, turn.base_commit)
    assert members(of_work)[0].state == "answered"
    # By the commit itself it is only known when that was looked up.
    shop.git("fetch", "-q", str(Path(ticket.workspace.path)), "HEAD:refs/heads/offered")
    council = ask(shop, world, mender, subject=Subject(About.BRANCH, "offered"), people=[world.reviewer])
    refused, asked = members(council)
    assert (refused.state, asked.state) == ("refused", "waiting")
    assert "mender made it, in turn 1" in refused.problem
    assert council.base == shop.git("rev-parse", "main")


def test_who_wrote_the_commit_is_no_member_and_an_unknown_name_is_said(shop: Workshop, world: World) -> None:
    mine = ("-c", "user.name=R", "-c", f"user.email={world.reviewer.email}")
    shop.git(*mine, "commit", "-q", "--allow-empty", "-m", "x")
    council = ask(shop, world, people=[world.reviewer, world.operator])
    assert [member.state for member in members(council)] == ["refused", "waiting"]
    with pytest.raises(Refused, match="nobody reviews their own work"):
        voting.vote(council, "ship", by=world.reviewer, reason="Mine.")
    failed = ask(shop, world, people=[world.operator], subject=Subject(About.BRANCH, "nothing"))
    assert failed.state == "failed"
    assert "no branch, tag or commit nothing" in failed.detail
    # Another commit of the branch makes what was said of the earlier one void.
    shop.commit("src/door.txt", "oiled\n")
    second = ask(shop, world, people=[world.operator])
    council.refresh_from_db()
    assert (council.state, second.state, Finding.objects.count()) == ("void", "open", 0)
    assert second.commit[:12] in council.detail

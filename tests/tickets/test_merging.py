"""Accepting merges: once, on top of what is there, checked; or the work comes back with the reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets.workshop import GOOD, IDENTITY, Workshop
from tests.workers.racing import race
from tickets import conversation, landing, work
from tickets.models import CheckRun, Merge, MergeState, Ticket
from workers.models import Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["merge", "rebase"])
def shop(world: World, tmp_path: Path, settings: Any, request: pytest.FixtureRequest) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path, merge_strategy=request.param)


def accepted(shop: Workshop, world: World, ticket: Ticket, *, reason: str = "") -> Merge | None:
    work.accept(ticket, by=world.owner, reason=reason)
    shop.drain()
    ticket.refresh_from_db()
    return Merge.objects.filter(ticket=ticket).order_by("-pk").first()


def test_accepted_work_is_in_the_target_and_the_ticket_names_the_commit(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    before = shop.commit("other.txt", "meanwhile")
    merge = accepted(shop, world, ticket)
    assert merge is not None
    assert (ticket.state, merge.state, merge.accepted_by) == ("done", "merged", world.owner)
    assert ticket.accepted_commit == turn.head_commit
    assert ticket.merged_commit == merge.merged_commit == shop.git("rev-parse", "main")
    assert (merge.target_commit, merge.recognised) == (before, False)
    assert shop.git("show", "main:src/door.txt") == "oiled"
    parents = shop.git("log", "-1", "--format=%P", "main").split()
    assert len(parents) == (2 if merge.strategy == "merge" else 1)
    assert (shop.repository / "src/door.txt").read_text() == "oiled\n", "a clean checkout follows"


def test_a_conflict_goes_back_as_a_message_to_the_agent(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    moved = shop.commit("src/door.txt", "painted\n")
    merge = accepted(shop, world, ticket)
    assert merge is not None
    assert (ticket.state, merge.state, ticket.accepted_commit) == ("needs_person", "sent_back", "")
    assert shop.git("rev-parse", "main") == moved
    (message,) = conversation.waiting(ticket)
    assert message.author_kind == "portal"
    assert "src/door.txt" in message.body and moved[:8] in message.body
    # The next turn merges the target, which is in its worktree, and is accepted.
    merging = [
        ["run", "sh", "-c", "git -c user.name=a -c user.email=a@b.c merge -q -X ours origin/main || true"],
        ["write", "src/door.txt", "painted, then oiled\n"],
        ["commit", "Take in the paint"],
        ["signal", "DONE", "Both are in."],
    ]
    turn = shop.turn(ticket, merging)
    assert turn.proven, turn.measurement.reasons
    if merge.strategy == "merge":
        assert accepted(shop, world, ticket) is not None
        assert (ticket.state, shop.git("show", "main:src/door.txt")) == ("done", "painted, then oiled")


def test_checks_that_fail_on_the_result_send_the_work_back_with_their_output(shop: Workshop, world: World) -> None:
    check = ["sh", "-c", "test ! -e forbidden.txt || { echo the two do not go together; exit 3; }"]
    shop.project.checks = [check]
    shop.project.save(update_fields=["checks"])
    ticket = shop.ticket()
    assert shop.turn(ticket, GOOD).proven
    before = shop.commit("forbidden.txt", "x")
    merge = accepted(shop, world, ticket)
    assert merge is not None
    assert (ticket.state, merge.state) == ("needs_person", "sent_back")
    assert shop.git("rev-parse", "main") == before, "nothing red is pushed"
    assert CheckRun.objects.get(attempt=merge.attempt).exit_code == 3
    (message,) = conversation.waiting(ticket)
    assert "the two do not go together" in message.body


def test_a_dirty_checkout_of_the_target_is_refused_with_gits_reason_and_can_be_accepted_again(
    shop: Workshop, world: World, settings: Any
) -> None:
    settings.LIMITS = settings.LIMITS | {"JOB_MAX_FAILURES": 1}
    shop.commit("src/wall.txt", "white\n")
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    (shop.repository / "src/wall.txt").write_text("half painted\n")
    merge = accepted(shop, world, ticket)
    assert merge is not None
    assert (ticket.state, merge.state) == ("in_review", "failed")
    assert merge.detail
    assert (shop.repository / "src/wall.txt").read_text() == "half painted\n"
    shop.git("checkout", "-q", "--", "src/wall.txt")
    assert accepted(shop, world, ticket) is not None
    assert ticket.state == "done"


def test_a_branch_that_somebody_squashed_into_the_target_is_recognised_by_its_patch(
    shop: Workshop, world: World
) -> None:
    ticket = shop.ticket()
    steps = [*GOOD[:2], ["write", "src/hinge.txt", "x\n"], ["commit", "The hinge"], GOOD[2]]
    turn = shop.turn(ticket, steps)
    clone = Path(ticket.workspace.path)
    shop.commit("other.txt", "meanwhile")
    shop.git("fetch", "-q", str(clone), turn.head_commit)
    shop.git("merge", "-q", "--squash", "FETCH_HEAD")
    shop.git(*IDENTITY, "commit", "-q", "-m", "Oil it all at once")
    squashed = shop.git("rev-parse", "HEAD")
    shop.commit("later.txt", "later")
    merge = accepted(shop, world, ticket)
    assert merge is not None
    assert (ticket.state, merge.recognised, ticket.merged_commit) == ("done", True, squashed)
    assert shop.git("log", "--format=%s", "-1", "main") == "By the team", "nothing was merged twice"


def test_without_a_commit_there_is_nothing_to_merge(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, [["signal", "DONE", "It was fine already."]])
    assert ticket.state == "unproven"
    assert accepted(shop, world, ticket, reason="True, it is fine.") is None
    assert (ticket.state, ticket.merged_commit) == ("done", "")


def test_what_stands_on_the_branch_of_an_earlier_turn_is_merged_too(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, [*GOOD[:2], ["exit", 1]], max_failures=1)
    assert ticket.state == "failed"
    shop.turn(ticket, [["signal", "DONE", "It was done before."]])
    accepted(shop, world, ticket, reason="Its first turn did it.")
    assert shop.git("show", "main:src/door.txt") == "oiled"


def test_a_reopened_ticket_goes_on_from_what_was_merged(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    accepted(shop, world, ticket)
    shop.commit("later.txt", "later")
    work.reopen(ticket, reason="It squeaks again.")
    turn = shop.turn(ticket, [["write", "src/door.txt", "oiled twice\n"], ["commit", "Again"], ["signal", "DONE", "x"]])
    assert turn.proven, turn.measurement.reasons
    assert (turn.measurement.files_changed, turn.measurement.commit_count) == (1, 1)
    accepted(shop, world, ticket)
    assert (ticket.state, shop.git("show", "main:src/door.txt")) == ("done", "oiled twice")


def _die_before_it_is_stored(ticket: int) -> None:
    """A worker that has pushed the merge, and is gone before it could say so."""
    from workers import kinds

    land = landing.land

    def dying(*values: Any, **options: Any) -> Any:
        land(*values, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    landing.land = dying
    assert kinds.get("merge") is not None
    Workshop.drain(None)  # type: ignore[arg-type]


def test_a_merge_whose_worker_was_killed_after_the_push_is_not_merged_again(shop: Workshop, world: World) -> None:
    from workers.sweeping import sweep

    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    work.accept(ticket, by=world.owner, reason="")
    with pytest.raises(EOFError):
        race(_die_before_it_is_stored, [(ticket.pk,)])
    pushed = shop.git("rev-parse", "main")
    assert shop.git("show", "main:src/door.txt") == "oiled"
    Job.objects.filter(state="running").update(lease_until="2000-01-01T00:00:00Z")
    sweep()
    shop.make_due()
    shop.drain()
    ticket.refresh_from_db()
    assert (ticket.state, ticket.merged_commit, shop.git("rev-parse", "main")) == ("done", pushed, pushed)


def test_a_merge_that_was_cancelled_leaves_the_work_to_be_accepted_again(shop: Workshop, world: World) -> None:
    from workers import queue

    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    work.accept(ticket, by=world.owner, reason="")
    queue.cancel(Job.objects.get(kind="merge"), reason="Not now.")
    ticket.refresh_from_db()
    assert (ticket.state, Merge.objects.get().state) == ("in_review", MergeState.FAILED)
    accepted(shop, world, ticket)
    assert ticket.state == "done"

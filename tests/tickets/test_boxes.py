"""Turns in a box: what they commit in a repository of their own becomes the ticket's branch, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets.workshop import GOOD, IDENTITY, SCRIPT, Steps, Workshop
from tickets import boxes, clones, git
from tickets.models import CheckRun, Project, Ticket, Turn, Workspace
from workers.claims import Cancelled, LeaseLost

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
DONE = ["signal", "DONE", "Done."]
Boxed = Callable[..., Turn]


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


@pytest.fixture
def boxed(shop: Workshop) -> Boxed:
    def turn(ticket: Ticket, steps: Steps, **profile: Any) -> Turn:
        box = {"containment": "bubblewrap", "network": "none", "trusted": False, "readable": [str(SCRIPT)]}
        return shop.turn(ticket, steps, **box | profile)

    return turn


def sh(command: str) -> list[str]:
    return ["run", "sh", "-c", command]


def branch(shop: Workshop, ticket: Ticket) -> str:
    return shop.git("rev-parse", f"refs/heads/shiproom/{ticket.key.lower()}", at=clones.path_of(shop.project))


def test_two_turns_build_on_each_other_and_are_measured(shop: Workshop, boxed: Boxed) -> None:
    shop.commit("README", "x\n")
    ticket = shop.ticket()
    first = boxed(ticket, GOOD)
    assert (ticket.state, first.measurement.reasons) == ("in_review", [])
    second = boxed(
        ticket,
        [
            sh('test -z "$(git status --porcelain)" && git log --format=%s origin/main'),
            ["write", "src/bell.txt", "rung\n"],
            ["commit", "Ring the bell"],
            DONE,
        ],
    )
    assert (ticket.state, second.measurement.reasons, second.measurement.commit_count) == ("in_review", [], 1)
    assert second.base_commit == first.head_commit
    assert branch(shop, ticket) == second.head_commit
    assert not (Path(boxes.settings.DATA_DIR) / "homes" / ticket.key / ".box").exists()
    assert git.git(Path(Workspace.objects.get().path), "status", "--porcelain") == ""


def test_what_head_is_at_becomes_the_branch_wherever_the_agent_went(shop: Workshop, boxed: Boxed) -> None:
    ticket = shop.ticket()
    turn = boxed(ticket, [sh("git checkout -q -b mine"), *GOOD[:2], sh("git pack-refs --all --prune"), DONE])
    assert branch(shop, ticket) == turn.head_commit != turn.base_commit
    refs = shop.git("for-each-ref", "--format=%(refname)", "refs/heads", at=clones.path_of(shop.project))
    assert refs == f"refs/heads/shiproom/{ticket.key.lower()}"
    detached = boxed(ticket, [["write", "b", "1"], sh("git checkout -q --detach"), ["commit", "Detached"], DONE])
    assert branch(shop, ticket) == detached.head_commit
    assert detached.measurement.reasons == []


def test_files_that_are_not_committed_stay_and_are_seen(shop: Workshop, boxed: Boxed) -> None:
    ticket = shop.ticket()
    turn = boxed(ticket, [*GOOD[:2], ["write", "left.txt", "1"], ["run", "git", "add", "left.txt"], DONE])
    assert turn.measurement.reasons == ["Not committed: left.txt."]
    boxed(ticket, [sh("test -f left.txt"), ["commit", "The rest"], DONE])
    assert ticket.state == "in_review"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("rm -rf $(git rev-parse --git-dir)/HEAD", "without a commit at its HEAD"),
        ("echo 'ref: ../../../x' > $(git rev-parse --git-dir)/HEAD", "without a commit at its HEAD"),
        (f"echo {'1' * 40} > $(git rev-parse --git-dir)/HEAD", "cannot be taken in"),
        ("d=$(git rev-parse --git-path objects); ln -s / $d/ff", "left a link among its commits"),
        ("d=$(git rev-parse --git-dir); rm $d/HEAD; ln -s /etc/hostname $d/HEAD", "without a commit at its HEAD"),
    ],
)
def test_a_repository_that_git_cannot_take_fails_the_turn_and_harms_nothing(
    shop: Workshop, boxed: Boxed, damage: str, said: str
) -> None:
    ticket = shop.ticket()
    turn = boxed(ticket, [*GOOD[:2], sh(damage), DONE], max_failures=1)
    assert (turn.state, ticket.state) == ("failed", "failed")
    assert said in turn.verdict
    assert branch(shop, ticket) == turn.base_commit
    assert (Path(Workspace.objects.get().path) / "src" / "door.txt").read_text() == "oiled\n"
    again = boxed(ticket, [["commit", "Once more"], DONE])
    assert (ticket.state, again.measurement.reasons) == ("in_review", [])


def test_an_object_with_another_content_than_its_name_says_is_refused(shop: Workshop, boxed: Boxed) -> None:
    forge = (
        'o=$(git rev-parse HEAD:src/door.txt); f=$(git rev-parse --git-path objects)/$(echo $o | sed "s,^..,&/,");'
        " n=$(echo forged | git hash-object -w --stdin); rm -f $f;"
        ' cp $(git rev-parse --git-path objects)/$(echo $n | sed "s,^..,&/,") $f'
    )
    ticket = shop.ticket()
    turn = boxed(ticket, [*GOOD[:2], sh(forge), DONE], max_failures=1)
    assert turn.state == "failed"
    assert "cannot be taken in" in turn.verdict
    assert branch(shop, ticket) == turn.base_commit


def test_commits_of_another_repository_are_not_taken_in_as_its_own(
    shop: Workshop, boxed: Boxed, tmp_path: Path
) -> None:
    """It names a commit that it heard of, and lays the way to the objects of another project."""
    foreign = tmp_path / "foreign"
    shop.git("init", "-q", str(foreign), at=tmp_path)
    shop.git(*IDENTITY, "commit", "-q", "--allow-empty", "-m", "Of another project", at=foreign)
    tip = shop.git("rev-parse", "HEAD", at=foreign)
    way = f"echo {foreign}/.git/objects"
    lay = (
        f"d=$(git rev-parse --git-dir); {way} >> $d/objects/info/alternates; mv $d/objects/info $d/objects/old;"
        f" mv $d/objects $d/old; mkdir -p $d/objects/info; {way} > $d/objects/info/alternates; echo {tip} > $d/HEAD"
    )
    ticket = shop.ticket()
    turn = boxed(ticket, [sh(lay), DONE], max_failures=1)
    assert (turn.state, branch(shop, ticket)) == ("failed", turn.base_commit)
    assert "cannot be taken in" in turn.verdict


def test_commits_of_a_turn_whose_worker_was_lost_are_taken_in_by_the_next(
    shop: Workshop, boxed: Boxed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = shop.ticket()
    with monkeypatch.context() as lost:
        lost.setattr(boxes, "_take", lambda *_: (_ for _ in ()).throw(SystemExit("killed")))
        lost.setattr(boxes.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(SystemExit):
            boxed(ticket, GOOD)
    assert shop.git("log", "--format=%s", "-1", at=Path(Workspace.objects.get().path)) == "Begin"
    boxes.ready(ticket, Workspace.objects.get(), Turn.objects.get().agent_version)
    assert shop.git("log", "--format=%s", "-1", at=Path(Workspace.objects.get().path)) == "Oil the door"


@pytest.mark.parametrize(("ended", "taken"), [(Cancelled, True), (LeaseLost, False)])
def test_a_stopped_turn_leaves_its_commits_and_a_lost_one_leaves_them_to_the_next(
    shop: Workshop, boxed: Boxed, ended: type[Exception], taken: bool
) -> None:
    ticket = shop.ticket()
    turn = boxed(ticket, GOOD)
    workspace = Workspace.objects.get()
    mounts = boxes.ready(ticket, workspace, turn.agent_version)
    assert mounts is not None
    where = (f"--git-dir={mounts.writable[0]}", f"--work-tree={workspace.path}")
    with pytest.raises(ended), boxes.emptied(turn, workspace):
        shop.git(*where, *IDENTITY, "commit", "-q", "--allow-empty", "-m", "Half of it", at=Path(workspace.path))
        raise ended("no more")
    assert (branch(shop, ticket) != turn.head_commit) is taken
    assert mounts.writable[0].exists() is not taken


def test_the_checks_run_what_it_wrote_in_its_box_as_well(shop: Workshop, boxed: Boxed, tmp_path: Path) -> None:
    """Until somebody has accepted it, that is."""
    told = "cat $HOME/.planted; id -un; git log -1 --format=%s; touch $HOME/.planted; cat {}; test -w {}".format(
        *2 * [Path(boxes.settings.DATA_DIR) / "keys" / "secret"]
    )
    (Path(boxes.settings.DATA_DIR) / "keys").mkdir(parents=True)
    (Path(boxes.settings.DATA_DIR) / "keys" / "secret").write_text("canary")
    Project.objects.filter(pk=shop.project.pk).update(checks=[["sh", "check.sh"]])
    shop.project.refresh_from_db()
    ticket = shop.ticket()
    boxed(ticket, [["write", "check.sh", told], ["commit", "Check"], DONE])
    run = CheckRun.objects.get()
    assert run.output.split("\n")[:2] == ["nobody", "Check"]
    assert ("canary" in run.output, run.outcome) == (False, "failed")
    assert not (Path(boxes.settings.DATA_DIR) / "homes" / "checks-MC" / ".planted").exists()


def test_a_reviewer_in_a_box_leaves_nothing(shop: Workshop, boxed: Boxed) -> None:
    from tickets import work

    ticket = shop.ticket()
    first = boxed(ticket, GOOD)
    box = {"containment": "bubblewrap", "network": "none", "trusted": False, "readable": [str(SCRIPT)]}
    reader = shop.agent([["write", "x", "1"], ["commit", "Mine"], DONE], name="reader", **box)
    work.have_reviewed(ticket, reader)
    shop.drain()
    assert Turn.objects.filter(ticket=ticket).count() == 2
    assert branch(shop, ticket) == first.head_commit
    assert not (Path(Workspace.objects.get().path) / "x").exists()

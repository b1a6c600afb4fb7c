"""The demo's agents really do what they say: in a worktree, on the demo's own faults, measured by its checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portal.site.demo import loading, removing
from portal.site.demo.agents.mending_agent import MARK, MENDS
from tests.portal.site.demo_place import admin, files, git, place
from tests.tickets.workshop import newest
from tickets import questions, work
from tickets.models import CheckRun, Ticket, Turn, Workspace
from workers.draining import Drain
from workers.leases import LeaseKeeper
from workers.models import Agent

__all__ = ["place"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("place"), pytest.mark.once]


def drain() -> None:
    """Run what is due, as a worker of turns does."""
    Drain("turns", "turns@test", LeaseKeeper("turns@test"), lambda: False).run()


def worked(key: str, agent: str) -> tuple[Ticket, Turn]:
    """The ticket and its newest turn, after the agent had it."""
    work.assign(Ticket.objects.get(key=key), Agent.objects.get(name=agent))
    drain()
    ticket = Ticket.objects.get(key=key)
    return ticket, newest(ticket)


def worktree(ticket: Ticket) -> Path:
    return Path(Workspace.objects.get(ticket=ticket).path)


def failures(folder: Path, commit: str, test: str, into: Path) -> str:
    """How a test of the demo ends on a commit, without the mark that lets it fail."""
    place = into / commit
    git("worktree", "add", "--quiet", "--detach", str(place), commit, at=folder)
    file = place / test
    file.write_text(file.read_text().replace(MARK, ""))
    argv = [sys.executable, "-B", "-m", "unittest", test.removesuffix(".py").replace("/", ".")]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1]


def test_the_demos_own_test_fails_on_the_fault_and_passes_after_the_mending_agent(place: Path, tmp_path: Path) -> None:
    admin()
    before = files(place)
    loading.load()
    mend = MENDS["failed lamp"]
    ticket, turn = worked("DEMO-1", "demo-mender")
    assert (ticket.state, turn.state, turn.proven) == ("in_review", "done", True)
    check = CheckRun.objects.get(attempt=turn.attempt)
    assert "OK (expected failures=2)" in check.output, "the mark of this one is gone, those of the others are not"
    folder = worktree(ticket)
    assert failures(folder, turn.base_commit, mend.test, tmp_path) == "FAILED (failures=1)"
    assert failures(folder, turn.head_commit, mend.test, tmp_path) == "OK"
    assert turn.measurement.files_changed == 2
    assert (place / "clones" / "DEMO.git").is_dir()
    removing.remove()
    assert files(place) == before, "clone, worktree and homes are gone too"


@pytest.mark.parametrize(("choice", "code"), [(0, "metres / 1852"), (1, "kilometres")])
def test_the_asking_agent_takes_the_answer_into_its_work(choice: int, code: str) -> None:
    owner = admin()
    loading.load()
    ticket, turn = worked("DEMO-2", "demo-asker")
    assert (ticket.state, turn.state) == ("needs_person", "needs_input")
    questions.answer(ticket.questions.get(), by=owner, choice=choice, text="")
    drain()
    ticket.refresh_from_db()
    assert ticket.state == "in_review"
    head = newest(ticket).head_commit
    assert code in git("show", f"{head}:harbour/ranges.py", at=worktree(ticket))


def test_what_no_agent_can_do_is_not_done() -> None:
    admin()
    loading.load()
    assert worked("DEMO-4", "demo-mender")[0].state == "blocked"
    assert worked("DEMO-3", "demo-boaster")[0].state == "unproven", "it claims, and has done nothing"
    ticket, turn = worked("DEMO-3", "demo-mender")
    assert ticket.state == "in_review"
    work.have_reviewed(ticket, Agent.objects.get(name="demo-reader"))
    drain()
    approval = newest(ticket)
    assert (approval.purpose, approval.state, approval.base_commit) == ("review", "done", turn.head_commit)

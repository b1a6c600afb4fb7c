"""What turns may cost: one alone, and all of an agent's within a day. And the version of the program that ran."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tickets import build
from tests.tickets.workshop import Workshop
from tickets.models import Turn
from workers.agents import program_versions
from workers.models import AgentVersion, Attempt, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)
AGENT = """
import json, os, subprocess, sys
if sys.argv[1:] == ["--version"]:
    open(os.environ["ASKED"], "a").write("x")
    print("\\n  9.8.7\\t(Test \\x1b[1mAgent)\\nmore"); sys.exit(int(os.environ.get("CODE", "0")))
open("done.txt", "a").write("x")
subprocess.run(["git", "add", "-A"], check=True)
git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "x"]
subprocess.run(git, check=True)
said = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"], "payload": "I did it."}
text = json.dumps({"mc_signal": sys.argv[1], **said})
print(json.dumps({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": text}]}}))
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "session_id": "s", "result": text,
    "total_cost_usd": float(sys.argv[2]), "modelUsage": {}}))
"""


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setattr(program_versions, "_known", {})
    program = tmp_path / "agent"
    program.write_text(f"#!{sys.executable} -I\n{AGENT}")
    program.chmod(0o755)
    return Workshop(world.mc, tmp_path)


def costly(shop: Workshop, cost: float, said: str = "DONE", **profile: Any) -> dict[str, Any]:
    command = [str(shop.repository.parent / "agent"), said, str(cost)]
    return {"adapter": "claude", "command": command, "environment": ["ASKED", "CODE"], "name": "dear", **profile}


def test_a_turn_that_cost_more_than_it_may_is_for_a_person_and_its_work_is_kept(shop: Workshop) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, [], **costly(shop, 1.51, turn_budget_usd="1.50"))
    assert (ticket.state, turn.state) == ("blocked", "blocked")
    assert turn.verdict.startswith("This turn cost $1.51, and one of dear may cost $1.50. What it did is kept.")
    assert (turn.head_commit != turn.base_commit, str(turn.cost_usd)) == (True, "1.510000")
    assert not Job.objects.filter(state="queued").exists()


@pytest.mark.parametrize(("cost", "said", "state"), [(1.5, "DONE", "in_review"), (1.6, "FAILED", "blocked")])
def test_at_its_budget_it_is_as_any_other_and_beyond_it_not_tried_again(
    shop: Workshop, cost: float, said: str, state: str
) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, [], **costly(shop, cost, said, turn_budget_usd="1.50"))
    assert ticket.state == state


class TestDay:
    def test_at_its_budget_no_turn_begins_until_it_costs_less(self, shop: Workshop) -> None:
        first, second = shop.ticket(), shop.ticket()
        shop.turn(first, [], **costly(shop, 2, day_budget_usd="2.00"))
        shop.agent([], **costly(shop, 2, day_budget_usd="2.00"))
        parked = self.waiting(shop, second)
        assert parked.error == (
            "The budget of dear for a day is spent: its turns of the last 24 hours cost $2.00, and may cost $2.00."
            " It waits until they cost less, or until its profile says more."
        )
        begun = Turn.objects.get().started_at
        Turn.objects.update(started_at=begun - timedelta(hours=24))
        shop.make_due()
        shop.drain()
        second.refresh_from_db()
        assert second.state == "in_review"

    def test_a_profile_that_says_more_lifts_it_for_what_waits(self, shop: Workshop) -> None:
        first, second = shop.ticket(), shop.ticket()
        shop.turn(first, [], **costly(shop, 2, day_budget_usd="1.00"))
        self.waiting(shop, second)
        AgentVersion.objects.update(day_budget_usd=5)
        shop.make_due()
        shop.drain()
        second.refresh_from_db()
        assert second.state == "in_review"

    def test_what_others_cost_does_not_count(self, shop: Workshop) -> None:
        build.agent("another")
        shop.turn(shop.ticket(), [], **costly(shop, 2, name="another"))
        ticket = shop.ticket()
        shop.turn(ticket, [], **costly(shop, 1, day_budget_usd="1.00"))
        assert ticket.state == "in_review"

    def waiting(self, shop: Workshop, ticket: Any) -> Attempt:
        from tickets import work
        from workers.models import Agent

        work.assign(ticket, Agent.objects.get(name="dear"))
        shop.drain()
        ticket.refresh_from_db()
        assert ticket.state == "queued"
        found = Attempt.objects.get(job__subject=ticket.subject)
        assert found.outcome == "parked"
        return found


@pytest.mark.once
class TestProgram:
    def test_each_turn_names_what_it_ran_with_and_it_is_asked_once(self, shop: Workshop, tmp_path: Path) -> None:
        for _ in range(2):
            turn = shop.turn(shop.ticket(), [], **costly(shop, 0))
            assert turn.program == "9.8.7 (Test"
        assert (tmp_path / "asked").read_text() == "x"
        (tmp_path / "agent").write_text((tmp_path / "agent").read_text().replace("9.8.7", "9.9.0"))
        assert shop.turn(shop.ticket(), [], **costly(shop, 0)).program == "9.9.0 (Test"

    def test_one_that_does_not_say_is_no_failure(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CODE", "3")
        ticket = shop.ticket()
        assert shop.turn(ticket, [], **costly(shop, 0)).program == ""
        assert ticket.state == "in_review"

    def test_the_profile_may_say_how_it_is_asked_in_the_box_as_well(self, shop: Workshop, tmp_path: Path) -> None:
        box = {"containment": "bubblewrap", "network": "none", "trusted": False}
        asked = ["/bin/sh", "-c", "id -un; echo no"]
        turn = shop.turn(shop.ticket(), [], **costly(shop, 0, version_command=asked, **box))
        assert (turn.program, turn.state) == ("nobody", "done")

"""A turn from its assignment to what it leaves: measured, reviewed, resumed, parked, bounded in cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal.core import clock
from portal.core.cause import Actor, acting
from portal.core.lifecycle import Refused
from tests.tickets.workshop import GOOD, Workshop, newest
from tickets import sessions, work
from tickets.models import CheckRun, Message, Question, Turn, Workspace
from workers.agents import breakers
from workers.models import Attempt, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)
PASSES = [["sh", "-c", "echo 3 passed"]]


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Workshop:
    settings.DATA_DIR = tmp_path / "data"
    return Workshop(world.mc, tmp_path)


# Measured ------------------------------------------------------------------------------------------------------


def test_what_is_committed_inside_the_paths_and_passes_the_checks_is_proven(shop: Workshop) -> None:
    shop.project.checks, shop.project.allowed_paths = PASSES, ["src/"]
    shop.project.save(update_fields=["checks", "allowed_paths"])
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    seen = turn.measurement
    assert (ticket.state, turn.state, turn.proven, seen.reasons) == ("in_review", "done", True, [])
    assert (seen.files_changed, seen.insertions, seen.deletions, seen.commit_count) == (1, 1, 0, 1)
    assert seen.commits == [{"commit": turn.head_commit, "subject": "Oil the door"}]
    assert "+oiled" in seen.diff
    check = CheckRun.objects.get(attempt=turn.attempt)
    assert (check.outcome, check.exit_code, check.summary) == ("passed", 0, "3 passed")


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([["signal", "DONE", "all done, tests pass"]], "No new commit"),
        ([["write", "src/a", "1"], ["signal", "DONE", "done"]], "No new commit"),
        ([["write", "ci/retry.yml", "1"], ["commit", "x"], ["signal", "DONE", "done"]], "Outside the allowed paths"),
        (
            [["write", "src/a", "1"], ["commit", "x"], ["write", "src/left", "2"], ["signal", "DONE", "done"]],
            "Not committed: src/left",
        ),
        (
            [
                ["run", "git", *("-c", "user.name=a"), *("-c", "user.email=a@b.c"), "commit", "-q", "--allow-empty"]
                + ["-m", "x"],
                ["signal", "DONE", "done"],
            ],
            "change nothing",
        ),
    ],
)
def test_a_claim_that_does_not_hold_is_unproven_and_says_why(shop: Workshop, steps: list[Any], reason: str) -> None:
    shop.project.allowed_paths = ["src/"]
    shop.project.save(update_fields=["allowed_paths"])
    ticket = shop.ticket()
    turn = shop.turn(ticket, steps)
    assert (ticket.state, turn.state, turn.proven) == ("unproven", "done", False), turn.attempt.error
    assert any(reason in said for said in turn.measurement.reasons), turn.measurement.reasons


@pytest.mark.parametrize(
    ("command", "outcome", "exit_code"),
    [
        (["false"], "failed", 1),
        (["sh", "-c", "echo 'collected 0 items'; echo 'no tests ran in 0.01s'; exit 5"], "no_tests", 5),
        (["sh", "-c", "echo 'Ran 0 tests in 0.000s'; echo OK"], "no_tests", 0),
        (["sh", "-c", "echo '# tests 0'"], "no_tests", 0),
        (["sh", "-c", "echo 'running 0 tests'; echo; echo 'running 4 tests'"], "passed", 0),
        (["sh", "-c", "echo '?  a [no test files]'; echo 'ok  b 0.1s'"], "passed", 0),
        (["sh", "-c", "echo 'no tests ran'; echo '1 error in 0.1s'; exit 2"], "failed", 2),
        (["no-such-program"], "not_started", None),
        (["sleep", "60"], "timed_out", None),
    ],
)
def test_only_a_check_that_ran_something_and_exits_with_0_passes(
    shop: Workshop, settings: Any, command: list[str], outcome: str, exit_code: int | None
) -> None:
    settings.LIMITS = settings.LIMITS | {"CHECK_WALL_SECONDS": 1}
    shop.project.checks = [command, ["true"]]
    shop.project.save(update_fields=["checks"])
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    first, second = CheckRun.objects.filter(attempt=turn.attempt).order_by("n")
    assert (first.outcome, second.outcome) == (outcome, "passed"), "a red check stops no other"
    if outcome != "timed_out":
        assert first.exit_code == exit_code
    assert ticket.state == ("in_review" if outcome == "passed" else "unproven")


def test_what_checks_leave_behind_is_not_laid_to_the_agent(shop: Workshop) -> None:
    shop.project.checks = [["sh", "-c", "echo x > report.txt"]]
    shop.project.save(update_fields=["checks"])
    assert shop.turn(shop.ticket(), GOOD).proven


def test_an_agent_that_rewrites_what_was_there_is_unproven(shop: Workshop) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    rewriting = [
        ["run", "git", "reset", "-q", "--hard", "HEAD~1"],
        ["write", "src/other.txt", "x"],
        ["commit", "Other"],
        ["signal", "DONE", "done"],
    ]
    turn = shop.turn(ticket, rewriting)
    assert not turn.proven
    assert "rewritten" in turn.measurement.reasons[0]


def test_what_another_ticket_of_this_name_left_is_set_aside(shop: Workshop) -> None:
    ticket = shop.ticket()
    before = shop.turn(ticket, GOOD)
    # As after a database was put back to an earlier state, beside a folder of later work.
    Workspace.objects.all().delete()
    turn = shop.turn(ticket, [["write", "src/other.txt", "x"], ["commit", "Other"], ["signal", "DONE", "x"]])
    assert (turn.base_commit, turn.proven) == (before.base_commit, True)
    assert turn.measurement.files_changed == 1


def test_the_agents_own_files_are_no_part_of_the_work(shop: Workshop) -> None:
    script = [["run", "sh", "-c", 'echo "$HOME" > src-home && echo x > "$HOME/.session"'], *GOOD]
    turn = shop.turn(shop.ticket(), script)
    assert turn.proven
    assert turn.measurement.uncommitted_count == 0


# Failures and retries --------------------------------------------------------------------------------------------


def test_a_retry_is_a_new_turn_with_a_nonce_of_its_own_and_keeps_the_error(shop: Workshop, tmp_path: Path) -> None:
    ticket = shop.ticket()
    failing = [["print", "the model API answered 500"], ["exit", 1]]
    shop.turn(ticket, failing, max_failures=2)
    assert ticket.state == "queued"
    shop.make_due()
    shop.drain()
    ticket.refresh_from_db()
    turns = list(Turn.objects.filter(ticket=ticket).order_by("seq"))
    assert ticket.state == "failed", "its own budget of two is spent"
    assert [turn.state for turn in turns] == ["failed", "failed"]
    assert len({turn.nonce for turn in turns}) == len({turn.attempt_id for turn in turns}) == 2
    assert all("exited with code 1" in turn.verdict for turn in turns)


def test_a_breaker_parks_turns_and_fails_no_ticket(shop: Workshop, settings: Any) -> None:
    settings.LIMITS = settings.LIMITS | {"BREAKER_FAILURES": 2}
    broken = shop.ticket()
    shop.turn(broken, [["exit", 1]], max_failures=2)
    shop.make_due()
    shop.drain()
    version = newest(broken).agent_version
    other = work.assign(shop.ticket(), version.agent)
    assert shop.drain() == 1
    other.refresh_from_db()
    job = Job.objects.get(subject=other.subject)
    assert (other.state, job.state, job.attempts.get().outcome) == ("queued", "queued", "parked")
    assert not Turn.objects.filter(ticket=other).exists()
    breakers.close(version.breaker, reason="Its provider is back.")
    shop.drain()
    assert newest(other).state == "failed", "it went as soon as a person closed the breaker"


def test_a_rate_limit_costs_a_ticket_nothing_but_time(shop: Workshop) -> None:
    ticket = shop.ticket()
    limited = {"type": "result", "subtype": "success", "is_error": True, "result": "Busy", "api_error_status": 429}
    turn = shop.turn(ticket, [["print", json.dumps(limited)], ["exit", 1]], adapter="claude", max_failures=1)
    job = Job.objects.get(subject=ticket.subject)
    assert (ticket.state, turn.state, job.state) == ("queued", "failed", "queued")
    assert job.attempts.get().outcome == "rate_limited" and "Busy" in turn.verdict
    assert (job.run_after - clock.now()).total_seconds() > 5


def test_no_turn_begins_once_the_budget_is_spent(shop: Workshop) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD, budget_usd="1.00")
    Turn.objects.filter(pk=turn.pk).update(cost_usd="1.25")
    with pytest.raises(Refused, match=r"\$1\.25 of \$1\.00"):
        work.assign(ticket, turn.agent_version.agent)
    assert sessions.over_budget(shop.ticket(), turn.agent_version) == "", "the budget is one ticket's"


# The session -----------------------------------------------------------------------------------------------------


CLAUDE = """
import json, os, subprocess, sys
folder, session = sys.argv[1], "s-1"
with open(f"{folder}/arguments", "a") as log:
    log.write(" ".join(sys.argv[2:]) + "\\n")
open("src.txt", "a").write("x")
subprocess.run(["git", "add", "-A"], check=True)
subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "Oil"], check=True)
said = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
text = json.dumps({"mc_signal": "DONE", **said, "payload": "Oiled."})
usage = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 1}
result = {"is_error": False, "result": text, "total_cost_usd": 0.5, "modelUsage": {"m": usage}}
for line in (
    {"type": "system", "subtype": "init", "session_id": session, "model": "m"},
    {"type": "assistant", "session_id": session, "message": {"id": "1", "content": [{"type": "text", "text": text}]}},
    {"type": "result", "subtype": "success", "session_id": session, **result},
):
    print(json.dumps(line), flush=True)
"""


def resumable(folder: Path) -> dict[str, Any]:
    """A profile that speaks as Claude Code does, as short as it can be, and notes its arguments."""
    program = folder / "agent.py"
    program.write_text(CLAUDE)
    command = [sys.executable, "-I", str(program), str(folder)]
    return {"adapter": "claude", "command": [*command, "fresh"], "resume": [*command, "--resume", "{session}"]}


def test_the_next_turn_of_an_agent_goes_on_with_its_session_and_is_billed_once(shop: Workshop, tmp_path: Path) -> None:
    ticket = shop.ticket()
    first = shop.turn(ticket, [], **resumable(tmp_path))
    second = shop.turn(ticket, [], **resumable(tmp_path))
    assert (tmp_path / "arguments").read_text().splitlines() == ["fresh", "--resume s-1"]
    assert [(turn.session_id, turn.resumed) for turn in (first, second)] == [("s-1", False), ("s-1", True)]
    assert [(float(turn.cost_usd or 0), turn.input_tokens) for turn in (first, second)] == [(0.5, 10), (0, 0)]
    assert first.state == "done", first.verdict


def test_a_session_that_a_lost_worker_did_not_note_is_read_from_its_output(shop: Workshop, tmp_path: Path) -> None:
    ticket = shop.ticket()
    first = shop.turn(ticket, [], **resumable(tmp_path))
    Turn.objects.filter(pk=first.pk).update(session_id="")
    assert sessions.to_resume(ticket, first.agent_version, first.purpose).name == "s-1"  # type: ignore[arg-type]


def test_a_session_that_we_named_and_whose_worker_was_lost_is_gone_on_with(shop: Workshop) -> None:
    ticket = shop.ticket()
    named = {"resume": ["true", "{session}"]}
    command = [sys.executable, "-c", "print('{}')", "{session}"]
    turn = shop.turn(ticket, [], adapter="goose", command=command, max_failures=1, **named)
    Turn.objects.filter(pk=turn.pk).update(session_id="")
    turn.refresh_from_db()
    assert sessions.to_resume(ticket, turn.agent_version, turn.purpose).name == sessions.fresh(turn)  # type: ignore[arg-type]
    # One that wrote nothing may not have begun.
    turn.attempt.output.all().delete()
    assert sessions.to_resume(ticket, turn.agent_version, turn.purpose).name == ""  # type: ignore[arg-type]


def test_a_session_that_is_gone_is_not_asked_for_again(shop: Workshop, tmp_path: Path) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, [], **resumable(tmp_path))
    gone = {**resumable(tmp_path), "resume": ["false", "{session}"]}
    turn = shop.turn(ticket, [], **gone, max_failures=2)
    assert (turn.resumed, turn.session_id, turn.state) == (True, "", "failed")
    shop.make_due()
    shop.drain()
    assert (newest(ticket).resumed, newest(ticket).state) == (False, "done")


# Asking ----------------------------------------------------------------------------------------------------------


def test_a_question_parks_the_ticket_until_one_person_answers_it(shop: Workshop, world: World, tmp_path: Path) -> None:
    from tickets import questions

    ticket = shop.ticket()
    asked = {"question": "Which oil?", "options": ["thin", "thick"], "default": 0, "deadline_minutes": 60}
    turn = shop.turn(ticket, [["signal", "NEEDS_INPUT", asked]])
    question = Question.objects.get()
    assert (ticket.state, turn.state, question.text) == ("needs_person", "needs_input", "Which oil?")
    kept = tmp_path / "prompt"
    shop.agent([["keep", str(kept)], *GOOD])
    questions.answer(question, by=world.operator, choice=1, text="It is cold there.")
    ticket.refresh_from_db()
    assert ticket.state == "queued"
    shop.drain()
    ticket.refresh_from_db()
    assert ticket.state == "in_review"
    assert "thick" in kept.read_text() and "It is cold there." in kept.read_text()


def test_assigning_without_an_answer_sets_the_question_aside(shop: Workshop) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, [["signal", "NEEDS_INPUT", "Which oil?"]])
    shop.turn(ticket, GOOD)
    assert Question.objects.get().state == "set_aside"
    assert ticket.state == "in_review"


# Reviewed by another agent ---------------------------------------------------------------------------------------


APPROVES = [["signal", "DONE", "It is well oiled."]]


def reviewed(shop: Workshop, ticket: Any, steps: list[Any], name: str = "reader") -> Turn:
    agent = shop.agent(steps, name)
    ticket.refresh_from_db()
    work.have_reviewed(ticket, agent)
    shop.drain()
    ticket.refresh_from_db()
    return newest(ticket)


def test_work_is_accepted_only_once_another_agent_approved_this_very_commit(shop: Workshop, world: World) -> None:
    shop.project.second_agent = True
    shop.project.save(update_fields=["second_agent"])
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    with pytest.raises(Refused, match="another agent's review"):
        work.accept(ticket, by=world.owner, reason="")
    with pytest.raises(Refused, match="another agent has to review"):
        work.have_reviewed(ticket, turn.agent_version.agent)
    assert reviewed(shop, ticket, [["signal", "BLOCKED", "The hinge is dry."]]).state == "blocked"
    with pytest.raises(Refused, match="none has approved"):
        work.accept(ticket, by=world.owner, reason="")
    assert Message.objects.filter(author_kind="agent", body="The hinge is dry.").exists()
    assert reviewed(shop, ticket, APPROVES).state == "done"
    work.accept(ticket, by=world.owner, reason="")
    assert ticket.state == "merging"


def test_no_reason_takes_unproven_work_past_the_review_that_a_project_wants(shop: Workshop, world: World) -> None:
    shop.project.second_agent, shop.project.checks = True, [["false"]]
    shop.project.save(update_fields=["second_agent", "checks"])
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    assert ticket.state == "unproven"
    with pytest.raises(Refused, match="only proven work is reviewed"):
        work.accept(ticket, by=world.owner, reason="I know better.")
    ticket.refresh_from_db()
    assert ticket.state == "unproven"


def test_a_refusal_is_lifted_by_another_approval_and_never_by_an_older_one(shop: Workshop, world: World) -> None:
    shop.project.second_agent = True
    shop.project.save(update_fields=["second_agent"])
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    reviewed(shop, ticket, APPROVES)
    reviewed(shop, ticket, [["signal", "BLOCKED", "The hinge is dry."]], "another")
    with pytest.raises(Refused, match="none has approved"):
        work.accept(ticket, by=world.owner, reason="")
    reviewed(shop, ticket, APPROVES, "another")
    work.accept(ticket, by=world.owner, reason="")


def test_an_approval_is_of_one_commit(shop: Workshop, world: World) -> None:
    shop.project.second_agent = True
    shop.project.save(update_fields=["second_agent"])
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    reviewed(shop, ticket, APPROVES)
    shop.turn(ticket, [["write", "src/more.txt", "x"], ["commit", "More"], ["signal", "DONE", "more"]])
    with pytest.raises(Refused, match="none has approved"):
        work.accept(ticket, by=world.owner, reason="")


def test_what_a_reviewer_does_to_the_branch_is_undone(shop: Workshop) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    review = reviewed(shop, ticket, [["write", "evil.txt", "x"], ["commit", "Evil"], ["write", "left", "y"], *APPROVES])
    path = Path(ticket.workspace.path)
    assert (ticket.state, review.head_commit, review.base_commit) == ("in_review", turn.head_commit, turn.head_commit)
    assert shop.git("rev-parse", "HEAD", at=path) == turn.head_commit
    assert not (path / "evil.txt").exists() and not (path / "left").exists()


def test_a_review_that_fails_leaves_the_work_where_it_was(shop: Workshop) -> None:
    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    shop.agent([["exit", 1]], "reader", max_failures=1)
    reviewed(shop, ticket, [["exit", 1]])
    Job.objects.filter(state="queued").update(max_failures=1)
    shop.make_due()
    shop.drain()
    ticket.refresh_from_db()
    assert ticket.state == "in_review"


def test_a_reviewer_is_not_given_what_waits_for_the_one_who_works(shop: Workshop, world: World, tmp_path: Path) -> None:
    from tickets import conversation

    ticket = shop.ticket()
    shop.turn(ticket, GOOD)
    conversation.post(ticket, author=world.operator, body="Mind the lower hinge.")
    kept = tmp_path / "prompt"
    reviewed(shop, ticket, [["keep", str(kept)], *APPROVES])
    assert "Mind the lower hinge." not in kept.read_text()
    assert [message.body for message in conversation.waiting(ticket)] == ["Mind the lower hinge."]


def test_no_agent_accepts(shop: Workshop, world: World) -> None:
    ticket = shop.ticket()
    turn = shop.turn(ticket, GOOD)
    agent = turn.agent_version.agent
    with acting(Actor("agent", str(agent.pk), agent.name)), pytest.raises(Refused, match="agent accepts no work"):
        work.accept(ticket, by=world.owner, reason="")


def test_every_attempt_of_the_drain_ended(shop: Workshop) -> None:
    shop.turn(shop.ticket(), GOOD)
    assert not Attempt.objects.filter(outcome="running").exists()

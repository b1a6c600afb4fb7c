"""The kinds of step beside command, restart and health: what each takes for right, and what it leaves behind."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deployments import interruptions, steering
from deployments.models import PipelineStep, Structure
from portal.core import clock
from portal.core.lifecycle import Refused
from tests.deployments.shipyard import Shipyard, again
from workers.models import Attempt, Job

if TYPE_CHECKING:
    from tests.factories import World

pytestmark = pytest.mark.django_db(transaction=True)


def program(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-c", script, *map(str, arguments)]


def only(yard: Shipyard, kind: str, name: str, **fields: Any) -> None:
    """The service's pipeline is this step, and one that notes that it was come to."""
    yard.service.pipeline.all().delete()
    PipelineStep.objects.create(service=yard.service, n=1, kind=kind, name=name, **fields)
    PipelineStep.objects.create(service=yard.service, n=2, kind="command", name="After", command=yard.note("after"))


def detail(deployment: Any) -> str:
    found = interruptions.open_of(deployment)
    assert found is not None, deployment.state
    return found.detail


# HTTP -------------------------------------------------------------------------------


@pytest.mark.pages
def test_an_address_is_asked_until_it_answers_as_expected(yard: Shipyard) -> None:
    yard.reporter.file.write_text("0ff1ce")
    only(yard, "http", "Ready", url="http://127.0.0.1:{PORT}/ready", contains="0ff1ce", wall_seconds=5)
    shipped = yard.ask()
    assert (shipped.state, len(yard.done)) == ("succeeded", 1), shipped.why
    (answer,) = shipped.steps.get(n=1).health_checks.all()
    assert (answer.right, answer.status, answer.reported) == (True, 200, "")
    assert shipped.steps.get(n=1).message == "It answered as expected."


@pytest.mark.pages
def test_another_status_or_a_missing_text_is_no_right_answer(yard: Shipyard) -> None:
    only(yard, "http", "Gone", url="http://127.0.0.1:{PORT}/", statuses=[404, 410], method="HEAD", wall_seconds=1)
    held = yard.ask()
    # the server of this test knows no HEAD
    assert "status 501, and not 404 or 410" in detail(held)
    assert not held.steps.get(n=1).health_checks.filter(right=True).exists()
    assert yard.done == []


# Wait -------------------------------------------------------------------------------


def test_a_pause_holds_no_worker_and_goes_on_when_it_is_due(yard: Shipyard) -> None:
    only(yard, "wait", "Settle", pause_seconds=3600)
    waits = yard.ask()
    step = waits.steps.get(n=1)
    assert (waits.state, step.state, yard.done) == ("running", "running", [])
    job = Job.objects.get(kind="deployment.step", state="queued")
    assert timedelta(minutes=59) < job.run_after - clock.now() <= timedelta(hours=1)
    assert job.run_after - step.due_at < timedelta(seconds=2)
    past = clock.now() - timedelta(seconds=1)
    waits.steps.filter(n=1).update(due_at=past)
    Job.objects.filter(pk=job.pk).update(run_after=past)
    shipped = yard.run(waits)
    assert (shipped.state, shipped.steps.get(n=1).message, len(yard.done)) == ("succeeded", "Waited 3,600 s.", 1)


def test_a_person_ends_a_pause_early_with_a_reason_once(yard: Shipyard) -> None:
    only(yard, "wait", "Settle", pause_seconds=3600)
    waits = yard.ask()
    assert "end_wait" in steering.verbs(waits)
    with pytest.raises(Refused, match="Say why"):
        steering.end_wait(waits, step=1, reason=" ")
    with pytest.raises(Refused, match="Step 2 of it does not wait"):
        steering.end_wait(waits, step=2, reason="It is settled.")
    steering.end_wait(waits, step=1, reason="It is settled.")
    with pytest.raises(Refused, match="does not wait now"):
        steering.end_wait(again(waits), step=1, reason="Twice.")
    shipped = yard.run(waits)
    assert (shipped.state, shipped.steps.get(n=1).message) == ("succeeded", "Ended early: It is settled.")
    assert not Job.objects.filter(kind="deployment.step", state="queued").exists()


def test_a_pause_that_is_stopped_asks_a_person(yard: Shipyard) -> None:
    only(yard, "wait", "Settle", pause_seconds=3600)
    waits = yard.ask()
    steering.stop(waits, step=1, reason="Not today.")
    held = again(waits)
    assert (held.state, held.steps.get(n=1).state) == ("interrupted", "failed")


# Backup and rehearsal ------------------------------------------------------------------


@pytest.mark.pages
def test_a_backup_proves_itself_by_its_last_line_and_a_restore_that_works(yard: Shipyard) -> None:
    kept = yard.folder / "kept"
    backup = program("import sys;open(sys.argv[1],'w').write('x');print('one');print('42 rows in kept.dump')", kept)
    only(yard, "backup", "Backup", command=backup, verify=program("import sys;print(open(sys.argv[1]).read()*3)", kept))
    shipped = yard.ask()
    assert shipped.state == "succeeded", detail(shipped)
    assert shipped.steps.get(n=1).message == "42 rows in kept.dump Its restore was rehearsed: xxx"


@pytest.mark.pages
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": ["true"]}, "It printed nothing"),
        ({"command": ["echo", "done"], "verify": ["false"]}, "restore was rehearsed and failed: Exited with code 1"),
        ({"command": program("print('full');raise SystemExit(3)")}, "Exited with code 3. full"),
    ],
)
def test_a_backup_without_proof_is_none(yard: Shipyard, fields: dict[str, Any], said: str) -> None:
    only(yard, "backup", "Backup", **fields)
    held = yard.ask()
    assert (held.state, yard.done) == ("interrupted", [])
    assert said in detail(held)


@pytest.mark.pages
def test_a_rehearsal_keeps_its_exit_code_and_what_it_said(yard: Shipyard) -> None:
    only(yard, "rehearse", "Rehearse", command=program("print('forward, back, forward: equal')"))
    shipped = yard.ask()
    step = shipped.steps.get(n=1)
    assert (step.state, step.exit_code, step.message) == ("succeeded", 0, "forward, back, forward: equal")


# More goes --------------------------------------------------------------------------------

# Fails as often as its file does not say yet, and then works.
FLAKY = "import sys;open(sys.argv[1],'a').write('x');n=len(open(sys.argv[1]).read());print('go',n);sys.exit(n<3)"


def test_a_step_goes_again_by_itself_and_each_go_can_be_read(yard: Shipyard, settings: Any) -> None:
    settings.LIMITS = {**settings.LIMITS, "RETRY_FIRST_SECONDS": 1}
    only(yard, "command", "Flaky", command=program(FLAKY, yard.folder / "flaky"), retries=2)
    went = yard.ask()
    step = went.steps.get(n=1)
    assert (went.state, step.state, step.retried, step.exit_code) == ("running", "waiting", 1, 1)
    assert step.due_at is not None
    for _ in range(2):
        Job.objects.filter(state="queued").update(run_after=clock.now() - timedelta(seconds=1))
        went = yard.run(went)
    step = went.steps.get(n=1)
    assert (went.state, step.retried, step.state) == ("succeeded", 2, "succeeded")
    assert Attempt.objects.filter(job__kind="deployment.step", job__payload__step=1).count() == 3


def test_after_its_last_go_a_person_is_asked_and_their_try_counts_from_the_first(yard: Shipyard, world: World) -> None:
    only(yard, "command", "Never", command=["false"], retries=1)
    held = yard.ask()
    Job.objects.filter(state="queued").update(run_after=clock.now() - timedelta(seconds=1))
    held = yard.run(held)
    assert (held.state, held.steps.get(n=1).retried) == ("interrupted", 1)
    interruption = interruptions.open_of(held)
    assert interruption is not None
    interruptions.answer(interruption, "retry", by=world.releaser)
    assert again(held).steps.get(n=1).retried == 0


def test_a_migration_that_failed_is_examined_before_it_goes_again(yard: Shipyard) -> None:
    done = yard.folder / "migrated"
    migrate = program("import sys;open(sys.argv[1],'a').write('x');sys.exit(1)", done)
    only(yard, "migrate", "Migrate", command=migrate, probe=["test", "-e", str(done)], retries=1)
    went = yard.ask()
    Job.objects.filter(state="queued").update(run_after=clock.now() - timedelta(seconds=1))
    went = yard.run(went)
    assert (went.state, done.read_text()) == ("succeeded", "x")
    assert went.steps.get(n=1).message == "It failed before; its probe says that it is done."


# The structure ------------------------------------------------------------------------------


@pytest.mark.pages
def test_the_structure_is_kept_before_and_after_with_what_differs(yard: Shipyard) -> None:
    schema = yard.folder / "schema"
    schema.write_text("table door\ntable window\n")
    migrate = program("import sys;open(sys.argv[1],'a').write('table oil\\n')", schema)
    only(yard, "migrate", "Migrate", command=migrate, structure=["cat", str(schema)])
    shipped = yard.ask()
    assert shipped.state == "succeeded"
    before, after = Structure.objects.order_by("pk")
    assert (before.when, before.text, after.when) == ("before", "table door\ntable window\n", "after")
    assert before.digest != after.digest
    assert "+table oil" in after.changes and "-table" not in after.changes


@pytest.mark.pages
def test_where_the_structure_cannot_be_printed_nothing_is_migrated(yard: Shipyard) -> None:
    only(yard, "migrate", "Migrate", command=yard.note("migrate"), structure=["false"])
    held = yard.ask()
    assert "The structure before could not be printed: Exited with code 1. Nothing was migrated." in detail(held)
    assert yard.done == []


# Health over a time ---------------------------------------------------------------------------


@pytest.mark.pages
def test_health_must_be_right_over_the_whole_time(yard: Shipyard) -> None:
    yard.set_step(4, soak_seconds=1, wall_seconds=20)
    shipped = yard.ask()
    assert shipped.state == "succeeded"
    step = shipped.steps.get(n=4)
    first, last = step.health_checks.first(), step.health_checks.last()
    assert last.at - first.at >= timedelta(seconds=0.9)
    assert step.message.endswith("over 1 s.")


@pytest.mark.pages
def test_health_that_is_not_right_for_long_enough_is_not_right(yard: Shipyard) -> None:
    yard.set_step(4, soak_seconds=30, wall_seconds=1)
    held = yard.ask()
    assert "over 30 s. At last: right, and not for long enough." in detail(held)

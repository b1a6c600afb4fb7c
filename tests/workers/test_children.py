"""Children of a claim: several in one attempt, their output stored or not, bounded; what an earlier attempt left."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from workers import children, claims, leftovers, output, queue
from workers.children import Command
from workers.claims import Cancelled, Claim
from workers.ending import end_attempt
from workers.failures import BadInput, JobFailed
from workers.models import AttemptOutput, Job, Outcome
from workers.supervision.child import Child, ChildSpec

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., str]


@pytest.fixture
def claim(kind: Make) -> Claim:
    kind()
    queue.enqueue("test.job")
    return take()


def take() -> Claim:
    [found] = claims.claim("short", ["test.job"], worker="worker@test", most=1)
    return found


def shell(script: str, folder: Path, **changes: Any) -> Command:
    return Command(**{"argv": ("/bin/sh", "-c", script), "cwd": folder, "wall_seconds": 30, **changes})


def stored(attempt: int) -> str:
    return "".join(AttemptOutput.objects.filter(attempt_id=attempt).order_by("offset").values_list("text", flat=True))


def spools(attempt: int) -> Path:
    folder: Path = settings.DATA_DIR / "spools" / str(attempt)
    return folder


def wait_for(true: Callable[[], object]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < 15
        time.sleep(0.05)


def alive(marker: str) -> list[str]:
    """Scan independently of the code under test."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"SHIPROOM_ATTEMPT={marker}".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


class TestSeveral:
    def test_one_after_the_other_each_has_a_folder_and_only_the_first_is_stored(
        self, claim: Claim, tmp_path: Path
    ) -> None:
        agent = children.run(claim, shell("echo work; echo oops >&2", tmp_path))
        check = children.run(claim, shell("echo checked; echo bad >&2; exit 3", tmp_path), name="check-1", stored=False)
        assert (check.stdout.read_text(), check.stderr.read_text(), check.record.exit_code) == ("checked\n", "bad\n", 3)
        assert stored(claim.attempt_id) == "work\n\n[stderr]\noops\n"
        check.forget()
        assert not check.stdout.parent.exists()
        assert agent.stdout.read_text() == "work\n"
        agent.forget()
        assert not spools(claim.attempt_id).exists()

    def test_the_second_of_one_name_is_refused(self, claim: Claim, tmp_path: Path) -> None:
        children.run(claim, shell("true", tmp_path), name="check", stored=False)
        with pytest.raises(JobFailed, match="has run a child named check before"):
            children.run(claim, shell("true", tmp_path), name="check", stored=False)

    @pytest.mark.parametrize(
        ("name", "stored"), [("run", False), ("check", True), ("../x", False), ("", False), ("a" * 41, False)]
    )
    def test_a_name_is_plain_and_one_child_is_stored(
        self, claim: Claim, tmp_path: Path, name: str, stored: bool
    ) -> None:
        with pytest.raises(ValueError, match="cannot be its name"):
            children.run(claim, shell("true", tmp_path), name=name, stored=stored)

    def test_a_command_that_can_run_nowhere_is_bad_input(self, claim: Claim, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="NUL"):
            children.run(claim, shell("true", tmp_path, env={"A": "\0"}, stdin="secret"))
        assert not list(spools(claim.attempt_id).rglob("prompt"))


class TestBounds:
    def test_each_stream_is_kept_up_to_the_commands_own_bound(self, claim: Claim, tmp_path: Path) -> None:
        flood = f'{sys.executable} -c \'import sys; sys.stdout.write("x" * 300000 + "end")\''
        result = children.run(claim, shell(flood, tmp_path, output_bytes=10_000))
        kept = result.stdout.read_text()
        assert kept.endswith("xend")
        marked = len("\n[shiproom: 290003 bytes of stdout dropped here]\n")
        assert len(kept) == 10_000 + marked
        assert "[shiproom: 290003 bytes of stdout dropped here]" in stored(claim.attempt_id)

    def test_never_more_than_the_installations(self, claim: Claim, tmp_path: Path, limit: Any) -> None:
        limit(OUTPUT_CAP_BYTES=2000)
        for name, own in (("a", None), ("b", 1_000_000)):
            command = shell("head -c 5000 /dev/zero | tr '\\0' x", tmp_path, output_bytes=own)
            result = children.run(claim, command, name=name, stored=False)
            assert result.stdout.read_text().count("x") == 2000

    def test_what_fits_is_kept_whole(self, claim: Claim, tmp_path: Path) -> None:
        command = shell("head -c 2000 /dev/zero | tr '\\0' x", tmp_path, output_bytes=2000)
        assert children.run(claim, command).stdout.read_text() == "x" * 2000


class TestPrompt:
    def test_it_is_its_owners_alone_and_goes_with_the_child(self, claim: Claim, tmp_path: Path) -> None:
        prompt = spools(claim.attempt_id) / "run" / "prompt"
        script = f"stat -c %a {prompt} > {tmp_path}/mode; cat > {tmp_path}/read"
        old = os.umask(0)
        try:
            result = children.run(claim, shell(script, tmp_path, stdin="Mend the lock."))
        finally:
            os.umask(old)
        assert (tmp_path / "read").read_text() == "Mend the lock."
        assert (tmp_path / "mode").read_text().strip() == "600"
        assert not prompt.exists()
        assert result.stdout.exists()
        assert stat.S_IMODE(prompt.parent.stat().st_mode) == 0o700

    def test_it_goes_when_the_child_is_stopped_too_and_what_was_written_can_be_read(
        self, claim: Claim, tmp_path: Path
    ) -> None:
        claim.interrupted = lambda: _cancel_once(claim, tmp_path / "began")
        script = f"trap 'echo stopping; exit' TERM; echo started; touch {tmp_path}/began; sleep 30 & wait"
        with pytest.raises(Cancelled):
            children.run(claim, shell(script, tmp_path, stdin="Mend the lock."))
        assert stored(claim.attempt_id).startswith("started\n")
        assert "stopping" in stored(claim.attempt_id)
        assert not spools(claim.attempt_id).exists()


class TestRecovery:
    @pytest.fixture
    def left(self, claim: Claim, tmp_path: Path) -> Iterator[Child]:
        """A child of an attempt whose worker is lost: it goes on writing, and half of its output is stored."""
        script = "echo one; echo two; while true; do date >> alive; sleep 0.05; done"
        spec = ChildSpec(
            argv=("/bin/sh", "-c", script),
            cwd=tmp_path,
            env={"PATH": os.defpath},
            marker=children._marker(claim.attempt_id),
            lease=120,
        )
        child = Child.start(spec, spools(claim.attempt_id) / "run")
        wait_for(lambda: child.stdout.exists() and child.stdout.read_text() == "one\ntwo\n")
        output.store(claim, [(0, 4, "one\n")])
        end_attempt(claim.job_id, claim.fence, Outcome.LOST)
        Job.objects.update(run_after=Job.objects.get().created_at)
        yield child
        child._process.wait(10)
        child._close()

    def test_it_ends_what_still_runs_keeps_its_words_and_removes_its_folder(
        self, left: Child, claim: Claim, tmp_path: Path
    ) -> None:
        current = take()
        children.recover(current)
        assert alive(left.spec.marker) == []
        assert stored(claim.attempt_id) == "one\ntwo\n"
        assert not spools(claim.attempt_id).exists()

    def test_run_does_it_where_nobody_did(self, left: Child, claim: Claim, tmp_path: Path) -> None:
        children.run(take(), shell("true", tmp_path))
        assert alive(left.spec.marker) == []
        assert not spools(claim.attempt_id).exists()

    def test_an_attempt_that_stored_all_of_its_output_is_no_hindrance(self, claim: Claim, tmp_path: Path) -> None:
        """The tail of stderr stands past the end of the spool."""
        children.run(claim, shell("echo done; echo much more on stderr >&2", tmp_path))
        end_attempt(claim.job_id, claim.fence, Outcome.LOST)
        Job.objects.update(run_after=Job.objects.get().created_at)
        before = stored(claim.attempt_id)
        children.recover(take())
        assert stored(claim.attempt_id) == before
        assert not spools(claim.attempt_id).exists()

    def test_what_the_last_attempt_of_a_job_left_is_taken_in_by_the_clock(self, left: Child, claim: Claim) -> None:
        queue.enqueue(leftovers.KIND)
        [current] = claims.claim("short", [leftovers.KIND], worker="worker@test", most=1)
        assert children.recover_ended(current) == 0, "its job waits for another attempt, which takes it in"
        Job.objects.filter(pk=claim.job_id).update(state="dead")
        assert children.recover_ended(current) == 1
        assert alive(left.spec.marker) == []
        assert stored(claim.attempt_id) == "one\ntwo\n"
        assert not spools(claim.attempt_id).exists()
        assert children.recover_ended(current) == 0

    def test_it_looks_once(self, claim: Claim, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1):
            children.recover(claim)
            children.recover(claim)


def _cancel_once(claim: Claim, began: Path) -> bool:
    if began.exists():
        claim.cancel_asked = True
    return False
